"""GraphQL types: graphmem.schema in camelCase. A change here changes schema/graphmem.graphql.

Times are ISO 8601 texts, weights and confidences 0..1, offsets count code points.
"""

from __future__ import annotations

from typing import Annotated, Any

import strawberry
from strawberry.scalars import JSON

from graphmem import schema
from graphmem.api.explain import label, spoken
from graphmem.api.graphql.context import Context
from graphmem.api.wire import iso
from graphmem.schema import ONE_Q8

Info = strawberry.Info[Context, None]
#: Links of one note that a page holds at most.
MAX_LINKS = 100


@strawberry.type(description="What was ingested: a conversation, a document.")
class Source:
    id: strawberry.ID
    kind: str
    outside_id: str
    title: str
    digest: str
    revision: int
    meta: JSON

    @classmethod
    def of(cls, source: schema.Source) -> Source:
        return cls(
            id=strawberry.ID(source.id),
            kind=source.kind,
            outside_id=source.outside_id,
            title=source.title,
            digest=source.digest,
            revision=source.revision,
            meta=JSON(dict(source.meta)),
        )


@strawberry.type(description="One piece of evidence: a dialogue turn or a document chunk. Immutable.")
class Passage:
    id: strawberry.ID
    text: str
    ref: str | None
    speaker: str | None
    at: str | None
    ordinal: int
    meta: JSON
    source_id: strawberry.Private[schema.Id]
    section_id: strawberry.Private[schema.Id | None]

    @strawberry.field(description="The source it is a part of.")
    async def source(self, info: Info) -> Source | None:
        node = await info.context.nodes.load(self.source_id)
        return Source.of(node) if isinstance(node, schema.Source) else None

    @strawberry.field(description="The session of the dialogue, or the heading in the document.")
    async def section(self, info: Info) -> str | None:
        node = await info.context.nodes.load(self.section_id) if self.section_id else None
        return node.name if isinstance(node, schema.Section) else None

    @classmethod
    def of(cls, passage: schema.Passage) -> Passage:
        return cls(**passage_fields(passage))


def passage_fields(passage: schema.Passage) -> dict[str, Any]:
    return {
        "id": strawberry.ID(passage.id),
        "text": passage.text,
        "ref": passage.ref,
        "speaker": passage.speaker,
        "at": iso(passage.at_us, passage.tz_min),
        "ordinal": passage.ordinal,
        "meta": JSON(dict(passage.meta)),
        "source_id": passage.source,
        "section_id": passage.section,
    }


@strawberry.type(description="A passage and the span of it that bears something out: text[start:end] is quote.")
class CitedPassage(Passage):
    start: int
    end: int
    quote: str


@strawberry.type(description="A typed, weighted, explained link from note to note.")
class LinkEdge:
    kind: str
    weight: float
    reason: str
    outgoing: bool
    node_id: strawberry.Private[schema.Id]

    @strawberry.field(description="The note at the other end.")
    async def node(self, info: Info) -> Annotated[Note, strawberry.lazy("graphmem.api.graphql.types")] | None:
        node = await info.context.nodes.load(self.node_id)
        return Note.of(node) if isinstance(node, schema.Note) else None


@strawberry.type(description="The links of a note.")
class LinkConnection:
    edges: list[LinkEdge]
    total_count: int


