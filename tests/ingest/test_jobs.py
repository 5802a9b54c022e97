"""Ingest as a job: items and states, failures, revisions, undo, Ctrl-C."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import graphmem
from graphmem.embed import HashEmbedder, TextVectors
from graphmem.errors import InputError, JobError, ModelError
from graphmem.ingest import Progress, ingest, resume
from graphmem.memory import Memory
from graphmem.schema import ItemState, JobState, NodeKind, Passage, Report, Source
from tests.ingest.files import jsonl, sample, written


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with graphmem.open(str(tmp_path / "store.db"), embedder=HashEmbedder()) as opened:
        yield opened


def states(memory: Memory, report: Report) -> dict[str, ItemState]:
    assert report.job is not None
    return {item.key: item.state for item in memory.items(report.job)}


def texts(memory: Memory) -> list[str]:
    """The words of every passage that is kept, retired ones too."""
    with memory.reader() as reader:
        return sorted(node.text for node in reader.page(NodeKind.PASSAGE, limit=10_000) if isinstance(node, Passage))


def messages(count: int, start: int = 0) -> str:
    return jsonl(*[{"text": f"I saw kite number {n} today.", "speaker": "Ines"} for n in range(start, start + count)])


def interrupt(_: Progress) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def folder(root: Path) -> Path:
    """Two good files and one of each kind of bad one."""
    written(root, "in/a-chat.jsonl", messages(5))
    written(root, "in/b-broken.jsonl", messages(16) + '{"text": \n')
    written(root, "in/c-latin.txt", b"caf\xe9")
    written(root, "in/d-empty.md", b"")
    written(root, "in/e-guide.md", "# Kites\n\nA kite needs wind.\n")
    return root / "in"


def test_good_files_are_kept_and_bad_ones_are_listed_with_their_place(memory: Memory, tmp_path: Path) -> None:
    report = ingest(memory, [folder(tmp_path)])
    assert states(memory, report) == {
        "in/a-chat.jsonl": ItemState.DONE,
        "in/b-broken.jsonl": ItemState.FAILED,
        "in/c-latin.txt": ItemState.FAILED,
        "in/d-empty.md": ItemState.SKIPPED,
        "in/e-guide.md": ItemState.DONE,
    }
    assert report.job is not None
    failed = {item.key: item for item in memory.items(report.job) if item.error}
    assert failed["in/b-broken.jsonl"].position.startswith("line 17")
    assert failed["in/c-latin.txt"].position == "line 1, byte 3"
    assert "is empty" in failed["in/d-empty.md"].error
    assert memory.job(report.job).state is JobState.FAILED
    assert (report.sources, report.skipped, report.failed, report.passages) == (2, 1, 2, 6)


def test_a_file_without_words_is_skipped_in_a_folder_and_fails_when_named(memory: Memory, tmp_path: Path) -> None:
    path = written(tmp_path, "in/shell.html", "<html><script>run()</script></html>")
    assert ingest(memory, [tmp_path / "in"]).skipped == 1
    assert ingest(memory, [path]).failed == 1


def test_nothing_of_a_file_with_a_fault_is_written(memory: Memory, tmp_path: Path) -> None:
    path = written(tmp_path, "long.jsonl", messages(600) + "broken")
    assert ingest(memory, [path]).failed == 1
    assert texts(memory) == []


def test_a_failed_file_is_read_when_the_job_is_resumed_after_mending(memory: Memory, tmp_path: Path) -> None:
    report = ingest(memory, [folder(tmp_path)])
    written(tmp_path, "in/b-broken.jsonl", messages(16, start=50))
    written(tmp_path, "in/c-latin.txt", "café")
    assert report.job is not None
    again = resume(memory, report.job)
    assert (again.job, again.sources, again.failed, again.passages) == (report.job, 2, 0, 17)
    assert memory.job(report.job).state is JobState.DONE


def test_what_came_into_the_folder_since_is_left_to_another_job(memory: Memory, tmp_path: Path) -> None:
    report = ingest(memory, [folder(tmp_path)])
    written(tmp_path, "in/new.md", "New words.")
    assert report.job is not None
    resume(memory, report.job)
    assert "in/new.md" not in states(memory, report)


def test_a_file_that_went_away_fails_when_the_job_is_resumed(memory: Memory, tmp_path: Path) -> None:
    report = ingest(memory, [folder(tmp_path)])
    (tmp_path / "in" / "b-broken.jsonl").unlink()
    assert report.job is not None
    assert resume(memory, report.job).failed == 2


def test_ingesting_the_same_again_writes_nothing(memory: Memory, tmp_path: Path) -> None:
    written(tmp_path, "in/chat.jsonl", messages(5))
    written(tmp_path, "in/talks.json", [sample("a"), sample("b")])
    first = ingest(memory, [tmp_path / "in"])
    before = memory.digest(), memory.counts()
    again = ingest(memory, [tmp_path / "in"])
    assert (first.sources, first.passages) == (3, 13)
    assert (again.sources, again.skipped, again.passages) == (0, 3, 0)
    assert (memory.digest(), memory.counts()) == before


def test_moving_a_folder_changes_nothing(memory: Memory, tmp_path: Path) -> None:
    written(tmp_path, "one/in/chat.jsonl", messages(5))
    written(tmp_path, "two/in/chat.jsonl", messages(5))
    ingest(memory, [tmp_path / "one" / "in"])
    assert ingest(memory, [tmp_path / "two" / "in"]).skipped == 1


def test_a_changed_file_is_a_new_revision_and_the_old_one_leaves_the_search(memory: Memory, tmp_path: Path) -> None:
    path = written(tmp_path, "guide.md", "# Kites\n\nA kite needs string.\n")
    ingest(memory, [path])
    written(tmp_path, "guide.md", "# Kites\n\nA kite needs wind.\n")
    assert ingest(memory, [path]).passages == 1
    with memory.reader() as reader:
        source = reader.find_source("document", "guide.md")
    assert isinstance(source, Source)
    assert source.revision == 1
    found = [ranked.passage.text for ranked in memory.recall("What does a kite need?").passages]
    assert found == ["# Kites\n\nA kite needs wind."]


def test_a_chat_that_grew_is_a_new_revision(memory: Memory, tmp_path: Path) -> None:
    path = written(tmp_path, "chat.jsonl", messages(5))
    ingest(memory, [path])
    written(tmp_path, "chat.jsonl", messages(8))
    assert ingest(memory, [path]).passages == 8
    with memory.reader() as reader:
        source = reader.find_source("conversation", "chat.jsonl")
        assert source is not None
        assert len(reader.passages_of(source.id)) == 8


def test_what_an_undone_job_wrote_is_read_again(memory: Memory, tmp_path: Path) -> None:
    path = written(tmp_path, "chat.jsonl", messages(5))
    report = ingest(memory, [path])
    assert report.job is not None
    memory.undo(report.job)
    assert ingest(memory, [path]).passages == 5


def test_an_undone_job_cannot_be_resumed(memory: Memory, tmp_path: Path) -> None:
    report = ingest(memory, [written(tmp_path, "chat.jsonl", messages(5))])
    assert report.job is not None
    memory.undo(report.job)
    with pytest.raises(JobError, match="was undone"):
        resume(memory, report.job)


def test_a_path_that_is_not_there_opens_no_job(memory: Memory, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        ingest(memory, [tmp_path / "gone"])
    assert memory.jobs() == []


def test_a_job_that_is_done_has_nothing_to_resume(memory: Memory, tmp_path: Path) -> None:
    report = ingest(memory, [written(tmp_path, "chat.jsonl", messages(5))])
    assert report.job is not None
    assert resume(memory, report.job).passages == 0


def test_progress_tells_items_bytes_and_passages(memory: Memory, tmp_path: Path) -> None:
    written(tmp_path, "in/a.jsonl", messages(600))
    written(tmp_path, "in/b.jsonl", messages(5))
    told: list[Progress] = []
    ingest(memory, [tmp_path / "in"], progress=told.append)
    assert [(step.items_done, step.passages) for step in told] == [
        (0, 256),
        (0, 512),
        (0, 600),
        (1, 600),
        (1, 605),
        (2, 605),
    ]
    assert all(step.items_total == 2 for step in told)
    assert [step.bytes_done for step in told] == sorted(step.bytes_done for step in told)
    assert told[-1].bytes_done == told[-1].bytes_total == sum(p.stat().st_size for p in (tmp_path / "in").iterdir())
    assert told[-1].seconds_left == 0
    assert told[0].passages_per_s > 0


def test_ctrl_c_finishes_the_batch_and_says_how_to_go_on(memory: Memory, tmp_path: Path) -> None:
    path = written(tmp_path, "chat.jsonl", messages(600))
    with pytest.raises(JobError, match="stopped") as caught:
        ingest(memory, [path], progress=interrupt)
    (job,) = memory.jobs()
    assert f"graphmem jobs resume {job.id[:12]}" in caught.value.hint
    assert job.state is JobState.OPEN
    assert len(texts(memory)) == 256
    assert resume(memory, job.id).passages == 344
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_half_written_source_is_completed_by_a_new_job(memory: Memory, tmp_path: Path) -> None:
    path = written(tmp_path, "chat.jsonl", messages(600))
    with pytest.raises(JobError):
        ingest(memory, [path], progress=interrupt)
    assert ingest(memory, [path]).passages == 344
    assert len(texts(memory)) == 600


def test_a_file_that_changed_between_kill_and_resume_is_read_anew(memory: Memory, tmp_path: Path) -> None:
    path = written(tmp_path, "chat.jsonl", messages(600))
    with pytest.raises(JobError):
        ingest(memory, [path], progress=interrupt)
    written(tmp_path, "chat.jsonl", messages(300, start=1000))
    (job,) = memory.jobs()
    assert resume(memory, job.id).passages == 300


def test_the_same_message_twice_under_one_ref_is_one_passage(memory: Memory, tmp_path: Path) -> None:
    row = {"text": "I saw a kite.", "id": "m1"}
    path = written(tmp_path, "chat.jsonl", jsonl(row, {"text": "So did I."}, row))
    ingest(memory, [path])
    assert texts(memory) == ["I saw a kite.", "So did I."]
    assert memory.check() == []


class FailingEmbedder(HashEmbedder):
    """Embeds one batch, then its model is gone."""

    calls = 0

    def texts(self, texts: Sequence[str], *, tokens: Sequence[bool] | None = None) -> TextVectors:
        self.calls += 1
        if self.calls > 1:
            raise ModelError("the model is gone", hint="fetch it again")
        return super().texts(texts, tokens=tokens)


def test_an_error_of_the_model_leaves_the_job_resumable_and_says_so(tmp_path: Path) -> None:
    path, store = written(tmp_path, "chat.jsonl", messages(600)), str(tmp_path / "store.db")
    with graphmem.open(store, embedder=FailingEmbedder()) as memory, pytest.raises(ModelError) as caught:
        ingest(memory, [path])
    assert caught.value.hint.startswith("fetch it again; then go on with: graphmem jobs resume ")
    with graphmem.open(store, embedder=HashEmbedder()) as memory:
        (job,) = memory.jobs()
        assert job.state is JobState.OPEN
        assert resume(memory, job.id).passages == 344


def test_a_turn_of_a_hundred_kilobytes_is_remembered_in_pieces(memory: Memory, tmp_path: Path) -> None:
    text = "".join(f"The kite number {number} flew over the harbour. " for number in range(2_200))
    report = ingest(memory, [written(tmp_path, "chat.jsonl", jsonl({"text": text, "speaker": "Ines", "id": "m1"}))])
    assert report.failed == 0
    assert report.passages > 24
    assert sum(kept.count("kite number") for kept in texts(memory)) == 2_200


class Counting(HashEmbedder):
    """Counts the calls it is asked in."""

    calls = 0

    def texts(self, texts: Sequence[str], *, tokens: Sequence[bool] | None = None) -> TextVectors:
        self.calls += 1
        return super().texts(texts, tokens=tokens)


def test_small_files_are_embedded_together_and_kept_as_if_apart(tmp_path: Path) -> None:
    for number in range(40):
        written(tmp_path, f"in/page-{number:02}.md", f"# Kite {number}\n\nInes flew kite {number}. It needs wind.\n")
    together, apart = Counting(), Counting()
    with graphmem.open(str(tmp_path / "a.db"), embedder=together) as memory:
        assert ingest(memory, [tmp_path / "in"]).sources == 40
        first = memory.recall("Who flew kite 7?").passages
        assert ingest(memory, [tmp_path / "in"]).skipped == 40
    assert together.calls == 1
    with graphmem.open(str(tmp_path / "b.db"), embedder=apart) as memory:
        for number in range(40):
            ingest(memory, [tmp_path / "in" / f"page-{number:02}.md"])
        second = memory.recall("Who flew kite 7?").passages
    assert apart.calls == 40
    assert [(one.passage.text, one.score) for one in first] == [(one.passage.text, one.score) for one in second]
