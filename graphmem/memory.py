"""Memory: the one object a user holds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from graphmem import trajectories
from graphmem.embed import Embedder, default_embedder
from graphmem.errors import InputError, NotFound, StoreError
from graphmem.feedback import cited, judged
from graphmem.recall import BALANCED, Plan, Router
from graphmem.recall import recall as run_recall
from graphmem.schema import (
    Answer,
    Batch,
    Budget,
    Change,
    Commit,
    Disagreement,
    ForgetReport,
    Id,
    Item,
    Job,
    JobState,
    Node,
    PassageDraft,
    Recall,
    Reflection,
    Report,
    SourceDraft,
    Space,
    Strategy,
    WorkingSet,
    clean,
    instant,
)
from graphmem.stores import open_store
from graphmem.stores.base import Reader, ShowsGraph, Store

if TYPE_CHECKING:
    from graphmem.answer import Generator as TextGenerator
    from graphmem.construct import Proposer
    from graphmem.organize import Organized, Organizer
    from graphmem.pipeline import Pipeline

When = str | datetime | int | None

#: Conflicts noticed by recalls that wait for a refresh.
MAX_NOTICED = 256


def open(
    url: str = "graphmem.db",
    *,
    space: str = "default",
    embedder: Embedder | None = None,
    generator: TextGenerator | None = None,
    proposer: Proposer | None = None,
    read_only: bool = False,
) -> Memory:
    """Opens the memory at a path or URL, making it if it is not there (unless `read_only`). `generator` writes answers,
    `proposer` is asked for notes and links beside those of the rules; none is needed.

    Close it, or use it in a `with`. Raises StoreError when the file is not a store, is newer, or cannot be opened.
    """
    store = open_store(url, read_only=read_only)
    try:
        return Memory(
            store, space=space, embedder=embedder, generator=generator, proposer=proposer, read_only=read_only
        )
    except BaseException:
        store.close()
        raise


class Memory:
    """Remembers, recalls, answers, forgets: one space of one store. May be used from several threads."""

    def __init__(
        self,
        store: Store,
        *,
        space: str = "default",
        embedder: Embedder | None = None,
        generator: TextGenerator | None = None,
        proposer: Proposer | None = None,
        read_only: bool = False,
    ) -> None:
        self.store = store
        self.embedder = embedder if embedder is not None else default_embedder()
        self.generator, self.proposer = generator, proposer
        self.space = agreed(store, store.space(space, create=not read_only), self.embedder, read_only=read_only)
        self._noticed: deque[Disagreement] = deque(maxlen=MAX_NOTICED)

    @cached_property
    def _pipeline(self) -> Pipeline:
        """Made by the first write: a process that only asks never loads the rules of construction (0.1 s)."""
        from graphmem.construct import Constructor
        from graphmem.embed import Ahead
        from graphmem.pipeline import Pipeline

        return Pipeline(self.store, self.space, Ahead(self.embedder), Constructor(self.proposer))

    # -- in

    def remember(
        self,
        text: str,
        *,
        speaker: str | None = None,
        at: When = None,
        ref: str | None = None,
        session: str | None = None,
        source: str = "conversation",
        title: str = "",
        meta: Mapping[str, object] | None = None,
    ) -> Report:
        """Remembers one turn of a conversation; found by the next recall.

        `at` is an ISO 8601 text, a datetime or microseconds since 1970 UTC; now when not given. The same `ref` and
        text in the same `source` is the same turn and changes nothing. Raises InputError for text that is blank and
        for a date that does not exist.
        """
        from graphmem.pipeline import Origin

        clean, replaced = sound(text)
        at_us, tz_min = moment(at) if at is not None else (time.time_ns() // 1000, None)
        noted = {**(meta or {}), **({"replaced": replaced} if replaced else {})}
        draft = PassageDraft(clean, ref, speaker, at_us, tz_min, session, meta=noted)
        return self._pipeline.append(SourceDraft("conversation", source, title), [draft], Origin())

    def remember_many(
        self,
        drafts: Iterable[PassageDraft],
        *,
        source: SourceDraft,
        job: Job | None = None,
        item: str = "",
        start: int = 0,
        progress: Callable[[int], None] | None = None,
        durable: bool = True,
        is_stopped: Callable[[], bool] | None = None,
    ) -> Report:
        """Remembers a whole source in batches, each one transaction.

        A source with a digest is written once: the same digest again changes nothing, another digest under the same
        outside id is a new revision that supersedes the old one. A source without a digest is live: drafts are
        appended. With a `job`, the item's cursor is committed with each batch; `start` resumes behind it.
        Where a proposer is asked, `is_stopped` is looked at before each call and ends all with KeyboardInterrupt; the
        batch under way is then not written.
        """
        from graphmem.pipeline import Origin

        origin = Origin(job.id if job else None, item, cause="ingest" if job else "remember", durable=durable)
        if is_stopped is not None:
            origin = replace(origin, is_stopped=is_stopped)
        if source.digest:
            return self._pipeline.ingest(source, drafts, origin, start=start, progress=progress)
        return self._pipeline.append(source, drafts, origin)

    def remember_sources(
        self, sources: Iterable[tuple[SourceDraft, Sequence[PassageDraft]]], *, durable: bool = True
    ) -> Report:
        """Remembers many small sources, each as `remember_many` does; what they need is embedded together, which takes
        two thirds of the time for pages of a few sentences. The report is that of all; reads as it goes."""
        from graphmem.pipeline import all_of, in_groups

        total = Report()
        for group in in_groups(sources):
            self.embed_ahead(group)
            for source, drafts in group:
                total = all_of(total, self.remember_many(drafts, source=source, durable=durable))
        return total

    def remember_trajectory(
        self,
        task: str,
        steps: Sequence[Mapping[str, object]],
        outcome: str | bool,
        *,
        situation: str = "",
        id: str = "",
        at: When = None,
    ) -> Report:
        """Remembers one run of an agent: what it did on a task, what it saw, and whether it succeeded.

        A step is {"action", "observation"} or {"tool", "arguments", "observation"}, with "ok" where it is known that
        it worked; `outcome` is "success" or "failure". The same run again changes nothing; give repeated runs an `id`
        or a time of their own. `organize` distils runs into strategies. Raises InputError that names the step.
        """
        value = {"task": task, "steps": steps, "outcome": outcome, "situation": situation, "id": id}
        run = trajectories.read(value)
        at_us, tz_min = moment(at) if at is not None else (None, None)
        drafts = trajectories.drafts_of(run, at_us, tz_min)
        return self.remember_many(drafts, source=trajectories.source_of(run, at_us))

    def embed_ahead(self, sources: Sequence[tuple[SourceDraft, Sequence[PassageDraft]]]) -> None:
        """Says which small sources come next, so that what they need is embedded in one call and kept until then."""
        self._pipeline.embed_ahead(sources)

    # -- organise

    def organize(
        self,
        *,
        organizer: Organizer | None = None,
        dry_run: bool = False,
        resume: Id | None = None,
        now: When = None,
        progress: Callable[[str, int], None] | None = None,
    ) -> Organized:
        """Runs the organiser's steps over all that is remembered, as one job that can be watched, resumed and undone;
        a second run changes nothing. What recalls noticed is repaired first (`refresh`), in a job of its own. A dry run
        writes nothing and tells what each step would do. `now` is the time that forgetting and open validity are
        measured against, today when not given. Raises NotFound for a job to resume that is not there, InputError for
        one that is done or was no organising."""
        from graphmem import organize

        job = self.job(resume) if resume is not None else None
        if job is not None and (job.state is not JobState.OPEN or job.spec.get("kind") != organize.KIND):
            raise InputError(f"job {job.id} is no open organising", hint="`graphmem jobs list` shows them")
        began = job.spec.get("now_us") if job is not None else None
        at_us = began if now is None and isinstance(began, int) else now_us(now)
        view = organize.View(self.store, self.space, self.embedder, at_us)
        chosen = organizer if organizer is not None else organize.STANDARD
        if not dry_run:
            self.refresh()
        return organize.organize(view, organizer=chosen, job=job, dry_run=dry_run, progress=progress)

    def refresh(self) -> Commit | None:
        """Repairs the conflicts that recalls of this object noticed: the later statement links to the earlier one, and
        closes it where the model is sure. One job that can be undone; None when there was nothing to repair. At most
        MAX_NOTICED conflicts wait; those that wait when the process ends are lost, and noticed again. Raises Conflict
        when another writer changed the notes meanwhile, five times in a row; what was noticed then waits on."""
        from graphmem.jobs import until_no_conflict, write_as_job
        from graphmem.organize.refresh import Repairs

        noticed = list(self._noticed)

        def write() -> Commit | None:
            with self.reader() as reader:
                piece = Repairs().of(reader, noticed)
            if not piece:
                return None
            batch = Batch("organizer:refresh", "organize:standing", nodes=piece.nodes, edges=piece.edges)
            return write_as_job(self.store, self.space, {"kind": "refresh", "conflicts": len(noticed)}, batch)[1]

        commit = until_no_conflict(write)
        for one in noticed:
            with suppress(ValueError):
                self._noticed.remove(one)
        return commit

    # -- out

    def recall(
        self,
        question: str,
        *,
        limit: int = 10,
        plan: Plan | Router = BALANCED,
        now: When = None,
        deadline_s: float | None = None,
        token_budget: int | None = None,
    ) -> Recall:
        """What memory holds on a question: ranked notes with paths, ranked passages, and in `degraded` what was left
        out for the deadline or the token budget. A router tries plans from light to deep; `route` then says which and
        why. Raises InputError for a blank question or a limit below 1."""
        check_asked(question, limit)
        run: Callable[..., Recall] = run_recall
        if isinstance(plan, Router) or plan.steps:
            from graphmem.reflect.routing import routed

            run = routed
        recalled = run(
            self.store,
            self.space,
            sound(question)[0],
            self.embedder,
            plan=plan,
            limit=limit,
            now_us=given_us(now),
            deadline_s=deadline_s,
            token_budget=token_budget,
        )
        self._noticed.extend(recalled.conflicts)
        return recalled

    def strategies(self, task: str, *, limit: int = 10, now: When = None) -> tuple[Strategy, ...]:
        """What to do on a task, as runs of agents taught it (`remember_trajectory`, then `organize`), best first; tell
        the situation with the task, if there is one. Raises InputError for a blank task or a limit below 1."""
        from graphmem.recall.strategies import strategies

        if limit < 1:
            raise InputError(f"limit {limit} is below 1", hint="ask for at least one strategy")
        with self.reader() as reader:
            return strategies(reader, sound(task)[0], self.embedder, limit=limit, now_us=given_us(now))

    def reflect(
        self,
        question: str,
        *,
        budget: Budget | None = None,
        limit: int = 10,
        plan: Plan = BALANCED,
        now: When = None,
        keep: bool = False,
    ) -> Reflection:
        """Works on a question in steps: recalls, asks about what it found what is still open, merges what belongs
        together, until nothing is open or the budget is spent. A generator may propose sub-questions; rules ask them
        otherwise. With `keep` what was found stays, as hyperedges and a summary note made by "reflect", in one commit
        that `undo` takes back; the same again changes nothing. Raises InputError as `recall` does."""
        from graphmem import reflect

        check_asked(question, limit)
        done = reflect.reflect(
            self.store,
            self.space,
            sound(question)[0],
            self.embedder,
            budget=budget or Budget(),
            plan=plan,
            limit=limit,
            now_us=given_us(now),
            generator=self.generator,
        )
        return reflect.keep(self.store, self.space, self.embedder, done) if keep else done

    def working(
        self, *, source: str = "conversation", kind: str = "conversation", tokens: int = 600, now: When = None
    ) -> WorkingSet:
        """What a conversation has in mind: its last turns and what they light up, at most `tokens` in all. Computed at
        each call, nothing is stored. Raises NotFound for a source that is not there, InputError for tokens below 1."""
        from graphmem.reflect.working_set import working_set

        return working_set(
            self.store, self.space, self.embedder, kind=kind, source=source, tokens=tokens, now_us=given_us(now)
        )

    def keep(self, recalled: Recall) -> Id:
        """Stores what a recall found and what led there, to be looked at in Neo4j Browser. A view, no part of the
        memory: the newest few stay. Raises StoreError when the store has no such view."""
        if not isinstance(self.store, ShowsGraph):
            raise StoreError(
                "this store shows no graph, so a recall cannot be kept in it",
                hint="`graphmem copy` puts the memory into Neo4j",
                source=self.store.url,
            )
        return self.store.keep(self.space, recalled)

    def stream(
        self, question: str, *, limit: int = 10, now: When = None, deadline_s: float | None = None
    ) -> Generator[str, None, Answer]:
        """Yields the answer's text as it comes and returns the Answer. Close it to stop early."""
        from graphmem.answer import respond

        recalled = self.recall(question, limit=limit, now=now, deadline_s=deadline_s)
        answer = yield from respond(recalled, generator=self.generator, deadline_s=deadline_s)
        if used := cited(answer):
            with suppress(StoreError):  # a count is losable: a busy or read-only store is no reason to lose an answer
                self.store.used(self.space, used, now_us(now))
        return answer

    def answer(self, question: str, *, limit: int = 10, now: When = None, deadline_s: float | None = None) -> Answer:
        """The whole answer at once."""
        pieces = self.stream(question, limit=limit, now=now, deadline_s=deadline_s)
        while True:
            try:
                next(pieces)
            except StopIteration as stop:
                answer: Answer = stop.value
                return answer

    def feedback(self, what: Recall | Id | Iterable[Id], *, useful: bool = True, now: When = None) -> int:
        """Says that what a recall found, or notes and passages by their ids, were of use or of none, and returns how
        many nodes it counts for. What was of use is forgotten more slowly and ranks a little higher; what was not,
        faster. Evidence stays as it is. Raises NotFound for an unknown id, StoreReadOnly."""
        with self.reader() as reader:
            ids = judged(reader, what)
        self.store.used(self.space, ids, now_us(now), useful=useful)
        return len(ids)

    # -- look, trace, undo, erase

    def reader(self, *, deadline_s: float | None = None) -> AbstractContextManager[Reader]:
        """One snapshot of this space, for everything that has no verb of its own."""
        return self.store.reader(self.space, deadline_s=deadline_s)

    def get(self, id: Id) -> Node:
        """The node with this id. Raises NotFound."""
        with self.reader() as reader:
            node = reader.get([id]).get(id)
        if node is None:
            raise NotFound(f"no node {id} in space {self.space.name!r}", hint="ids come from recall, history or jobs")
        return node

    def history(self, id: Id) -> list[tuple[Commit, Change]]:
        """All that happened to an object, oldest first."""
        with self.reader() as reader:
            return reader.history(id)

    def jobs(self) -> list[Job]:
        with self.reader() as reader:
            return reader.jobs()

    def job(self, id: Id) -> Job:
        """A job by its id or a unique beginning of it. Raises NotFound."""
        found = [job for job in self.jobs() if job.id.startswith(id)] if id else []
        if len(found) != 1:
            many = f"{len(found)} jobs begin with" if found else "no job"
            raise NotFound(f"{many} {id!r}", hint="`graphmem jobs list` shows them")
        return found[0]

    def items(self, job: Id) -> list[Item]:
        with self.reader() as reader:
            return reader.items(job)

    def undo(self, job: Id) -> Commit | None:
        """Takes back all that a job wrote. Raises Conflict when something later builds on it."""
        return self.store.undo(self.space, self.job(job).id)

    def forget(self, *ids: Id) -> ForgetReport:
        """Erases nodes and all that is derived from them, from every file of the store. Cannot be undone."""
        if self.proposer is not None:
            self.proposer.forget()
        return self.store.forget(self.space, ids)

    def counts(self) -> dict[str, int]:
        with self.reader() as reader:
            return reader.counts()

    def digest(self) -> str:
        with self.reader() as reader:
            return reader.digest()

    def evidence_digest(self) -> str:
        with self.reader() as reader:
            return reader.evidence_digest()

    def check(self) -> list[str]:
        """Where derived rows disagree with the truth, in words; empty when sound."""
        with self.reader() as reader:
            return reader.check()

    def rebuild(self) -> None:
        """Makes everything derived anew from the truth."""
        self.store.rebuild(self.space)

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def agreed(store: Store, space: Space, embedder: Embedder, *, read_only: bool) -> Space:
    """The space, once it is sure that its vectors and the embedder's can be compared. An empty space takes any."""
    if space.embedder == embedder.name:
        return space
    if space.embedder:
        with store.reader(space) as reader:
            vectors = reader.counts()["vectors"]
        if vectors:
            raise StoreError(
                f"space {space.name!r} holds {vectors:,} vectors of {space.embedder}, not of {embedder.name}",
                hint=f"open it with {space.embedder}, or ingest into another space",
                source=store.url,
            )
    if not read_only:
        store.name_embedder(space, embedder.name)
    return replace(space, embedder=embedder.name)


