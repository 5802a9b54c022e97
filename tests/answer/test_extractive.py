"""Answers by rules: the date or span that the evidence bears out, cited; "not in memory" when it is not there."""

from __future__ import annotations

import pytest

from graphmem.answer import NOT_IN_MEMORY, respond
from graphmem.answer.question import Asks, read
from graphmem.answer.spans import WEIGHTS, candidates, features, words_of
from graphmem.schema import Passage, Recall
from tests.answer.world import passage, recall, run

AT = "2026-05-12T18:00"
FERRY = passage("We took the ferry to Lemnos yesterday. The sea was rough!", "Ada", AT)
LAMP = passage("I bought a green lamp for the hall.", "Ben", AT)


def answer(question: str, *passages: Passage, **more: float) -> str:
    text, told = run(respond(recall(question, *passages, **more)))
    assert text == told.text
    for citation in told.citations:
        assert citation.passage.text[citation.start : citation.end] == citation.quote
        assert f"[{citation.marker}]" in told.text
    assert bool(told.citations) is told.found
    return told.text


def test_when_is_answered_with_the_resolved_date() -> None:
    assert answer("When did Ada take the ferry?", FERRY) == "11 May 2026 [1]"


def test_when_takes_the_time_of_the_sentence_that_is_about_it() -> None:
    two = passage("Last year was dull. We opened the bakery on 3 March 2026.", "Ada", AT)
    assert answer("When did Ada open the bakery?", two) == "3 March 2026 [1]"


def test_when_falls_back_to_the_day_on_which_it_was_said() -> None:
    assert answer("When did Ben buy a lamp?", LAMP) == "12 May 2026 [1]"


def test_when_without_any_time_answers_with_what_is_known() -> None:
    undated = passage("The bakery opened with a party.", "Ada")
    assert "[1]" in answer("When did the bakery open?", undated)


def test_how_long_is_answered_with_a_duration() -> None:
    assert "six weeks" in answer("How long did Ada stay?", passage("I stayed on the island for six weeks.", "Ada", AT))


def test_how_long_gives_both_ends_of_a_range() -> None:
    kiln = passage("A wood kiln is fed by hand for two to four days.", "Ada", AT)
    assert answer("How long is the kiln fed?", kiln) == "two to four days [1]"


def test_who_is_answered_with_whoever_says_it_of_themselves() -> None:
    late = passage("About the regatta: I cannot come before 9 July.", "Ada", AT)
    assert answer("Who cannot come to the regatta before 9 July?", late) == "Ada [1]"


def test_who_is_answered_with_whom_a_page_is_about() -> None:
    page = passage("In 1974 she founded the bakery.", title="Edda Marrow")
    assert answer("Who founded the bakery?", page) == "Edda Marrow [1]"


def test_who_is_not_answered_with_whoever_only_tells_of_it() -> None:
    told = passage("I heard that the bakery was founded by Edda Marrow.", "Ada", AT)
    assert "Edda Marrow" in answer("Who founded the bakery?", told)


def test_who_somebody_is_gets_the_sentence_that_tells_of_them() -> None:
    text = "I told Oskar yes on Friday."
    assert answer("Who is Oskar?", passage(text, "Ada", AT)) == f"{text} [1]"
    assert read("Who's Ada Lindqvist?", set()).asks is Asks.WHO_IS
    assert read("Who is in charge?", set()).asks is Asks.WHO


def test_a_place_is_told_without_the_day() -> None:
    lease = passage("I signed the lease for a studio at the Saltworks on Thursday.", "Ada", AT)
    assert answer("Where does Ada have her studio?", lease) == "Saltworks [1]"


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("Where does Ada live?", "I moved to Zurich in May.", "Zurich"),
        ("Who repaired the roof?", "The roof was repaired by Tomas Brandt.", "Tomas Brandt"),
        ("What did Ada plant?", "I planted three cherry trees behind the house.", "cherry trees"),
        ("What is the name of the boat?", 'Our boat is called "Blue Heron" (she is old).', "Blue Heron"),
    ],
)
def test_spans_of_the_asked_kind_are_found(question: str, text: str, expected: str) -> None:
    assert expected in answer(question, passage(text, "Ada", AT))


def test_a_yes_or_no_question_gets_the_sentence_that_bears_on_it() -> None:
    text = passage("It rained. I have two cats, Momo and Kiki.", "Ada", AT)
    assert answer("Does Ada have cats?", text) == "I have two cats, Momo and Kiki. [1]"


