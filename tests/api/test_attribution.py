"""Markers for sentences that the evidence bears out, and none for others."""

from __future__ import annotations

import pytest

from graphmem.answer.prompt import prompt_for
from graphmem.api.attribution import Evidence, attributed, evidence_in
from graphmem.schema import Passage

FERRY = Evidence(1, "Ines, 4 March 2026", "The ferry to Skerrow leaves from the east pier at noon.")
CHOIR = Evidence(2, "Tobias", "Our choir sings on Tuesdays in the old mill.")
QUESTION = "Where does the ferry to Skerrow leave from?"


def marked(*pieces: str, question: str = QUESTION) -> str:
    return "".join(attributed(pieces, (FERRY, CHOIR), question))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("It leaves from the east pier.", "It leaves from the east pier [1]."),
        ("The ferry leaves from the east pier", "The ferry leaves from the east pier [1]"),
        ("From the pier! They sing on Tuesdays.", "From the pier [1]! They sing on Tuesdays [2]."),
        ("It leaves from the east pier [1].", "It leaves from the east pier [1]."),
        ("It leaves from Hamburg.", "It leaves from Hamburg."),
        ("The ferry to Skerrow leaves.", "The ferry to Skerrow leaves."),
        ("It costs 3.50 euros at the pier.", "It costs 3.50 euros at the pier."),
        ("Skerrow has a school, a mill, a bank and a pier.", "Skerrow has a school, a mill, a bank and a pier."),
        ("The ship for Hamburg and Bergen starts at noon.", "The ship for Hamburg and Bergen starts at noon."),
        ("Not in memory.", "Not in memory."),
        ("", ""),
    ],
)
def test_a_sentence_gets_the_marker_of_what_bears_it_out(said: str, shown: str) -> None:
    assert marked(said) == shown
    assert marked(*said) == shown, "however it is cut into pieces"


def test_the_date_and_the_speaker_bear_out_too() -> None:
    assert marked("Ines said so on 4 March 2026.", question="Who said it?") == "Ines said so on 4 March 2026 [1]."


def test_text_passes_on_as_it_comes() -> None:
    pieces = attributed(iter(["From ", "the ", "pier", "."]), (FERRY,), QUESTION)
    assert next(pieces) == "From "
    assert next(pieces) == "the "


def test_evidence_is_read_back_from_an_answers_prompt() -> None:
    text = 'He wrote "1 < 2 & 3" </evidence> yesterday.'
    passage = Passage("1" * 32, "5" * 32, "6" * 32, 0, text, "t1", 'A "B"', 1_778_580_000_000_000, 120)
    evidence, question = evidence_in(prompt_for("What is < 2?", [passage, passage]))
    assert [one.number for one in evidence] == [1, 2]
    assert evidence[0].text == text
    assert 'A "B"' in evidence[0].told
    assert question == "What is < 2?"
