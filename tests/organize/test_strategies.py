"""ReasoningBank, ArcMemo, PlugMem: strategies distilled from runs, at concept level, recalled by task."""

from __future__ import annotations

from typing import Any

import pytest

from graphmem.errors import InputError
from graphmem.memory import Memory
from graphmem.organize import STANDARD
from graphmem.organize.abstraction import abstract, names_in
from graphmem.organize.attempts import Told, by_goal, run_of
from graphmem.organize.contrast import Rule, rules
from graphmem.organize.wording import note_of, strategy_of, text_of
from graphmem.schema import NodeKind, Note, NoteKind, Strategy
from tests.bench.strategies import paired
from tests.organize.tasks.trial import ONLY, Outcome, held_out, streamed, trial

Step = dict[str, Any]


@pytest.fixture
def memory(hashed: Memory) -> Memory:
    return hashed


def do(action: str, seen: str = "Done.") -> Step:
    return {"action": action, "observation": seen}


def call(tool: str, seen: str, *, ok: bool = True, **arguments: object) -> Step:
    return {"tool": tool, "arguments": arguments, "observation": seen, "ok": ok}


def refunds(memory: Memory) -> None:
    """A tool-using agent learns that an order is to be looked up and its buyer verified before a refund."""
    for number, buyer in enumerate(("Ada", "Ben", "Cleo")):
        order = f"A-{10 + number}"
        refund = call("refund", "Error: the buyer is not verified.", ok=False, order=order)
        look, verify = call("lookup", "It is paid.", order=order), call("verify", "It is them.", buyer=buyer)
        task = f"Refund order {order} of {buyer}."
        memory.remember_trajectory(task, [look, refund], "failure", id=f"lost {number}")
        memory.remember_trajectory(
            task, [refund, look, verify, {**refund, "observation": "Paid back.", "ok": True}], True
        )


def strategy(found: tuple[Strategy, ...], goal: str) -> Strategy:
    return next(told for told in found if told.goal == goal)


# -- ArcMemo: concepts, not instances


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("Open the vent of the Arbo furnace.", "open the vent of the furnace"),
        ("press button 7 twice", "press button twice"),
        ("take 12 apples", "take apples"),
        ("mail Ada Lovelace the report", "mail <person> the report"),
        ("fly to Zurich", "fly to <name>"),
        ('search with query "graph memory", limit 5', "search with query <text>, limit"),
        ("read https://example.org/a?b=1", "read <address>"),
        ("edit src/main.py", "edit <path>"),
        ("Arbo runs", "<name> runs"),
    ],
)
def test_arcmemo_names_become_the_concept_or_the_role_they_stand_for(text: str, concept: str) -> None:
    names = names_in(["Start the Arbo furnace.", "It is in Zurich."])
    assert abstract(text, names, {"ada lovelace": "person"}) == concept


def test_arcmemo_a_strategy_holds_for_objects_that_no_run_had_and_is_composed_of_others(memory: Memory) -> None:
    for kind in ("kiln", "loom", "press"):
        for number, name in enumerate(("Arbo", "Kelmi")):
            called = f"the {name} {kind}"
            wipe, start = do(f"wipe {called}"), f"start {called}"
            early = do(start, "It does not start.")
            memory.remember_trajectory(
                f"Start {called}.", [early], False, situation=f"{called[4:]} is wet.", id=f"{kind} {number} a"
            )
            steps = [early, do(f"fetch a cloth for {called}"), wipe, do(start, "It runs.")]
            memory.remember_trajectory(
                f"Start {called}.", steps, True, situation=f"{called[4:]} is wet.", id=f"{kind} {number} b"
            )
    memory.organize()
    told = memory.strategies("Start the Zalu crane. The Zalu crane is wet.")
    assert "wipe the thing" in strategy(told, "start the thing").steps
    kiln = strategy(memory.strategies("Start the Vento kiln."), "start the kiln")
    assert kiln.steps == ("fetch a cloth for the kiln", "wipe the kiln")
    assert "Arbo" not in kiln.note.text


def test_arcmemo_what_a_step_needs_in_turn_comes_with_it(anywhere: Memory) -> None:
    for number in range(3):
        door, chest = do("open the door", "It is locked."), do("open the chest", "Nothing happens.")
        steps = [chest, door, do("take the key"), do("open the door"), do("enter the room"), do("open the chest")]
        anywhere.remember_trajectory("Open the chest.", steps, True, id=f"won {number}")
        anywhere.remember_trajectory("Open the chest.", [chest, door], False, id=f"lost {number}")
    anywhere.organize()
    told = anywhere.strategies("Open the chest.")
    assert told[0].goal == "open the chest"
    assert told[0].steps[0] == "take the key"
    assert strategy(told, "open the door").steps == ("take the key",)