def test_the_citation_is_the_sentence_and_its_note() -> None:
    _, told = run(respond(recall("When did Ada take the ferry?", FERRY)))
    (citation,) = told.citations
    assert citation.quote == "We took the ferry to Lemnos yesterday."
    assert citation.note is not None
    assert citation.note.spans[0].passage == FERRY.id


def test_evidence_about_another_speaker_is_not_in_memory() -> None:
    assert answer("What did Ada buy for the hall?", LAMP, FERRY) == NOT_IN_MEMORY
    assert "lamp" in answer("What did Ben buy for the hall?", LAMP, FERRY)


def test_a_speaker_is_known_by_a_part_of_the_name() -> None:
    said = passage("I bought a green lamp for the hall.", "Ben Okafor", AT)
    assert "lamp" in answer("What did Ben buy for the hall?", said, FERRY)
    assert answer("What did Ada buy for the hall?", said, FERRY) == NOT_IN_MEMORY


def test_a_name_that_no_evidence_names_is_not_in_memory() -> None:
    assert answer("What did Zoltan buy for the hall?", LAMP, FERRY) == NOT_IN_MEMORY


def test_months_and_weekdays_are_not_names() -> None:
    assert "lamp" in answer("What did Ben buy for the hall in July on a Monday?", LAMP)


def test_evidence_that_hardly_touches_the_question_is_not_in_memory() -> None:
    assert answer("What is the capital of the moon?", LAMP, support=0.2, seed=1.0) == NOT_IN_MEMORY


def test_a_question_in_other_words_of_the_same_family_is_touched() -> None:
    moved = passage("I moved to Zurich in May.", "Ada", AT)
    assert answer("Where does Ada live?", moved, support=0.2, seed=1.6) == "Zurich [1]"
    assert answer("Where was Ada born?", moved, support=0.2, seed=1.6) == NOT_IN_MEMORY


def test_near_tokens_touch_a_question_that_shares_no_word() -> None:
    cello = passage("I started learning the cello.", "Ben", AT)
    assert "cello" in answer("What instrument does Ben play?", cello, support=0.2, seed=2.2)
    assert answer("What instrument does Ben play?", cello, support=0.2, seed=1.2) == NOT_IN_MEMORY


def test_nothing_recalled_is_not_in_memory_and_keeps_what_recall_left_out() -> None:
    _, told = run(respond(Recall("Where?", (), (), degraded=("deadline: no spreading",))))
    assert (told.found, told.text, told.citations) == (False, NOT_IN_MEMORY, ())
    assert told.degraded == ("deadline: no spreading",)


@pytest.mark.parametrize("text", ["!!!", "???", "🙂", "日本語の文です。", "a", "\u200b.", "x " * 5_000, "(((" * 2_000])
def test_odd_evidence_still_gives_an_answer_with_a_true_quote(text: str) -> None:
    for question in ("What is it?", "When was it?", "Is it?", "How long?", "???", "日本"):
        assert answer(question, passage(text, None, AT))


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("When did it rain?", Asks.WHEN),
        ("In which year was it?", Asks.WHEN),
        ("How long did it take?", Asks.HOW_LONG),
        ("How many cats are there?", Asks.HOW_MANY),
        ("With whom did Ada go?", Asks.WHO),
        ("What city is it in?", Asks.WHERE),
        ("Did it rain?", Asks.POLAR),
        ("What whenever?", Asks.OTHER),
        ("", Asks.OTHER),
    ],
)
def test_a_question_is_read_for_what_it_asks(question: str, asks: Asks) -> None:
    assert read(question, set()).asks is asks


def test_people_are_the_speakers_that_a_question_names_and_no_terms() -> None:
    question = read("What did Ada's sister buy in the rose garden?", {"Ada Lindqvist", "Rose Ngata"})
    assert question.people == {"ada lindqvist"}
    assert question.terms == ("sister", "buy", "ros", "garden")


def test_features_are_those_that_weigh() -> None:
    from graphmem.answer.spans import Setting

    words = words_of("I moved to Zurich in May.")
    question = read("Where does Ada live?", {"Ada"})
    for span in candidates(words):
        assert features(words, span, question, Setting(0.0, True, 99)).keys() == WEIGHTS.keys()
