"""The GraphQL schema: every root field is one call into the memory, made in a thread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

import graphmem
from graphmem import schema
from graphmem.api.generators import warm
from graphmem.api.graphql.context import Context
from graphmem.api.graphql.limits import LOG, BoundedQueries, ClearErrors
from graphmem.api.graphql.records import Count, Job, Organized, Report, Stats
from graphmem.api.graphql.types import Answer, Info, Note, Recall, Reflection
from graphmem.api.settings import Limits
from graphmem.errors import GraphmemError, InputError, NotFound
from graphmem.recall import plan_named

if TYPE_CHECKING:
    from graphmem.memory import Memory


#: Passages of a recall that an engine reads ahead.
WARMED = 4
#: Sub-questions that one query may ask for: each is a recall.
MAX_STEPS = 32


def bounded(context: Context, limit: int) -> int:
    """The number of hits asked for. Raises InputError above the server's limit."""
    if not 1 <= limit <= context.limits.hits:
        raise InputError(f"limit {limit} is outside 1..{context.limits.hits}", hint="ask for fewer hits")
    return limit


@strawberry.type
class Query:
    @strawberry.field(description="What memory holds on a question: ranked notes with the paths that led to them.")
    async def recall(
        self,
        info: Info,
        question: str,
        *,
        limit: int = 10,
        deadline_s: float | None = None,
        token_budget: int | None = None,
        now: str | None = None,
        plan: str = "balanced",
    ) -> Recall:
        context = info.context
        call = partial(
            context.memory.recall,
            question,
            limit=bounded(context, limit),
            deadline_s=context.deadline(deadline_s),
            token_budget=token_budget,
            now=now,
            plan=plan_named(plan),
        )
        return Recall.of(await context.gate.run(lambda: warmed(context.memory, call())))

    @strawberry.field(description="What memory holds on a question that takes several steps. Keeps nothing.")
    async def reflect(
        self,
        info: Info,
        question: str,
        *,
        limit: int = 10,
        steps: int = 8,
        deadline_s: float | None = None,
        now: str | None = None,
    ) -> Reflection:
        context = info.context
        if not 0 <= steps <= MAX_STEPS:
            raise InputError(f"steps {steps} is outside 0..{MAX_STEPS}", hint="ask for fewer steps")
        call = partial(
            context.memory.reflect,
            question,
            limit=bounded(context, limit),
            budget=schema.Budget(steps=steps, seconds=context.deadline(deadline_s)),
            now=now,
        )
        return Reflection.of(await context.gate.run(call))

    @strawberry.field(description="The answer to a question, with citations.")
    async def answer(
        self, info: Info, question: str, *, limit: int = 10, deadline_s: float | None = None, now: str | None = None
    ) -> Answer:
        context = info.context
        call = partial(
            context.memory.answer,
            question,
            limit=bounded(context, limit),
            deadline_s=context.deadline(deadline_s),
            now=now,
        )
        return Answer.of(await context.gate.run(call))

    @strawberry.field(description="One note by its id.")
    async def note(self, info: Info, id: strawberry.ID) -> Note | None:
        node = await info.context.nodes.load(str(id))
        return Note.of(node) if isinstance(node, schema.Note) else None

    @strawberry.field(description="All jobs, with their inputs.")
    async def jobs(self, info: Info) -> list[Job]:
        return await info.context.gate.run(partial(all_jobs, info.context.memory))

    @strawberry.field(description="One job by its id or a unique beginning of it.")
    async def job(self, info: Info, id: strawberry.ID) -> Job | None:
        return await info.context.gate.run(partial(one_job, info.context.memory, str(id)))

    @strawberry.field(description="What the memory holds.")
    async def stats(self, info: Info) -> Stats:
        memory = info.context.memory
        counts = await info.context.gate.run(memory.counts)
        return Stats(
            version=graphmem.__version__,
            space=memory.space.name,
            counts=[Count(name=name, count=count) for name, count in counts.items()],
        )


@strawberry.type
class Mutation:
    @strawberry.mutation(description="Remember one turn; the next recall finds it.")
    async def remember(
        self,
        info: Info,
        text: str,
        *,
        speaker: str | None = None,
        at: str | None = None,
        session: str | None = None,
        source: str = "conversation",
        ref: str | None = None,
    ) -> Report:
        context = info.context
        call = partial(context.memory.remember, text, speaker=speaker, at=at, session=session, source=source, ref=ref)
        return Report.of(await context.gate.run(call))

    @strawberry.mutation(description="Link notes, sum them up, settle what holds now: one job; twice changes nothing.")
    async def organize(self, info: Info, *, dry_run: bool = False, now: str | None = None) -> Organized:
        context = info.context
        return Organized.of(await context.gate.run(partial(context.memory.organize, dry_run=dry_run, now=now)))

    @strawberry.mutation(
        description="Say that notes or passages were of use, or of none; returns how many nodes it counts for."
    )
    async def feedback(self, info: Info, ids: list[strawberry.ID], *, useful: bool = True) -> int:
        context = info.context
        if len(ids) > context.limits.hits:
            raise InputError(f"{len(ids)} ids are more than {context.limits.hits}", hint="send fewer at once")
        call = partial(context.memory.feedback, [str(id) for id in ids], useful=useful)
        return await context.gate.run(call)


def warmed(memory: Memory, recalled: schema.Recall) -> schema.Recall:
    """What was recalled, of which an engine reads the best passages ahead: an answer is what is asked for next."""
    warm(getattr(memory, "generator", None), (ranked.passage.text for ranked in recalled.passages[:WARMED]))
    return recalled


def all_jobs(memory: Memory) -> list[Job]:
    return [Job.of(job, memory.items(job.id)) for job in memory.jobs()]


def one_job(memory: Memory, id: str) -> Job | None:
    try:
        found = memory.job(id)
    except NotFound:
        return None
    return Job.of(found, memory.items(found.id))


class GuardedSchema(strawberry.Schema):
    """Logs only what nobody expected: a bad query and our own errors are the caller's to read."""

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,  # noqa: ARG002
    ) -> None:
        for error in errors:
            original = error.original_error
            if original is not None and not isinstance(original, GraphmemError | GraphQLError):
                LOG.error("unexpected error at %s", error.path, exc_info=original)


def build_schema(limits: Limits) -> strawberry.Schema:
    """The schema with its guards: queries are bounded before they run, errors are cleared before they leave."""
    return GuardedSchema(
        query=Query,
        mutation=Mutation,
        config=StrawberryConfig(auto_camel_case=True),
        extensions=[lambda: BoundedQueries(limits), ClearErrors],
    )


def sdl() -> str:
    """The schema as text: what schema/graphmem.graphql holds."""
    return build_schema(Limits()).as_str().rstrip() + "\n"
