"""The knowledge-update set is as its README says, and has not changed since it was committed."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

UPDATES = Path(__file__).parent / "updates"
SHA256 = {
    "seen": "2715a1e8fc6ade93008fcc691c911ae0d171f92fc927c07c82066736b4ad412c",
    "unseen": "e67622ab82d793a612ffb5f9c5747a55263518d548ce97a574b4598b8f005ed5",
}
CHAIN = {"id", "attribute", "template", "turns", "questions"}
TURN = {"ref", "session", "at", "speaker", "text"}
QUESTION = {"text", "asked_at", "gold", "stale", "answer"}

Chain = dict[str, Any]


def chains(half: str) -> list[Chain]:
    return [json.loads(line) for line in (UPDATES / f"{half}.jsonl").read_text(encoding="utf-8").splitlines()]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def fact_refs(chain: Chain) -> set[str]:
    return {ref for question in chain["questions"] for ref in (*question["gold"], *question["stale"])}


@pytest.fixture(params=sorted(SHA256))
def half(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_files_are_the_committed_ones(half: str) -> None:
    assert hashlib.sha256((UPDATES / f"{half}.jsonl").read_bytes()).hexdigest() == SHA256[half]


def test_a_half_has_100_chains_of_50_templates_none_used_more_than_four_times(half: str) -> None:
    found = chains(half)
    templates = Counter(chain["template"] for chain in found)
    assert len(found) == len({chain["id"] for chain in found}) == 100
    assert len(templates) == 50
    assert max(templates.values()) <= 4
    assert len({turn["speaker"] for chain in found for turn in chain["turns"]}) >= 20


def test_no_template_and_no_fact_turn_stands_in_both_halves() -> None:
    seen, unseen = chains("seen"), chains("unseen")
    for key in ("template", "id"):
        assert not {chain[key] for chain in seen} & {chain[key] for chain in unseen}
    texts = [
        {turn["text"] for chain in found for turn in chain["turns"] if turn["ref"] in fact_refs(chain)}
        for found in (seen, unseen)
    ]
    assert not texts[0] & texts[1]


def test_both_halves_cover_the_same_attributes_equally_often() -> None:
    seen, unseen = (Counter(chain["attribute"] for chain in chains(half)) for half in ("seen", "unseen"))
    assert seen == unseen
    assert len(seen) == 37


def test_turns_have_their_fields_unique_refs_and_ascending_times(half: str) -> None:
    found = chains(half)
    refs = [turn["ref"] for chain in found for turn in chain["turns"]]
    assert len(refs) == len(set(refs))
    for chain in found:
        assert set(chain) == CHAIN
        for turn in chain["turns"]:
            assert set(turn) == TURN
            assert all(turn.values())
            assert turn["ref"].startswith(f"{chain['id']}:")
        assert all(instant(one["at"]) < instant(two["at"]) for one, two in pairwise(chain["turns"])), chain["id"]


def test_each_chain_has_one_to_three_later_values_and_four_to_ten_distractors(half: str) -> None:
    for chain in chains(half):
        now = chain["questions"][0]
        facts = [turn for turn in chain["turns"] if turn["ref"] in fact_refs(chain)]
        assert {turn["session"] for turn in facts} > {turn["session"] for turn in facts if turn["ref"] in now["gold"]}
        assert 4 <= len(chain["turns"]) - len(facts) <= 10, chain["id"]
        assert 1 <= len(now["stale"]) <= 3, chain["id"]


def test_gold_and_stale_are_turns_of_the_chain_apart_and_said_before_the_question(half: str) -> None:
    for chain in chains(half):
        turns = {turn["ref"]: turn for turn in chain["turns"]}
        for question in chain["questions"]:
            assert set(question) - {"as_of"} == QUESTION
            gold, stale = set(question["gold"]), set(question["stale"])
            assert gold and stale and not gold & stale
            assert gold | stale <= set(turns)
            assert instant(chain["turns"][-1]["at"]) < instant(question["asked_at"])
            assert all(question["answer"].casefold() in turns[ref]["text"].casefold() for ref in gold), chain["id"]


def test_each_chain_asks_once_for_now_and_a_third_also_for_an_earlier_time(half: str) -> None:
    earlier = 0
    for chain in chains(half):
        assert "as_of" not in chain["questions"][0]
        assert all("as_of" in question for question in chain["questions"][1:])
        earlier += len(chain["questions"]) - 1
    assert earlier == 36


def test_gold_is_the_last_statement_before_the_time_asked_about(half: str) -> None:
    for chain in chains(half):
        for question in chain["questions"]:
            until = instant(question.get("as_of", question["asked_at"]))
            stated = [
                turn for turn in chain["turns"] if turn["ref"] in fact_refs(chain) and instant(turn["at"]) < until
            ]
            assert stated[-1]["ref"] in question["gold"], chain["id"]