@strawberry.type(description="One sentence-sized idea in plain words, and where it stands.")
class Note:
    id: strawberry.ID
    kind: str
    text: str
    context: str
    keywords: list[str]
    tags: list[str]
    confidence: float
    valid_from: str | None
    valid_to: str | None
    made_by: str
    version: int
    spans: strawberry.Private[tuple[schema.Span, ...]]
    parent_ids: strawberry.Private[tuple[schema.Id, ...]]

    @strawberry.field(description="The evidence it came from.")
    async def passages(self, info: Info) -> list[CitedPassage]:
        nodes = await info.context.nodes.load_many([span.passage for span in self.spans])
        return [
            CitedPassage(**passage_fields(node), start=span.start, end=span.end, quote=span.quote)
            for span, node in zip(self.spans, nodes, strict=True)
            if isinstance(node, schema.Passage)
        ]

    @strawberry.field(description="The notes it was made of, when it does not stand in the evidence itself.")
    async def parents(self, info: Info) -> list[Annotated[Note, strawberry.lazy("graphmem.api.graphql.types")]]:
        nodes = await info.context.nodes.load_many(list(self.parent_ids[:MAX_LINKS]))
        return [Note.of(node) for node in nodes if isinstance(node, schema.Note)]

    @strawberry.field(description="Links to and from other notes, strongest first.")
    async def links(self, info: Info, first: int = 10) -> LinkConnection:
        edges = sorted(await info.context.links.load(str(self.id)), key=lambda edge: (-edge.weight_q8, edge.dst))
        shown = [
            LinkEdge(
                kind=edge.type.name.lower(),
                weight=edge.weight_q8 / ONE_Q8,
                reason=edge.reason,
                outgoing=edge.src == self.id,
                node_id=edge.dst if edge.src == self.id else edge.src,
            )
            for edge in edges[: max(0, min(first, MAX_LINKS))]
        ]
        return LinkConnection(edges=shown, total_count=len(edges))

    @classmethod
    def of(cls, note: schema.Note) -> Note:
        return cls(
            id=strawberry.ID(note.id),
            kind=str(note.kind),
            text=note.text,
            context=note.context,
            keywords=list(note.keywords),
            tags=list(note.tags),
            confidence=note.confidence_q8 / ONE_Q8,
            valid_from=iso(note.valid_from_us),
            valid_to=iso(note.valid_to_us),
            made_by=note.made_by,
            version=note.version,
            spans=note.spans,
            parent_ids=note.parents,
        )


@strawberry.type(description="Any node of the graph, in a few words.")
class NodeRef:
    id: strawberry.ID

    @strawberry.field(description="source, section, passage, note, entity or hyperedge.")
    async def kind(self, info: Info) -> str | None:
        node = await info.context.nodes.load(str(self.id))
        return type(node).__name__.lower() if node is not None else None

    @strawberry.field(description="Its text, name or title, cut.")
    async def label(self, info: Info) -> str:
        return label(await info.context.nodes.load(str(self.id)), str(self.id))


@strawberry.type(description="One step of a path: from node to node over an edge kind, times a weight.")
class Step:
    kind: str
    weight: float
    from_: NodeRef | None = strawberry.field(name="from")
    to: NodeRef

    @strawberry.field(description="The kind in words.")
    def words(self) -> str:
        return spoken(self.kind)

    @classmethod
    def of(cls, step: schema.Step) -> Step:
        return cls(
            kind=step.kind,
            weight=step.weight,
            from_=NodeRef(id=strawberry.ID(step.src)) if step.src else None,
            to=NodeRef(id=strawberry.ID(step.dst)),
        )


@strawberry.type(description="How activation reached a hit, and what that adds to its score.")
class Path:
    weight: float
    steps: list[Step]

    @classmethod
    def of(cls, path: schema.Path) -> Path:
        return cls(weight=path.weight, steps=[Step.of(step) for step in path.steps])


@strawberry.type(description="A note that was found. The weights of its paths sum to its score.")
class Hit:
    score: float
    note: Note
    passage: Passage | None
    paths: list[Path]

    @strawberry.field(description="The steps of the strongest path.")
    def path(self) -> list[Step]:
        return max(self.paths, key=lambda path: path.weight).steps if self.paths else []

    @classmethod
    def of(cls, hit: schema.Hit) -> Hit:
        return cls(
            score=hit.score,
            note=Note.of(hit.note),
            passage=Passage.of(hit.passage) if hit.passage else None,
            paths=[Path.of(path) for path in hit.paths],
        )


@strawberry.type(description="A passage with its score.")
class RankedPassage:
    score: float
    passage: Passage


@strawberry.type(description="Two statements of what was asked, of which the later may replace the earlier.")
class Disagreement:
    weight: float
    earlier_id: strawberry.Private[schema.Id]
    later_id: strawberry.Private[schema.Id]

    @strawberry.field(description="The note that was told first.")
    async def earlier(self, info: Info) -> Note | None:
        node = await info.context.nodes.load(self.earlier_id)
        return Note.of(node) if isinstance(node, schema.Note) else None

    @strawberry.field(description="The note that was told later.")
    async def later(self, info: Info) -> Note | None:
        node = await info.context.nodes.load(self.later_id)
        return Note.of(node) if isinstance(node, schema.Note) else None

    @classmethod
    def of(cls, found: schema.Disagreement) -> Disagreement:
        return cls(weight=found.weight_q8 / ONE_Q8, earlier_id=found.earlier, later_id=found.later)


