"""The organiser as a job, and its steps over batches: written once, resumed, undone, the same the second time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import graphmem
from graphmem.errors import InputError
from graphmem.memory import Memory
from graphmem.organize import New, Organizer, Piece, View, without
from graphmem.pipeline import Pipeline
from graphmem.schema import JobState, NodeKind, Note, NoteKind, identity
from graphmem.stores.base import Reader


@dataclass(frozen=True, slots=True)
class Sums:
    """One summary of all notes of a kind: enough of a step to watch the job by."""

    name: str = "sums"
    fails: bool = False

    def pieces(self, view: View) -> Iterator[Piece]:
        with view.reader() as reader:
            page = [node for node in reader.page(NodeKind.NOTE, limit=1_000) if isinstance(node, Note) and node.spans]
            id = identity(view.space.key, "note", self.name)
            stored = reader.get([id]).get(id)
        text = " / ".join(sorted(note.text for note in page))
        version = stored.version if isinstance(stored, Note) else 0
        parents = tuple(sorted(note.id for note in page))
        yield Piece((Note(id, NoteKind.SUMMARY, text, parents=parents, version=version),), told=("a summary",))
        if self.fails:
            raise RuntimeError("killed here")


@dataclass(frozen=True, slots=True)
class Tags:
    """Tags each new note with the number of notes in its batch."""

    name: str = "tags"

    def pieces(self, view: View) -> Iterator[Piece]:  # noqa: ARG002
        yield from ()

    def at_write(self, reader: Reader, new: New) -> Piece:  # noqa: ARG002
        return Piece(tuple(replace(note, tags=(f"batch of {len(new.notes)}",)) for note in new.notes))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with graphmem.open(str(tmp_path / "notes.db")) as memory:
        memory.remember("Ada moved to Zurich in May.", speaker="Ada", at="2026-05-12")
        memory.remember("Her cat is called Grace.", speaker="Ben", at="2026-05-13")
        yield memory


def test_a_second_run_changes_nothing(memory: Memory) -> None:
    evidence = memory.evidence_digest()
    first = memory.organize(organizer=Organizer("SUMS", (Sums(),)))
    digest, counts = memory.digest(), memory.counts()
    second = memory.organize(organizer=Organizer("SUMS", (Sums(),)))
    assert (first.changes, second.changes) == (1, 0)
    assert (memory.digest(), memory.counts()["commits"]) == (digest, counts["commits"])
    assert memory.evidence_digest() == evidence
    assert memory.check() == []


def test_a_dry_run_writes_nothing_and_tells_what_would_be(memory: Memory) -> None:
    digest, jobs = memory.digest(), memory.jobs()
    told = memory.organize(organizer=Organizer("SUMS", (Sums(),)), dry_run=True)
    assert (told.steps["sums"].notes, told.steps["sums"].told) == (1, ["a summary"])
    assert (memory.digest(), memory.jobs()) == (digest, jobs)


def test_a_run_that_was_cut_short_goes_on_behind_the_steps_it_did(memory: Memory) -> None:
    with pytest.raises(RuntimeError, match="killed here"):
        memory.organize(organizer=Organizer("TWO", (Sums(), Sums("others", fails=True))))
    (job,) = memory.jobs()
    done = memory.organize(organizer=Organizer("TWO", (Sums(), Sums("others"))), resume=job.id)
    assert list(done.steps) == ["others"]
    assert memory.job(job.id).state is JobState.DONE
    with pytest.raises(InputError, match="no open organising"):
        memory.organize(resume=job.id)


def test_undoing_the_job_takes_back_what_it_made(memory: Memory) -> None:
    before = memory.digest()
    done = memory.organize(organizer=Organizer("SUMS", (Sums(),)))
    assert done.job is not None
    memory.undo(done.job)
    assert memory.digest() == before


def test_derived_notes_are_told_beside_the_evidence_and_go_with_it(memory: Memory) -> None:
    memory.organize(organizer=Organizer("SUMS", (Sums(),)))
    found = memory.recall("Where did Ada move, and what is her cat called?")
    assert [hit.note.kind for hit in found.derived] == [NoteKind.SUMMARY]
    assert all(hit.note.spans for hit in found.hits)
    memory.forget(found.passages[0].passage.id)
    assert memory.recall("Where did Ada move, and what is her cat called?").derived == ()


def test_a_step_may_look_at_a_batch_before_it_is_written(memory: Memory) -> None:
    whole: Pipeline = memory._pipeline
    memory.__dict__["_pipeline"] = replace(whole, organizer=Organizer("TAGS", (Tags(),)))
    evidence = memory.evidence_digest()
    memory.remember("Grace sleeps all day. She eats fish.", speaker="Ada", at="2026-05-14")
    hit = memory.recall("What does Grace eat?").hits[0]
    assert hit.note.tags == ("batch of 1",)
    assert memory.evidence_digest() != evidence


def test_a_step_is_left_out_by_its_name() -> None:
    organizer = Organizer("TWO", (Sums(), Tags()))
    assert [step.name for step in without(organizer, "sums").steps] == ["tags"]
    with pytest.raises(InputError, match="no step 'links'"):
        without(organizer, "links")
