"""Episodes (HiMem): boundaries from vectors, notes for what lies between them, stable as the talk goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphmem
from graphmem.embed import HashEmbedder
from graphmem.memory import Memory
from graphmem.organize import Organizer
from graphmem.organize.boundaries import OPENINGS, PARTINGS, Rule, cuts, signals
from graphmem.organize.episodes import Episodes
from graphmem.schema import Id, NodeKind, Note, NoteKind, Passage, PassageDraft, SourceDraft
from graphmem.stores.base import Store
from tests.organize import talk
from tests.stores.conftest import store  # noqa: F401

EPISODES = Organizer("EPISODES", (Episodes(),))
CUES = tuple(np.asarray(HashEmbedder().texts(list(told)).vectors, np.float32) for told in (OPENINGS, PARTINGS))


def meeting(number: int) -> list[PassageDraft]:
    """Two people meet, talk of one theme in nine turns, and part."""
    theme = list(talk.THEMES["Ada"])[number % 3]
    texts = ["Hello! How are you? Good to see you again."]
    texts += [talk.said("Ada", theme, number + i) for i in range(9)]
    texts.append("Bye, take care! See you later, talk to you soon.")
    return [
        PassageDraft(text, f"{number} {i}", ("Ada", "Ben")[i % 2], number * talk.DAY_US, 0)
        for i, text in enumerate(texts)
    ]


def remember(memory: Memory, *numbers: int) -> None:
    for number in numbers:
        memory.remember_many(meeting(number), source=SourceDraft("conversation", "talk"))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with graphmem.open(str(tmp_path / "talk.db"), embedder=HashEmbedder()) as memory:
        yield memory


def episodes(memory: Memory) -> dict[Id, Note]:
    with memory.reader() as reader:
        page = reader.page(NodeKind.NOTE, limit=10_000)
    return {node.id: node for node in page if isinstance(node, Note) and node.kind is NoteKind.SUMMARY}


def begins(memory: Memory) -> set[str]:
    """The outside ids of the turns that episodes begin with."""
    subjects = [note.subject or "" for note in episodes(memory).values()]
    with memory.reader() as reader:
        return {node.ref or "" for node in reader.get(subjects).values() if isinstance(node, Passage)}


def test_himem_episodes_begin_where_people_meet_and_another_theme_comes(store: Store) -> None:  # noqa: F811
    memory = Memory(store, embedder=HashEmbedder())
    remember(memory, 0, 1, 2, 3)
    evidence = memory.evidence_digest()
    assert memory.organize(organizer=EPISODES).steps["episodes"].notes == 4
    assert begins(memory) == {"0 0", "1 0", "2 0", "3 0"}
    digest = memory.digest()
    assert memory.organize(organizer=EPISODES).changes == 0
    assert (memory.digest(), memory.evidence_digest(), memory.check()) == (digest, evidence, [])


def test_earlier_episodes_stay_what_they_were_when_the_talk_goes_on(memory: Memory) -> None:
    """Their keywords alone follow those of their notes, which evolve with later links."""
    remember(memory, 0, 1)
    memory.organize(organizer=EPISODES)
    before = {id: note.parents for id, note in episodes(memory).items()}
    remember(memory, 2, 3, 4)
    memory.organize(organizer=EPISODES)
    after = {id: note.parents for id, note in episodes(memory).items()}
    assert before.items() <= after.items()
    assert len(after) == 5


def test_the_last_episode_grows_with_its_talk(memory: Memory) -> None:
    first = meeting(0)
    memory.remember_many(first[:7], source=SourceDraft("conversation", "talk"))
    memory.organize(organizer=EPISODES)
    ((id, before),) = episodes(memory).items()
    memory.remember_many(first[7:], source=SourceDraft("conversation", "talk"))
    assert memory.organize(organizer=EPISODES).steps["episodes"].changed == 1
    after = episodes(memory)[id]
    assert set(before.parents) < set(after.parents)
    assert (after.version, after.subject) == (2, before.subject)


def test_growing_step_by_step_ends_like_all_at_once(tmp_path: Path) -> None:
    told = []
    for name, parts in (("one", [range(6)]), ("many", [range(1), range(1, 2), range(2, 5), range(5, 6)])):
        with graphmem.open(str(tmp_path / f"{name}.db"), embedder=HashEmbedder()) as memory:
            for numbers in parts:
                remember(memory, *numbers)
                memory.organize(organizer=EPISODES)
            told.append((begins(memory), sorted(note.text for note in episodes(memory).values())))
    assert told[0] == told[1]


def test_short_sections_are_episodes_already_and_long_ones_are_cut(memory: Memory) -> None:
    talk.remember(memory, talk.turns(range(3)))
    assert memory.organize(organizer=EPISODES).changes == 0
    long = [talk.turn(f"{draft.text} {n}", f"long {n}", "Ada", 9) for n, draft in enumerate(talk.turns(range(20)))]
    talk.remember(memory, long)
    memory.organize(organizer=EPISODES)
    assert len(episodes(memory)) >= len(long) // Rule().longest


def test_documents_have_no_episodes(memory: Memory) -> None:
    drafts = [PassageDraft(draft.text, draft.ref) for draft in talk.turns()]
    memory.remember_many(drafts, source=SourceDraft("document", "a book", digest="ab"))
    assert memory.organize(organizer=EPISODES).changes == 0


def test_forgetting_a_turn_takes_its_episode_which_is_made_anew_without_it(memory: Memory) -> None:
    remember(memory, 0, 1, 2)
    memory.organize(organizer=EPISODES)
    before = episodes(memory)
    gone = talk.said("Ada", "sailing", 5)
    hit = next(hit for hit in memory.recall(gone).hits if hit.note.text == gone)
    assert hit.passage is not None
    memory.forget(hit.passage.id)
    assert len(episodes(memory)) == 2
    memory.organize(organizer=EPISODES)
    after = episodes(memory)
    assert after.keys() == before.keys()
    assert sum(after[id].parents != before[id].parents for id in after) == 1
    assert memory.organize(organizer=EPISODES).changes == 0


def test_episodes_of_a_superseded_conversation_go(memory: Memory) -> None:
    for digest, numbers in (("a", (0, 1)), ("b", (2, 1))):
        drafts = [draft for number in numbers for draft in meeting(number)]
        memory.remember_many(drafts, source=SourceDraft("conversation", "export", digest=digest))
        memory.organize(organizer=EPISODES)
    assert begins(memory) == {"2 0", "1 0"}
    assert len(episodes(memory)) == 2


def test_undoing_the_job_takes_episodes_back(memory: Memory) -> None:
    remember(memory, 0, 1)
    before = memory.digest()
    done = memory.organize(organizer=EPISODES)
    assert done.job is not None
    memory.undo(done.job)
    assert memory.digest() == before


def test_a_dry_run_says_who_talked_and_how_long(memory: Memory) -> None:
    remember(memory, 0, 1)
    told = memory.organize(organizer=EPISODES, dry_run=True).steps["episodes"].told
    assert told == ["episode: Ada, Ben, 1 January 1970 — 11 turns", "episode: Ada, Ben, 2 January 1970 — 11 turns"]


def scores(vectors: npt.NDArray[np.float32], rule: Rule) -> npt.NDArray[np.float32]:
    return signals(vectors, CUES[0], CUES[1], rule).scores(rule)


@given(st.integers(0, 2**32), st.integers(1, 150), st.integers(1, 150), st.floats(0.5, 2.5))
@settings(max_examples=40, deadline=None)
def test_what_was_decided_stays_whatever_is_said_later(seed: int, some: int, more: int, threshold: float) -> None:
    rule = Rule(threshold=threshold)
    rows = np.random.default_rng(seed).standard_normal((some + more, 384)).astype(np.float32)
    vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    early, late = cuts(scores(vectors[:some], rule), 0, rule), cuts(scores(vectors, rule), 0, rule)
    assert late[: len(early)] == early
    starts = [0, *late]
    assert all(rule.gap < b - a <= rule.longest for a, b in zip(starts, late, strict=False))
    again = early[-1] if early else 0
    assert cuts(scores(vectors, rule), again, rule) == late[len(early) :]
