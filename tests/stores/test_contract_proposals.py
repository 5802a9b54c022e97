"""What a model proposes, over every store: evidence is as without one, refusals are kept, jobs take all of it back."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graphmem.answer import Generator
from graphmem.answer.base import Prompt
from graphmem.construct import Asking, Caps, Proposer
from graphmem.embed import HashEmbedder
from graphmem.errors import Conflict, JobError
from graphmem.ingest import ingest
from graphmem.memory import Memory
from graphmem.schema import EdgeType, Id, ItemState, JobState, NodeKind, Note, Refusal, Report
from graphmem.stores.base import Store
from tests.construct.hostile import GARBAGE, Endless, Hanging, Raising, Saying, Telling, offers_in, passages_in
from tests.ingest.files import jsonl, written

KEY = b"k" * 32
LINES = (
    ("Ada", "I sold the crimson boat to Ines Vega on 3 May 2021. The sea was calm."),
    ("Ben", "We sailed it over to Lund. The harbour there is small."),
    ("Ada", "My sister Grace breeds ponies. She lives near Malmo."),
)


def memory_of(store: Store, name: str, generator: Generator | None = None, **caps: Any) -> Memory:
    """A memory in a space of its own, all with one key: the same content has the same ids and digest in each."""
    store.space(name, key=KEY)
    proposer = Proposer(generator, Caps(**caps)) if generator is not None else None
    return Memory(store, space=name, embedder=HashEmbedder(), proposer=proposer)


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    turns = [{"speaker": who, "text": text, "at": "2023-05-08T09:00"} for who, text in LINES]
    return written(tmp_path, "talk.jsonl", jsonl(*turns))


def refusals(memory: Memory, report: Report) -> list[Refusal]:
    with memory.reader() as reader:
        return reader.refusals(report.job, limit=10_000)


def notes(memory: Memory) -> list[Note]:
    with memory.reader() as reader:
        return [node for node in reader.page(NodeKind.NOTE, limit=1_000) if isinstance(node, Note)]


def proposed(memory: Memory) -> list[str]:
    return sorted(note.text for note in notes(memory) if note.made_by == "proposer")


def honest(text: str) -> dict[str, Any]:
    """One note, one entity, one hyperedge and one link of each passage, all borne out."""
    first, second = text.split(". ", 1)
    name = next((word.strip(".") for word in second.split() if word[0].isupper() and len(word) > 3), "")
    return {
        "notes": [{"quote": " ".join(first.split()[:4])}],
        "entities": [{"name": name}] if name else [],
        "hyperedges": [
            {
                "quote": first,
                "predicate": "tell",
                "members": [{"role": "agent", "name": "I"}, {"role": "topic", "name": first.split()[-1]}],
            }
        ],
        "links": [{"kind": "elaborates", "from": second.split(".")[0], "to": first, "reason": "same turn"}],
    }


def test_a_hostile_generator_leaves_all_as_it_is_without_one(store: Store, talk: Path) -> None:
    plain = memory_of(store, "plain")
    ingest(plain, [talk])
    every = 1 if store.url.startswith("sqlite") else 6  # a space and a job take Neo4j a second
    hostile: list[Generator] = [Saying((answer,), f"garbage {name}") for name, answer in [*GARBAGE.items()][::every]]
    hostile += [Endless("x" * 999), Endless('{"passage": 1, '), Raising(RuntimeError("no")), Raising(SystemExit(1))]
    hostile.append(Raising(OSError("gone"), ('{"passage": 1}', '{"passage": 2, "notes": [{"quote": "I was never')))
    for at, generator in enumerate(hostile):
        memory = memory_of(store, f"hostile {at}", generator)
        report = ingest(memory, [talk])
        assert memory.evidence_digest() == plain.evidence_digest(), generator.name
        assert memory.digest() == plain.digest(), generator.name
        told = refusals(memory, report)
        assert (len(told), report.accepted, report.calls) == (report.refusals, 0, 1), generator.name
        assert told, generator.name
        assert memory.job(report.job or "").state is JobState.DONE
        if every == 1:
            assert memory.check() == []


def test_a_generator_that_hangs_does_not_hold_up_the_job(store: Store, talk: Path) -> None:
    plain, hanging = memory_of(store, "plain"), Hanging()
    ingest(plain, [talk])
    memory = memory_of(store, "hanging", hanging, call_seconds=0.1)
    report = ingest(memory, [talk])
    hanging.let_go.set()
    assert memory.digest() == plain.digest()
    assert len(refusals(memory, report)) == 3


def test_an_honest_generator_adds_and_changes_no_evidence(store: Store, talk: Path) -> None:
    plain, memory = memory_of(store, "plain"), memory_of(store, "honest", Telling(honest))
    before = memory.digest()
    ingest(plain, [talk])
    report = ingest(memory, [talk])
    assert report.accepted == 10
    assert refusals(memory, report) == []
    assert proposed(memory) == ["I sold the crimson", "My sister Grace breeds", "We sailed it over"]
    assert memory.evidence_digest() == plain.evidence_digest()
    assert memory.digest() != plain.digest()
    assert {note.id for note in notes(plain)} < {note.id for note in notes(memory)}
    assert memory.check() == []
    found = memory.recall("Who breeds ponies?")
    assert found.passages[0].passage.speaker == "Ada"

    memory.undo(report.job or "")
    assert (proposed(memory), memory.digest()) == ([], before)
    assert memory.check() == []


def test_ingesting_the_same_again_costs_no_call(store: Store, talk: Path) -> None:
    telling = Telling(honest)
    memory = memory_of(store, "honest", telling)
    ingest(memory, [talk])
    digest = memory.digest()
    again = ingest(memory_of(store, "honest", telling), [talk])
    assert (len(telling.prompts), again.calls, memory.digest()) == (1, 0, digest)


def test_a_killed_job_goes_on_without_asking_twice(store: Store, tmp_path: Path) -> None:
    turns = [{"speaker": "Ada", "text": f"I saw kite {n} today. It flew."} for n in range(300)]
    long = written(tmp_path, "kites.jsonl", jsonl(*turns))
    telling = Telling(lambda text: {"notes": [{"quote": " ".join(text.split()[:4])}]})
    memory = memory_of(store, "killed", telling)

    def kill(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(memory, [long], progress=kill)
    asked = len(telling.prompts)
    (job,) = memory.jobs()
    assert job.spec["proposer"] == "telling"
    ingest(memory, resume=job.id)
    assert asked == 22
    assert len(telling.prompts) == 22 + 4
    assert len(proposed(memory)) == 300
    assert [item.state for item in memory.items(job.id)] == [ItemState.DONE]


def test_ctrl_c_while_a_model_is_asked_ends_after_the_call_and_the_job_can_go_on(store: Store, tmp_path: Path) -> None:
    turns = [{"speaker": "Ada", "text": f"I saw kite {n} today. It flew."} for n in range(40)]
    kites = written(tmp_path, "kites.jsonl", jsonl(*turns))
    pressed = list[int]()

    def note_of(text: str) -> dict[str, Any]:
        if not pressed:
            pressed.append(1)
            os.kill(os.getpid(), signal.SIGINT)
        return {"notes": [{"quote": " ".join(text.split()[:4])}]}

    telling = Telling(note_of)
    memory = memory_of(store, "stopped", telling)
    with pytest.raises(JobError, match="stopped after 0 of 1 inputs"):
        ingest(memory, [kites])
    assert (len(telling.prompts), memory.counts()["note"]) == (1, 0)
    (job,) = memory.jobs()
    assert ingest(memory, resume=job.id).accepted == 40
    assert len(telling.prompts) == 4  # the first reply was kept


# -- what is forgotten


class Parrot:
    """Tells of each passage what the others say, in every field there is."""

    name = "parrot"

    def stream(self, prompt: Prompt, *, deadline_s: float | None) -> Iterator[str]:  # noqa: ARG002
        shown = passages_in(prompt)
        others = [text.split(".")[0] for text in (*shown.values(), *offers_in(prompt).values())]
        for number, text in shown.items():
            yield json.dumps({"passage": number, **parroted(text, others), others[0]: 1}) + f"\n{{{others[0]}"


def parroted(text: str, others: list[str]) -> dict[str, Any]:
    mine = text.split(".", maxsplit=1)[0]
    rows: dict[str, list[Any]] = {"notes": [5, *others], "entities": [], "hyperedges": [], "links": []}
    for other in others:
        told = {"quote": mine, "text": f"{mine} {other}", "keywords": [other[:40]], "kind": other[:20]}
        rows["notes"] += [{"quote": other}, told, {**told, "kind": "fact"}, {"quote": mine, "tags": [other[:20]]}]
        rows["entities"] += [{"name": word, "type": "thing"} for word in other.split()]
        rows["entities"] += [{"name": mine.split()[-1], "type": word} for word in other.split()[-2:]]
        members = [{"role": "agent", "name": "I"}, {"role": "topic", "name": mine.split()[-1]}]
        hyperedge = {"quote": mine, "predicate": other[:40], "members": members, "time": other[:40]}
        rows["hyperedges"] += [hyperedge, {**hyperedge, "time": None}, {**hyperedge, "predicate": "tell"}]
        link = {"kind": "causes", "from": mine, "to": text.rsplit(". ", maxsplit=1)[-1], "reason": other}
        rows["links"] += [link, {**link, "kind": other[:20]}, {**link, "to": other}]
    return rows


def test_nothing_of_a_forgotten_passage_stays_in_what_was_proposed_or_refused(
    store: Store, talk: Path, tmp_path: Path
) -> None:
    memory = memory_of(store, "parrot", Parrot())
    ingest(memory, [talk])
    memory.remember("My lamp is broken. It was a present.", speaker="Cy", at="2023-05-09")
    with memory.reader() as reader:
        assert reader.refusals()
        sold = reader.passages_of(reader.find_source("conversation", "talk.jsonl").id)[0]  # type: ignore[union-attr]
    memory.forget(sold)
    with memory.reader() as reader:
        kept = json.dumps([[refusal.reason, refusal.proposal] for refusal in reader.refusals(limit=10_000)])
    kept += " ".join(f"{note.text} {note.context} {note.keywords}" for note in notes(memory))
    assert {note.made_by for note in notes(memory)} == {"rules", "proposer"}
    for word in ("sold", "crimson", "boat", "Ines", "Vega"):
        assert word not in kept, word
    if store.url.startswith("sqlite"):
        for file in tmp_path.glob("store.db*"):
            held = file.read_bytes().lower()
            for word in (b"crimson", b"boat", b"ines vega"):
                assert word not in held, (file.name, word)


def test_the_question_before_goes_from_the_context_of_a_proposed_note_too(store: Store) -> None:
    memory = memory_of(store, "asked", Telling(lambda text: {"notes": [{"quote": " ".join(text.split()[:3])}]}))
    memory.remember("Where is the crimson boat?", speaker="Ada", session="s", at="2023-05-08")
    memory.remember("It lies in Lund. The harbour is small.", speaker="Ben", session="s", at="2023-05-08")
    asked = memory.recall("crimson boat").passages[0].passage.id
    (context,) = [note.context for note in notes(memory) if note.text == "It lies in"]
    assert "crimson boat" in context
    memory.forget(asked)
    assert [note.text for note in notes(memory) if note.made_by == "proposer"] == ["It lies in"]
    assert not any("crimson" in note.context for note in notes(memory))


def test_kept_replies_go_when_something_is_forgotten(store: Store) -> None:
    telling = Telling(lambda text: {"notes": [{"quote": text[:8]}]})
    memory = memory_of(store, "kept", telling)
    memory.remember("The gate is blue. It creaks.", ref="1", at="2023-05-09")
    id = memory.recall("gate").passages[0].passage.id
    memory.forget(id)
    assert memory.proposer is not None
    assert not memory.proposer._kept


# -- links to what was there before


class Linking:
    """Links the first sentence to each old note that it is offered; does something else meanwhile."""

    name = "linking"

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile = meanwhile
        self.offers: list[str] = []

    def stream(self, prompt: Prompt, *, deadline_s: float | None) -> Iterator[str]:  # noqa: ARG002
        self.offers = list(offers_in(prompt).values())
        self.meanwhile()
        links = [
            {"kind": "elaborates", "from": text.split(".")[0], "to": number, "reason": "the same boat"}
            for text in passages_in(prompt).values()
            for number in range(1, len(self.offers) + 2)
        ]
        yield json.dumps({"passage": 1, "links": links})


def links(memory: Memory) -> list[Id]:
    with memory.reader() as reader:
        ids = [note.id for note in notes(memory)]
        return [edge.dst for edge in reader.edges(ids, [EdgeType.ELABORATES], out_only=True)]


def test_links_lead_to_old_notes_that_were_offered_and_are_still_there(store: Store, talk: Path) -> None:
    ingest(memory_of(store, "linked"), [talk])
    linking = Linking(lambda: None)
    memory = memory_of(store, "linked", linking)
    report = memory.remember("The boat leaks.", speaker="Ines Vega", at="2023-05-10")
    assert linking.offers[0] == LINES[0][1].split(". ", maxsplit=1)[0] + "."
    assert len(links(memory)) == len(linking.offers) == report.accepted
    assert report.refusals == 1  # the number beyond those that were offered

    def forget_all() -> None:
        with memory.reader() as reader:
            source = reader.find_source("conversation", "talk.jsonl")
        assert source is not None
        memory.store.forget(memory.space, [source.id])

    linking.meanwhile = forget_all
    late = memory.remember("The crimson boat leaks again.", speaker="Ines Vega", at="2023-05-11")
    assert late.passages == 1
    with memory.reader() as reader:
        assert any(refusal.reason == "link: its old note is gone" for refusal in reader.refusals())
    assert memory.check() == []


def test_a_batch_that_meets_a_conflict_asks_once_and_counts_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    telling = Telling(lambda text: {"notes": [{"quote": text[:8]}]})
    memory = memory_of(store, "conflict", telling)
    write, failed = store.write, list[int]()

    def conflicting(*given: Any) -> Any:
        if len(failed) < 2:
            failed.append(1)
            raise Conflict("another writer came between")
        return write(*given)

    monkeypatch.setattr(store, "write", conflicting)
    report = memory.remember("The gate is blue. It creaks.", at="2023-05-09")
    assert (len(failed), len(telling.prompts), report.calls, report.accepted) == (2, 1, 1, 1)


def test_asking_needs_no_store() -> None:
    assert Asking().near("anything") == ()
