"""Scenes and personas (Bi-Mem, AdaMem): built upwards, corrected downwards, ids kept, evidence untouched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import graphmem
from graphmem.embed import HashEmbedder
from graphmem.memory import Memory
from graphmem.organize import Organizer, Piece, View, eras, organize
from graphmem.organize.clusters import Gathering
from graphmem.organize.scenes import Scenes, kept
from graphmem.organize.voices import Voice, voice
from graphmem.schema import EdgeType, Entity, Id, NodeKind, Note, NoteKind
from graphmem.stores.base import Store
from tests.organize import talk
from tests.stores.conftest import store  # noqa: F401

SCENES = Organizer("SCENES", (Scenes(),))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with graphmem.open(str(tmp_path / "talk.db"), embedder=HashEmbedder()) as memory:
        talk.remember(memory, talk.turns())
        yield memory


def derived(memory: Memory, kind: NoteKind) -> list[Note]:
    with memory.reader() as reader:
        page = reader.page(NodeKind.NOTE, limit=10_000)
    return [node for node in page if isinstance(node, Note) and node.kind is kind]


def texts(memory: Memory, note: Note) -> set[str]:
    with memory.reader() as reader:
        return {node.text for node in reader.get(note.parents).values() if isinstance(node, Note)}


def persona(memory: Memory, name: str) -> Note:
    with memory.reader() as reader:
        people = {node.id: node.name for node in reader.page(NodeKind.ENTITY, limit=100) if isinstance(node, Entity)}
    return next(note for note in derived(memory, NoteKind.PERSONA) if people[note.subject or ""] == name)


def themes_of(memory: Memory, note: Note) -> set[str]:
    """The themes that a note's parents are on."""
    told = texts(memory, note)
    themes = {theme: words for of in talk.THEMES.values() for theme, words in of.items()}
    return {theme for theme, words in themes.items() if any(all(word in text for word in words) for text in told)}


def test_bi_mem_facts_gather_in_scenes_and_scenes_in_a_persona(store: Store) -> None:  # noqa: F811
    memory = Memory(store, embedder=HashEmbedder())
    talk.remember(memory, talk.turns())
    evidence = memory.evidence_digest()
    first = memory.organize(organizer=SCENES)
    assert first.steps["scenes"].notes == 8
    themes = {(speaker, theme) for speaker, of in talk.THEMES.items() for theme in of}
    found = {frozenset(texts(memory, scene)) for scene in derived(memory, NoteKind.SCENE)}
    assert found == {frozenset(talk.said(*theme, number) for number in range(12)) for theme in themes}
    assert themes_of(memory, persona(memory, "Ada")) == set(talk.THEMES["Ada"])
    digest = memory.digest()
    assert memory.organize(organizer=SCENES).changes == 0
    assert (memory.digest(), memory.evidence_digest(), memory.check()) == (digest, evidence, [])


def test_recall_tells_scenes_and_personas(memory: Memory) -> None:
    memory.organize(organizer=SCENES)
    found = memory.recall("Who glazed clay bowls in the kiln?").derived
    assert {hit.note.kind for hit in found} == {NoteKind.SCENE, NoteKind.PERSONA}
    assert found[0].note.kind is NoteKind.SCENE
    assert found[0].note.text.startswith("Ada: ")


def test_a_dry_run_says_in_words_what_there_would_be(memory: Memory) -> None:
    digest = memory.digest()
    told = memory.organize(organizer=SCENES, dry_run=True).steps["scenes"].told
    assert len(told) == 8
    assert all(line.startswith(("scene: Ada's ", "scene: Ben's ", "persona: Ada", "persona: Ben")) for line in told)
    assert sum(line.endswith("12 notes") for line in told) == 6
    assert memory.digest() == digest


def test_a_scene_keeps_its_id_as_it_grows_and_others_stay_as_they_are(memory: Memory) -> None:
    memory.organize(organizer=SCENES)
    before = {note.id: note for note in derived(memory, NoteKind.SCENE)}
    talk.remember(memory, talk.turns([4])[:6])
    done = memory.organize(organizer=SCENES)
    after = {note.id: note for note in derived(memory, NoteKind.SCENE)}
    assert after.keys() == before.keys()
    grown = [id for id in after if after[id] != before[id]]
    assert [len(after[id].parents) - len(before[id].parents) for id in grown] == [3, 3]
    assert done.steps["scenes"].notes == 0


def test_ids_go_with_the_best_overlap_and_need_half_of_the_scene() -> None:
    old: dict[Id, frozenset[Id]] = {"a": frozenset("1234"), "b": frozenset("56")}
    assert kept([frozenset("123"), frozenset("4"), frozenset("567")], old) == {0: "a", 2: "b"}
    assert kept([frozenset("1256"), frozenset("34")], old) == {0: "b", 1: "a"}
    assert kept([frozenset("189"), frozenset("78")], old) == {}


def test_forgetting_a_passage_takes_it_out_of_scenes_and_the_persona(memory: Memory) -> None:
    memory.organize(organizer=SCENES)
    gone = talk.said("Ada", "garden", 3)
    hit = next(hit for hit in memory.recall(gone).hits if hit.note.text == gone)
    assert hit.passage is not None
    memory.forget(hit.passage.id)
    assert len(derived(memory, NoteKind.SCENE)) == 5
    memory.organize(organizer=SCENES)
    scenes = derived(memory, NoteKind.SCENE)
    assert sorted(len(scene.parents) for scene in scenes) == [11, 12, 12, 12, 12, 12]
    assert all(gone not in texts(memory, note) for note in (*scenes, persona(memory, "Ada")))
    digest = memory.digest()
    assert memory.organize(organizer=SCENES).changes == 0
    assert (memory.digest(), memory.check()) == (digest, [])


