"""Form bits are read from the text alone."""

import pytest

from graphmem.construct import form_of
from graphmem.schema import Form


def has(text: str, bit: Form, *, opens_section: bool = False) -> bool:
    return bool(form_of(text, opens_section=opens_section) & bit)


@pytest.mark.parametrize(
    "text",
    [
        "Where do you live now?",
        "Really? 😮",
        'Did she say "when?"',
        "Do you like it? [shares a photo: a red boat on a beach]",
        "元気ですか？",
    ],
)
def test_a_turn_ends_in_a_question_whatever_decorates_its_end(text: str) -> None:
    assert has(text, Form.ENDS_IN_QUESTION)
    assert has(text, Form.HAS_QUESTION)


def test_a_question_in_the_middle_is_not_at_the_end() -> None:
    text = "How are you? I sold the boat."
    assert has(text, Form.HAS_QUESTION)
    assert not has(text, Form.ENDS_IN_QUESTION)


def test_a_question_inside_a_caption_alone_does_not_end_the_turn() -> None:
    assert not has("Look at this. [shares a photo: a sign that says why?]", Form.ENDS_IN_QUESTION)


def test_captions_openings_times_and_shortness_are_seen() -> None:
    assert has("See? [shares a photo: a red boat]", Form.HAS_CAPTION)
    assert not has("a list [1] of [things]", Form.HAS_CAPTION)
    assert has("Hello there", Form.OPENS_SECTION, opens_section=True)
    assert has("We left last week.", Form.NAMES_TIME)
    assert has("In 2019 it rained.", Form.NAMES_TIME)
    assert not has("The boat is red.", Form.NAMES_TIME)
    assert has("Thanks so much!", Form.SHORT)
    assert not has("The harbour froze over and boats stayed ashore in January.", Form.SHORT)