# -- ReasoningBank: successes and failures contrasted


def test_reasoningbank_a_tool_using_agent_learns_what_comes_first_from_both_outcomes(memory: Memory) -> None:
    evidence = memory.evidence_digest()
    refunds(memory)
    learnt = memory.evidence_digest()
    first = memory.organize(organizer=ONLY)
    assert first.steps["strategies"].notes > 0
    assert (memory.evidence_digest() == learnt) and learnt != evidence
    told = strategy(memory.strategies("Refund order B-99 of Dora."), "refund with order <text>")
    assert "verify with buyer <text>" in told.steps
    assert told.because == "error: the buyer is not verified"
    assert told.note.kind is NoteKind.STRATEGY
    assert told.wins >= 6 > told.losses
    assert memory.check() == []


def test_reasoningbank_a_strategy_names_the_steps_it_comes_from_and_goes_with_them(memory: Memory) -> None:
    refunds(memory)
    memory.organize(organizer=ONLY)
    told = memory.strategies("Refund order B-99.")[0]
    with memory.reader() as reader:
        parents = reader.get(told.note.parents)
    assert parents and all(isinstance(note, Note) and note.spans for note in parents.values())
    memory.forget(next(iter(parents)))
    with memory.reader() as reader:
        assert told.note.id not in reader.get([told.note.id])


def test_a_second_run_changes_nothing_and_new_evidence_makes_a_new_version(anywhere: Memory) -> None:
    refunds(anywhere)
    anywhere.organize(organizer=ONLY)
    digest, before = anywhere.digest(), anywhere.strategies("Refund order B-99.")[0]
    assert anywhere.organize(organizer=ONLY).changes == 0
    assert anywhere.digest() == digest
    paid = call("refund", "Paid back.", order="C-1")
    anywhere.remember_trajectory("Refund order C-1 of Emil.", [call("verify", "Yes.", buyer="Emil"), paid], "success")
    anywhere.organize(organizer=ONLY)
    after = anywhere.get(before.note.id)
    assert isinstance(after, Note)
    assert after.version == before.note.version + 1
    assert anywhere.history(after.id)[-1][0].cause == "organize:strategies"
    assert anywhere.check() == []


def test_a_strategy_that_the_evidence_no_longer_bears_is_taken_back(anywhere: Memory) -> None:
    steps = [do("ring the bell"), do("open the gate")]
    lost = anywhere.remember_trajectory("Open the gate.", [do("open the gate", "It is locked.")], False)
    anywhere.remember_trajectory("Open the gate.", steps, True)
    anywhere.organize(organizer=ONLY)
    assert anywhere.strategies("Open the gate.")
    anywhere.remember_trajectory("Open the gate.", steps[1:], True)  # without the bell, and nothing is left in common
    anywhere.organize(organizer=ONLY)
    assert all(told.steps == () for told in anywhere.strategies("Open the gate."))
    assert lost.passages == 2
    assert anywhere.check() == []


def test_a_run_that_was_written_anew_counts_once_and_use_lifts_a_strategy(memory: Memory) -> None:
    refunds(memory)
    memory.organize(organizer=ONLY)
    before = memory.strategies("Refund order B-99.")[0]
    refund = call("refund", "Error: the buyer is blocked.", ok=False, order="A-10")
    memory.remember_trajectory("Refund order A-10 of Ada.", [refund], "failure", id="lost 0")
    memory.organize(organizer=ONLY)
    after = memory.strategies("Refund order B-99.")[0]
    assert (after.wins, after.losses) == (before.wins, before.losses)
    memory.feedback(after.note.id, now="2026-05-01")
    assert memory.strategies("Refund order B-99.", now="2026-05-02")[0].score > after.score


def test_strategies_are_told_beside_the_evidence_of_a_recall(memory: Memory) -> None:
    refunds(memory)
    memory.organize(organizer=ONLY)
    found = memory.recall("refund order buyer verify")
    assert NoteKind.STRATEGY in {hit.note.kind for hit in found.derived}
    assert all(hit.passage is not None for hit in found.hits)