def test_undoing_the_job_takes_scenes_and_personas_back(memory: Memory) -> None:
    before = memory.digest()
    done = memory.organize(organizer=SCENES)
    assert done.job is not None
    memory.undo(done.job)
    assert memory.digest() == before
    assert memory.organize(organizer=SCENES).changes == 8


@dataclass(frozen=True, slots=True)
class Killed:
    """The step, up to its third piece."""

    name: str = "scenes"

    def pieces(self, view: View) -> Iterator[Piece]:
        for count, piece in enumerate(Scenes().pieces(view)):
            if count == 2:
                raise RuntimeError("killed here")
            yield piece


def test_a_run_that_was_killed_ends_like_an_undisturbed_one(tmp_path: Path, memory: Memory) -> None:
    memory.close()
    shutil.copy(tmp_path / "talk.db", tmp_path / "other.db")
    with graphmem.open(str(tmp_path / "talk.db"), embedder=HashEmbedder()) as undisturbed:
        undisturbed.organize(organizer=SCENES)
        digest = undisturbed.digest()
    with graphmem.open(str(tmp_path / "other.db"), embedder=HashEmbedder()) as killed:
        with pytest.raises(RuntimeError, match="killed here"):
            killed.organize(organizer=Organizer("SCENES", (Killed(),)))
        assert killed.digest() != digest
        killed.organize(organizer=SCENES, resume=killed.jobs()[0].id)
        assert killed.digest() == digest


def test_bi_mem_the_reflective_pass_keeps_noise_out_of_the_persona(tmp_path: Path) -> None:
    """Ben's statements in Ada's mouth, one a session, amid talk of other things."""
    drafts, wrong = talk.turns(), [talk.said("Ben", "baking", 3 * session) for session in range(talk.SESSIONS)]
    for session, text in enumerate(wrong):
        drafts.insert(19 * session + 16, talk.turn(text, f"wrong {session}", "Ada", session))
    with graphmem.open(str(tmp_path / "noisy.db"), embedder=HashEmbedder()) as memory:
        talk.remember(memory, drafts)
        memory.organize(organizer=Organizer("UPWARDS", (Scenes(reflects=False),)))
        assert texts(memory, persona(memory, "Ada")) & set(wrong)
        memory.organize(organizer=SCENES)
        ada, ben = persona(memory, "Ada"), persona(memory, "Ben")
        assert not texts(memory, ada) & set(wrong)
        hers = [note for note in derived(memory, NoteKind.SCENE) if note.subject == ada.subject]
        assert not any(texts(memory, note) & set(wrong) for note in hers)
        assert themes_of(memory, ben) == set(talk.THEMES["Ben"])


def test_only_the_era_of_what_is_new_is_looked_at_and_the_persona_speaks_for_all(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphmem.organize.eras.SPAN", 128)
    monkeypatch.setattr("graphmem.organize.personas.SPAN", 128)
    talk.remember(memory, talk.turns(range(4, 12)))
    memory.organize(organizer=SCENES)
    digest = memory.digest()
    assert memory.organize(organizer=SCENES).changes == 0
    with memory.reader() as reader:
        told = list(eras.eras(reader))
        numbers = reader.numbers(persona(memory, "Ada").parents)
        since = reader.seq
    assert len(told) > 2
    assert len(set((numbers // 128).tolist())) > 1
    talk.remember(memory, [talk.turn(talk.said("Ada", "sailing", 9), "more", "Ada", 12)])
    view = View(memory.store, memory.space, memory.embedder, 0, since)
    assert [index for index, _ in Scenes()._dirty(view)] == [told[-1]]
    assert memory.digest() != digest


def test_a_scene_that_something_else_was_made_from_stays(memory: Memory) -> None:
    memory.organize(organizer=SCENES)
    scene = derived(memory, NoteKind.SCENE)[0]
    other = Note("ab" * 16, NoteKind.OBSERVATION, "Made from a scene.", parents=(scene.id,))
    memory.store.write(memory.space, graphmem.schema.Batch(nodes=(other,)))
    apart = replace(Scenes(), gathering=Gathering(least=20))
    organize(View(memory.store, memory.space, memory.embedder, 0), organizer=Organizer("APART", (apart,)))
    assert [note.id for note in derived(memory, NoteKind.SCENE)] == [scene.id]
    assert derived(memory, NoteKind.PERSONA) == []


def test_a_scene_is_bounded_and_its_parents_are_facts_of_its_subject(memory: Memory) -> None:
    talk.remember(memory, talk.turns(range(4, 30)))
    memory.organize(organizer=SCENES)
    with memory.reader() as reader:
        for scene in derived(memory, NoteKind.SCENE):
            numbers = reader.numbers(scene.parents)
            speakers = {node.id for node in reader.nodes(reader.heads(numbers).speaker)}
            assert speakers == {scene.subject}
            assert len(scene.parents) <= Gathering().most
            edges = reader.edges([scene.id], [EdgeType.DERIVED], out_only=True)
            assert {edge.dst for edge in edges} == set(scene.parents)
            assert len(scene.text) < 600


@pytest.mark.parametrize(
    ("sentence", "whose"),
    [
        ("I paint when my kids sleep.", Voice.SELF),
        ("We're moving, and our dog knows.", Voice.SELF),
        ("Your kind words mean a lot!", Voice.OTHER),
        ("I'm so proud of you!", Voice.BOTH),
        ("The sky was full of stars.", Voice.NONE),
    ],
)
def test_adamem_whom_a_sentence_speaks_of(sentence: str, whose: Voice) -> None:
    assert voice(sentence) is whose