@strawberry.type(description="What memory holds on a question. `degraded` says what was left out; empty when nothing.")
class Recall:
    question: str
    plan: str
    route: list[str]
    seq: int
    support: float
    degraded: list[str]
    hits: list[Hit]
    passages: list[RankedPassage]
    derived: list[Hit] = strawberry.field(
        description="Notes made of other notes that fit the question: inference, beside the evidence of `hits`."
    )
    conflicts: list[Disagreement] = strawberry.field(
        description="Statements of which a later one may replace an earlier one; organising repairs what was noticed."
    )

    @classmethod
    def of(cls, recall: schema.Recall) -> Recall:
        return cls(
            question=recall.question,
            plan=recall.plan,
            route=list(recall.route),
            seq=recall.seq,
            support=recall.support,
            degraded=list(recall.degraded),
            hits=[Hit.of(hit) for hit in recall.hits],
            passages=[RankedPassage(score=r.score, passage=Passage.of(r.passage)) for r in recall.passages],
            derived=[Hit.of(hit) for hit in recall.derived],
            conflicts=[Disagreement.of(one) for one in recall.conflicts],
        )


@strawberry.type(description="A sub-question, why it was asked, and the passages that it brought.")
class Inquiry:
    question: str
    why: str
    depth: int
    made_by: str
    start: NodeRef | None
    entity: NodeRef | None
    found: list[NodeRef]

    @classmethod
    def of(cls, step: schema.Inquiry) -> Inquiry:
        return cls(
            question=step.question,
            why=step.why,
            depth=step.depth,
            made_by=step.made_by,
            start=NodeRef(id=strawberry.ID(step.start)) if step.start else None,
            entity=NodeRef(id=strawberry.ID(step.entity)) if step.entity else None,
            found=[NodeRef(id=strawberry.ID(id)) for id in step.found],
        )


@strawberry.type(description="A node of a hyperedge and its role there.")
class WorkingMember:
    role: str
    node: NodeRef


@strawberry.type(description="A hyperedge of working memory. `joins` are the ids of the two it was merged from.")
class WorkingEdge:
    id: strawberry.ID
    predicate: str
    score: float
    joins: list[strawberry.ID]
    members: list[WorkingMember]

    @classmethod
    def of(cls, edge: schema.WorkingEdge) -> WorkingEdge:
        return cls(
            id=strawberry.ID(edge.edge.id),
            predicate=edge.edge.predicate,
            score=edge.score,
            joins=[strawberry.ID(id) for id in edge.joins],
            members=[
                WorkingMember(role=member.role.name.lower(), node=NodeRef(id=strawberry.ID(member.node)))
                for member in edge.edge.members
            ],
        )


@strawberry.type(description="What working on a question in steps gave.")
class Reflection:
    question: str
    stopped: str
    steps: list[Inquiry]
    edges: list[WorkingEdge]
    refusals: list[str]
    recall: Recall

    @classmethod
    def of(cls, done: schema.Reflection) -> Reflection:
        return cls(
            question=done.question,
            stopped=done.stopped,
            steps=[Inquiry.of(step) for step in done.steps],
            edges=[WorkingEdge.of(edge) for edge in done.edges],
            refusals=[refusal.reason for refusal in done.refusals],
            recall=Recall.of(done.recall),
        )


@strawberry.type(description="A marker in the answer's text, and the span that bears it out.")
class Citation:
    marker: int
    quote: str
    start: int
    end: int
    note: Note | None
    passage: Passage

    @classmethod
    def of(cls, citation: schema.Citation) -> Citation:
        return cls(
            marker=citation.marker,
            quote=citation.quote,
            start=citation.start,
            end=citation.end,
            note=Note.of(citation.note) if citation.note else None,
            passage=Passage.of(citation.passage),
        )


@strawberry.type(description="`found` is false when memory does not hold the evidence; then `text` says so.")
class Answer:
    question: str
    text: str
    found: bool
    generator: str
    degraded: list[str]
    citations: list[Citation]
    recall: Recall

    @classmethod
    def of(cls, answer: schema.Answer) -> Answer:
        return cls(
            question=answer.question,
            text=answer.text,
            found=answer.found,
            generator=answer.generator,
            degraded=list(answer.degraded),
            citations=[Citation.of(citation) for citation in answer.citations],
            recall=Recall.of(answer.recall),
        )