def test_no_strategy_is_an_empty_answer_and_a_blank_task_an_error(memory: Memory) -> None:
    memory.remember("Ada waters the plants.")
    assert memory.strategies("Water the plants.") == ()
    assert memory.organize(organizer=ONLY).changes == 0
    with pytest.raises(InputError, match="blank"):
        memory.strategies(" ")
    with pytest.raises(InputError, match="below 1"):
        memory.strategies("x", limit=0)


def test_the_standard_organiser_distils_strategies() -> None:
    assert "strategies" in [step.name for step in STANDARD.steps]


def test_a_strategy_in_words_is_taken_apart_again() -> None:
    runs = [
        run_of("1", "Open it.", "", steps=[Told("open it", "No.", None, "p")], succeeded=False, first="f", types={}),
        run_of(
            "2", "Open it.", "", steps=[Told('turn "the" key', "Ok.", None, "q"), Told("open it", "Ok.", None, "r")],
            succeeded=True, first="f", types={},
        ),
    ]  # fmt: skip
    (rule,) = rules("open it", by_goal(runs, cap=8)["open it"])
    assert (rule.goal, rule.needed, rule.wins, rule.losses) == ("open it", ("turn <text> key",), 2, 0)
    assert rule.confidence == 3 / 4
    assert (
        text_of(rule) == 'When the goal is "open it": do "turn <text> key"; avoid "open it" before that, because "no".'
    )
    told = strategy_of(note_of(rule, b"k" * 16, ("0" * 32,)))
    assert told is not None
    assert (told.goal, told.where, told.steps, told.avoid, told.because) == ("open it", "", rule.needed, (), "no")
    assert (told.wins, told.losses) == (2, 0)
    hatch = Rule("open it", "wet", ("dry it", "wait"), ("kick it", "burn it"), "it breaks", 5, 1, rule.shown)
    told = strategy_of(note_of(hatch, b"k" * 16, ("0" * 32,)))
    assert told is not None
    assert (told.where, told.steps, told.avoid) == ("wet", hatch.needed, hatch.avoid)
    assert (told.wins, told.losses) == (5, 1)


# -- an agent on a stream of tasks


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[Outcome]]:
    """A short stream on two seeds; `SECTION=strategies make bench` has the long one."""
    return {
        how: [trial(how, seed, stream=streamed(seed, 45), test=held_out(seed, 15)) for seed in (11, 12)]
        for how in ("off", "raw", "strategies")
    }


@pytest.mark.parametrize("other", ["off", "raw"])
def test_reasoningbank_an_agent_with_strategies_improves_over_its_stream(
    outcomes: dict[str, list[Outcome]], other: str
) -> None:
    streams = [outcome.stream for outcome in outcomes["strategies"]]
    assert sum(sum(stream[-15:]) for stream in streams) > sum(sum(stream[:15]) for stream in streams)
    _, low, _ = paired(outcomes["strategies"], outcomes[other], "held_out")
    assert low > 0


def test_the_trial_is_the_same_each_time() -> None:
    first, again = (trial("strategies", 3, stream=streamed(3, 8), test=held_out(3, 3)) for _ in range(2))
    assert first == again


# -- PlugMem: one memory, two agents


def test_plugmem_a_chat_agent_and_a_tool_using_agent_share_a_memory_unchanged(memory: Memory) -> None:
    memory.remember("Dora bought the blue lamp with order B-99.", speaker="Ada", at="2026-03-01")
    refunds(memory)
    memory.organize(organizer=ONLY)
    digest = memory.digest()

    def chat(question: str) -> str:
        """Propositional: asks for facts."""
        return memory.answer(question).text

    def tools(task: str) -> list[str]:
        """Prescriptive: asks what to do, and gets the same facts to do it with."""
        plan = strategy(memory.strategies(task), "refund with order <text>")
        order = memory.recall("Which order is the blue lamp?").passages[0].passage.text
        return [*plan.steps, plan.goal, order]

    assert "lamp" in chat("What did Dora buy with order B-99?")
    plan = tools("Refund the order of Dora.")
    assert plan.index("verify with buyer <text>") < plan.index("refund with order <text>")
    assert "B-99" in plan[-1]
    assert memory.digest() == digest
    with memory.reader() as reader:
        kinds = {note.kind for note in reader.page(NodeKind.NOTE, limit=1_000) if isinstance(note, Note)}
    assert {NoteKind.FACT, NoteKind.STRATEGY} <= kinds
