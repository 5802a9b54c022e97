"""GraphQL types of what was done and what there is: reports, jobs, counts."""

from __future__ import annotations

from dataclasses import asdict

import strawberry
from strawberry.scalars import JSON

from graphmem import organize, schema
from graphmem.api.wire import iso


@strawberry.type(description="What a write did.")
class Report:
    job: strawberry.ID | None
    seq: int
    sources: int
    passages: int
    notes: int
    entities: int
    hyperedges: int
    edges: int
    refusals: int
    accepted: int
    calls: int
    prompt_chars: int
    answer_chars: int
    skipped: int
    failed: int
    seconds: float
    passage_ids: list[strawberry.ID]

    @classmethod
    def of(cls, report: schema.Report) -> Report:
        return cls(
            job=strawberry.ID(report.job) if report.job else None,
            seq=report.seq,
            sources=report.sources,
            passages=report.passages,
            notes=report.notes,
            entities=report.entities,
            hyperedges=report.hyperedges,
            edges=report.edges,
            refusals=report.refusals,
            accepted=report.accepted,
            calls=report.calls,
            prompt_chars=report.prompt_chars,
            answer_chars=report.answer_chars,
            skipped=report.skipped,
            failed=report.failed,
            seconds=report.seconds,
            passage_ids=[strawberry.ID(id) for id in report.passage_ids],
        )


@strawberry.type(description="One input of a job. `cursor` counts the passages of it that are written.")
class Item:
    key: str
    state: str
    cursor: int
    error: str
    position: str

    @classmethod
    def of(cls, item: schema.Item) -> Item:
        return cls(key=item.key, state=str(item.state), cursor=item.cursor, error=item.error, position=item.position)


@strawberry.type(description="The unit of ingest that can be resumed and undone.")
class Job:
    id: strawberry.ID
    state: str
    opened: str | None
    closed: str | None
    spec: JSON
    items: list[Item]

    @classmethod
    def of(cls, job: schema.Job, items: list[schema.Item]) -> Job:
        return cls(
            id=strawberry.ID(job.id),
            state=str(job.state),
            opened=iso(job.opened_us),
            closed=iso(job.closed_us),
            spec=JSON(dict(job.spec)),
            items=[Item.of(item) for item in items],
        )


@strawberry.type(description="How many there are of something.")
class Count:
    name: str
    count: int


@strawberry.type(description="What the memory holds.")
class Stats:
    version: str
    space: str
    counts: list[Count]


@strawberry.type(description="What one step of organising did.")
class OrganizedStep:
    name: str
    notes: int
    changed: int
    deleted: int
    hyperedges: int
    links: int
    refusals: int
    told: list[str]


@strawberry.type(description="What organising did, or in a dry run would do.")
class Organized:
    job: strawberry.ID | None
    organizer: str
    dry_run: bool
    changes: int
    steps: list[OrganizedStep]

    @classmethod
    def of(cls, done: organize.Organized) -> Organized:
        return cls(
            job=strawberry.ID(done.job) if done.job else None,
            organizer=done.organizer,
            dry_run=done.dry_run,
            changes=done.changes,
            steps=[OrganizedStep(name=name, **asdict(step)) for name, step in done.steps.items()],
        )
