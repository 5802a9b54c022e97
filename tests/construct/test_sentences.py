"""Sentence-sized spans with exact offsets."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphmem.construct.sentences import MAX_CHARS, sentences


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "Dr. Berg moved to the U.S. in 2019. She likes the quiet valley there.",
            ["Dr. Berg moved to the U.S. in 2019.", "She likes the quiet valley there."],
        ),
        (
            "J. R. Lund wrote the first novel. Anna K. Berg printed every copy.",
            ["J. R. Lund wrote the first novel.", "Anna K. Berg printed every copy."],
        ),
        (
            "The lamp costs 3.50 euros today. See www.example.org/a.b?c=d for more lamps.",
            ["The lamp costs 3.50 euros today.", "See www.example.org/a.b?c=d for more lamps."],
        ),
        (
            "I waited... and the ferry never came. So we walked home instead…",
            ["I waited... and the ferry never came.", "So we walked home instead…"],
        ),
        (
            "We finally won the regatta! 🎉🎉 Everybody danced until the morning.",
            ["We finally won the regatta! 🎉🎉", "Everybody danced until the morning."],
        ),
        (
            'She asked "Is the kiln hot?" and waited. "The kiln is ready now." Tom opened the door.',
            ['She asked "Is the kiln hot?" and waited.', '"The kiln is ready now."', "Tom opened the door."],
        ),
        (
            "Things to bring:\n- warm socks and gloves\n- two litres of water\n- the folded paper map",
            ["Things to bring:\n- warm socks and gloves", "- two litres of water", "- the folded paper map"],
        ),
        (
            "A line that was wrapped by hand somewhere near the\nseventieth column goes on. Another line follows it.",
            [
                "A line that was wrapped by hand somewhere near the\nseventieth column goes on.",
                "Another line follows it.",
            ],
        ),
        (
            "我昨天去了北京看朋友。天气非常好！你去过那里吗？",
            ["我昨天去了北京看朋友。", "天气非常好！", "你去过那里吗？"],
        ),
        (
            "do you still paint on sundays? i sold two pictures last month.",
            ["do you still paint on sundays?", "i sold two pictures last month."],
        ),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, parts: list[str]) -> None:
    assert cut(text) == parts


def test_a_fragment_joins_its_neighbour() -> None:
    assert cut("Wow! I sold the boat to a fisherman. Yeah!") == ["Wow! I sold the boat to a fisherman. Yeah!"]
    assert cut("The harbour froze in January. Really. Boats stayed ashore for weeks.") == [
        "The harbour froze in January. Really.",
        "Boats stayed ashore for weeks.",
    ]


@pytest.mark.parametrize("text", ["Yes.", "ok", "?", "…", "🎉", "Thanks! Bye! See you!"])
def test_a_turn_of_fragments_is_one_sentence(text: str) -> None:
    assert cut(text) == [text]


@pytest.mark.parametrize("unit", ["a", ".", " ", "\n", "🎉", "?! ", "word ", "“", "。", "J. ", ". \n", "1. "])
def test_a_run_of_anything_is_cut_in_linear_time(unit: str) -> None:
    """300,000 characters take well under a second; a quadratic scan would take hours."""
    text = "x" + unit * (300_000 // len(unit))
    began = time.process_time()
    spans = sentences(text)
    assert time.process_time() - began < 10
    assert all(end - start <= MAX_CHARS for start, end in spans)


@given(st.text(max_size=3000))
def test_spans_are_ordered_and_leave_out_white_space_alone(text: str) -> None:
    at = 0
    for start, end in sentences(text):
        assert text[at:start].strip() == ""
        assert 0 < end - start <= MAX_CHARS
        assert text[start:end] == text[start:end].strip()
        at = end
    assert text[at:].strip() == ""