def check_asked(question: str, limit: int) -> None:
    if not question.strip():
        raise InputError("the question is blank", hint="ask something")
    if limit < 1:
        raise InputError(f"limit {limit} is below 1", hint="ask for at least one hit")


def sound(text: str) -> tuple[str, int]:
    """Text without NUL and lone surrogates (each becomes U+FFFD), and how many were. InputError when blank."""
    if not isinstance(text, str):
        raise InputError(f"text must be a str, not {type(text).__name__}", hint="decode bytes as UTF-8 first")
    text, replaced = clean(text)
    if not text.strip():
        raise InputError("the text is blank", hint="give at least one word")
    return text, replaced


def given_us(now: When) -> int | None:
    """The time that is given, in microseconds UTC; None when none is."""
    return moment(now)[0] if now is not None else None


def now_us(now: When) -> int:
    """The time that is given, in microseconds UTC, else the clock's."""
    given = given_us(now)
    return given if given is not None else time.time_ns() // 1000


def moment(at: str | datetime | int) -> tuple[int, int | None]:
    """Microseconds UTC and the offset in minutes (None when the text has none: taken as UTC)."""
    if isinstance(at, int):
        return at, None
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at.strip())
        except ValueError as error:
            raise InputError(
                f"{at!r} is not a date that exists", hint="use ISO 8601, for example 2026-05-12T09:30+02:00"
            ) from error
    return instant(at)
