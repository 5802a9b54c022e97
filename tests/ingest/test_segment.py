"""Segmentation: exact slices, cut where a reader would."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from graphmem.ingest.segment import CAP_CHARS, FLOOR_CHARS, TARGET_CHARS, Block, chunks, pieces

PROSE = st.text(alphabet=st.sampled_from("ab .!?\n\t。é\u0301\u200d😀"), max_size=9000) | st.text(max_size=300)


def blocks(texts: list[str]) -> Iterator[Block]:
    at = 0
    for text in texts:
        yield Block(at, text)
        at += len(text)


def sentences(count: int) -> str:
    return " ".join(f"Sentence number {number} stands here on its own." for number in range(count))


@given(st.lists(PROSE, max_size=8))
def test_a_chunk_is_the_text_at_its_offset_and_no_longer_than_the_cap(texts: list[str]) -> None:
    whole = "".join(texts)
    for start, text in chunks(blocks(texts)):
        assert whole[start : start + len(text)] == text
        assert 0 < len(text) <= CAP_CHARS


@given(st.lists(PROSE, max_size=8))
def test_chunks_leave_out_nothing_but_white_space(texts: list[str]) -> None:
    whole, at = "".join(texts), 0
    for start, text in chunks(blocks(texts)):
        assert not whole[at:start].strip()
        at = start + len(text)
    assert not whole[at:].strip()


@given(PROSE, st.integers(min_value=2, max_value=500))
def test_pieces_of_a_turn_leave_out_nothing_but_white_space(text: str, limit: int) -> None:
    at = 0
    for start, end in pieces(text, limit):
        assert not text[at:start].strip()
        assert start < end <= start + limit
        at = end
    assert not text[at:].strip()


def test_a_long_paragraph_is_cut_at_the_ends_of_sentences() -> None:
    found = [text for _, text in chunks([Block(0, sentences(100))])]
    assert len(found) > 4
    assert all(text.endswith(".") for text in found)
    assert all(len(text) > TARGET_CHARS / 2 for text in found)


def test_a_sentence_does_not_end_behind_an_abbreviation() -> None:
    text = "word " * 120 + "and an end. Then came Dr. Lind " + "by the long way round " * 40
    (_, first), *_ = chunks([Block(0, text)])
    assert first.endswith("and an end.")


def test_paragraphs_are_gathered_to_the_target() -> None:
    found = [text for _, text in chunks(blocks([sentences(4) + "\n\n"] * 12))]
    assert all(len(text) <= TARGET_CHARS for text in found)
    assert all(text.startswith("Sentence number 0") for text in found)
    assert len(found) == 3


def test_a_short_lead_goes_with_the_paragraph_that_follows() -> None:
    found = [text for _, text in chunks(blocks(["A short lead:\n\n", sentences(100)]))]
    assert found[0].startswith("A short lead:\n\nSentence number 0")


def test_a_short_end_goes_with_what_stands_before() -> None:
    long = sentences(100)[: TARGET_CHARS - 10]
    found = [text for _, text in chunks(blocks([long + "\n\n", "The end."]))]
    assert [text[-8:] for text in found] == ["The end."]
    assert len(found[0]) > TARGET_CHARS - FLOOR_CHARS


def test_code_is_cut_between_lines() -> None:
    code = "".join(f"    call({number}). # a remark. And more\n" for number in range(100))
    found = [text for _, text in chunks([Block(0, code, lined=True)])]
    assert len(found) > 2
    assert all(text.endswith("And more") for text in found)


def test_a_word_without_end_is_cut_at_the_limit() -> None:
    assert [len(text) for _, text in chunks([Block(0, "x" * 3000)])] == [900, 900, 1200]


def test_a_cut_does_not_part_a_letter_from_its_accent() -> None:
    text = "x" * 899 + "e\u0301" * 1000
    assert all(not chunk.startswith("\u0301") for _, chunk in chunks([Block(0, text)]))
