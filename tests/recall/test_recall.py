"""Recall over a small world: what is found, in which order, by which paths, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphmem.errors import DeadlineExceeded
from graphmem.recall import BALANCED, recall
from graphmem.recall.plan import without_edges
from graphmem.schema import (
    Edge,
    EdgeType,
    Entity,
    Form,
    Note,
    NoteKind,
    Passage,
    Recall,
    Source,
    Span,
    entity_id,
    note_id,
    passage_id,
    source_id,
)
from tests.recall.world import Embedder, World

KEY = b"k" * 16


def axis(*weights: float) -> np.ndarray:
    vector = np.zeros(384, np.float32)
    vector[: len(weights)] = weights
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


class Talk(World):
    """A world that turns and pages are said into."""

    def source(self, name: str, kind: str = "conversation", title: str = "") -> Source:
        source = Source(source_id(KEY, kind, name, 0), kind, name, title)
        self.add(source)
        return source

    def entity(self, name: str, kind: str = "person") -> Entity:
        entity = Entity(entity_id(KEY, name, kind), name, kind)
        self.add(entity)
        return entity

    def say(self, source: Source, text: str, vector: np.ndarray, **fields: object) -> Passage:
        ordinal = len(self.nodes_)
        id = passage_id(KEY, source.id, None, ordinal, text)
        passage = Passage(id, source.id, None, ordinal, text, **fields)  # type: ignore[arg-type]
        self.add(passage, vector)
        note = Note(note_id(KEY, "fact", [(id, 0, len(text))]), NoteKind.FACT, text, (Span(id, 0, len(text), text),))
        self.add(note, vector)
        self.join(Edge(id, EdgeType.PART, source.id))
        if passage.speaker is not None:
            self.join(Edge(id, EdgeType.SPEAKER, entity_id(KEY, passage.speaker, "person")))
        return passage

    def after(self, first: Passage, second: Passage) -> None:
        self.join(Edge(first.id, EdgeType.NEXT, second.id))

    def mention(self, passage: Passage, entity: Entity) -> None:
        self.join(Edge(passage.id, EdgeType.MENTIONS, entity.id))

    def ask(self, question: str, vector: np.ndarray, **options: object) -> Recall:
        embedder = Embedder({question: vector, question.replace("Ada", "I"): vector})
        return recall(self, self.space, question, embedder, **options)  # type: ignore[arg-type]


@pytest.fixture
def chat() -> Talk:
    world = Talk()
    world.entity("Ada")
    world.entity("Ben")
    talk = world.source("talk")
    asked = world.say(talk, "Which colour did you choose for the door?", axis(1, 0.5), speaker="Ben", form=Form.HAS_QUESTION | Form.ENDS_IN_QUESTION)  # fmt: skip  # noqa: E501
    told = world.say(talk, "Green, like the garden.", axis(0.2, 0, 1), speaker="Ada", at_us=10)
    world.after(asked, told)
    for number in range(20):
        world.say(talk, f"Filler number {number} about weather.", axis(0.2, 0, 0, *[0.0] * number, 1), speaker="Ben")
    return world


def texts(found: Recall) -> list[str]:
    return [ranked.passage.text for ranked in found.passages]


def test_the_answer_is_found_through_the_turn_that_asks(chat: Talk) -> None:
    found = chat.ask("Which colour is the door?", axis(1, 0.4))
    assert "Green, like the garden." in texts(found)[:2]
    without = chat.ask("Which colour is the door?", axis(1, 0.4), plan=without_edges(BALANCED))
    assert found.hits[0].score > 0
    scores = {ranked.passage.text: ranked.score for ranked in without.passages}
    assert scores.get("Green, like the garden.", 0.0) < next(
        ranked.score for ranked in found.passages if ranked.passage.text.startswith("Green")
    )


@pytest.mark.parametrize("plan", [BALANCED, without_edges(BALANCED)], ids=lambda plan: plan.name)
def test_the_weights_of_the_paths_sum_to_the_score(chat: Talk, plan: object) -> None:
    found = chat.ask("What colour did Ada choose in May?", axis(1, 0.4), plan=plan)
    assert found.hits
    for hit in found.hits:
        assert sum(path.weight for path in hit.paths) == pytest.approx(hit.score, abs=1e-9)
        assert hit.path
        for path in hit.paths:
            assert path.steps[-1].dst == hit.passage.id if hit.passage else False
            if len(path.steps) > 1:
                product = float(np.prod([step.weight for step in path.steps]))
                assert product == pytest.approx(path.weight, abs=1e-9)


def test_a_two_hop_note_beats_an_unlinked_one() -> None:
    world = Talk()
    rivers = world.entity("Lorn", "place")
    start = world.say(world.source("1", "document", "Mill"), "The mill stands on the Lorn.", axis(1, 0.2))
    world.mention(start, rivers)
    world.say(world.source("0", "document", "Weir"), "The mill river has a weir.", axis(1, 0.3))
    page = world.source("2", "document", "Lorn")
    world.join(Edge(page.id, EdgeType.TITLE, rivers.id))
    linked = world.say(page, "It rises in the hills and is short.", axis(0.3, 0, 1))
    world.mention(linked, rivers)
    unlinked = world.say(world.source("3", "document", "Tarn"), "It rises in the marsh and is short.", axis(0.3, 0, 1))
    for number in range(30):
        world.say(world.source(f"f{number}", "document"), f"Filler {number}.", axis(0.1, 0, 0, 0, *[0.0] * number, 1))
    found = world.ask("Where does the river at the mill rise?", axis(1, 0.1))
    order = texts(found)
    assert order.index(linked.text) < order.index(unlinked.text)
    hit = next(hit for hit in found.hits if hit.passage == linked)
    assert any([step.kind for step in path.steps[1:]] == ["MENTIONS", "~TITLE", "~PART"] for path in hit.paths)


def test_a_title_named_in_the_question_is_found_without_any_shared_word() -> None:
    world = Talk()
    lorn = world.entity("Lorn", "place")
    page = world.source("2", "document", "Lorn")
    world.join(Edge(page.id, EdgeType.TITLE, lorn.id))
    target = world.say(page, "It rises in the hills.", axis(0, 0, 1))
    for number in range(100):
        world.say(world.source(f"f{number}", "document"), f"Filler {number}.", axis(0.1, 0, 0, *[0.0] * number, 1))
    assert target.text not in texts(world.ask("Tell me of them", axis(1)))
    assert target.text in texts(world.ask("Tell me of Lorn", axis(1)))


def test_the_person_asked_about_ranks_above_somebody_else_with_the_same_words() -> None:
    world = Talk()
    world.entity("Ada")
    world.entity("Ben")
    talk = world.source("talk")
    world.say(talk, "I bought a red kite.", axis(1), speaker="Ben")
    world.say(talk, "I bought a red kite.", axis(1), speaker="Ada")
    found = world.ask("Which kite did Ada buy?", axis(1))
    assert found.passages[0].passage.speaker == "Ada"


def test_a_hub_costs_no_more_than_the_plan_allows_and_is_told() -> None:
    world = Talk()
    hub = world.entity("Everything", "thing")
    source = world.source("1", "document")
    for number in range(400):
        world.mention(world.say(source, f"Part {number} of it.", axis(1, number / 400)), hub)
    found = world.ask("Which part?", axis(1), plan=replace(BALANCED, edges_a_node=16))
    assert world.read_limit <= 16 * BALANCED.pool
    assert any("work cap" in remark for remark in found.degraded)


def test_a_token_budget_keeps_the_best_and_says_so(chat: Talk) -> None:
    found = chat.ask("Which colour is the door?", axis(1, 0.4), token_budget=20)
    assert 0 < len(found.passages) < 10
    assert sum(-(-len(ranked.passage.text) // 4) for ranked in found.passages) <= 20
    assert any("token budget" in remark for remark in found.degraded)


def test_a_deadline_that_is_nearly_over_leaves_spreading_out_and_says_so(chat: Talk) -> None:
    found = chat.ask("Which colour is the door?", axis(1, 0.4), deadline_s=1e-9)
    assert found.passages
    assert "deadline: no spreading over edges" in found.degraded


def test_spreading_that_runs_out_of_time_is_told_and_the_seeds_are_kept(chat: Talk) -> None:
    read = chat.neighbours

    def slow(frontier: np.ndarray, types: tuple[EdgeType, ...], *, limit: int = 512) -> object:
        if EdgeType.NEXT in types:
            raise DeadlineExceeded("too late")
        return read(frontier, types, limit=limit)

    chat.neighbours = slow  # type: ignore[method-assign, assignment]
    found = chat.ask("Which colour is the door?", axis(1, 0.4))
    assert found.passages
    assert "deadline: no spreading over edges" in found.degraded


def test_an_empty_memory_gives_an_empty_recall() -> None:
    found = Talk().ask("Is anybody there?", axis(1))
    assert (found.hits, found.passages, found.support) == ((), (), 0.0)
    assert found.degraded == ()


def test_the_same_question_gives_the_same_recall(chat: Talk) -> None:
    first, second = (chat.ask("Which colour is the door?", axis(1, 0.4)) for _ in range(2))
    assert first.hits == second.hits
    assert first.passages == second.passages


def test_support_is_higher_for_what_is_there_than_for_what_is_not(chat: Talk) -> None:
    there = chat.ask("Which colour did you choose for the door?", axis(1, 0.5)).support
    absent = chat.ask("How heavy was the violin?", axis(*[0.0] * 40, 1)).support
    assert absent < 0.2
    assert 0.6 < there <= 1.0


def test_a_month_named_in_the_question_lifts_what_was_said_in_it() -> None:
    world = Talk()
    talk = world.source("talk")
    for month, at in (("March", "2024-03-05"), ("June", "2024-06-05")):
        at_us = int(np.datetime64(at, "us").astype(np.int64))
        world.say(talk, f"We went swimming, again{'.' * len(month)}", axis(1), at_us=at_us)
    found = world.ask("Where did we go swimming in June?", axis(1))
    assert found.passages[0].passage.at_us == int(np.datetime64("2024-06-05", "us").astype(np.int64))


def test_limit_bounds_hits_and_passages(chat: Talk) -> None:
    found = chat.ask("Which colour is the door?", axis(1, 0.4), limit=3)
    assert len(found.hits) == len(found.passages) == 3
    assert len({ranked.passage.id for ranked in found.passages}) == 3
