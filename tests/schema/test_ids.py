import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphmem.schema import entity_id, fold, hyperedge_id, identity, note_id, passage_id, source_id

KEY = b"k" * 32
parts = st.lists(st.one_of(st.none(), st.integers(), st.text()), max_size=5)


@given(parts, parts)
def test_two_part_lists_share_an_id_only_when_they_are_equal(one: list[object], other: list[object]) -> None:
    def spelled(values: list[object]) -> list[str | None]:
        return [None if value is None else str(value) for value in values]

    same = identity(KEY, "x", *one) == identity(KEY, "x", *other)  # type: ignore[arg-type]
    assert same == (spelled(one) == spelled(other))


def test_ids_differ_between_spaces() -> None:
    assert source_id(KEY, "document", "a.md", 0) != source_id(b"l" * 32, "document", "a.md", 0)


def test_the_same_words_said_twice_are_two_passages() -> None:
    assert passage_id(KEY, "s", None, 1, "Yes.") != passage_id(KEY, "s", None, 2, "Yes.")


def test_a_passage_with_a_ref_keeps_its_id_wherever_it_stands() -> None:
    assert passage_id(KEY, "s", "D1:3", 1, "Yes.") == passage_id(KEY, "s", "D1:3", 9, "Yes.")


def test_a_ref_that_looks_like_an_ordinal_is_not_one() -> None:
    assert passage_id(KEY, "s", "1", 7, "Yes.") != passage_id(KEY, "s", None, 1, "Yes.")


def test_an_entity_is_the_same_under_another_spelling_of_its_name() -> None:
    assert entity_id(KEY, "Ada  Lovelace", "person") == entity_id(KEY, "ada lovelace", "person")


def test_the_order_of_members_does_not_change_a_hyperedge() -> None:
    members = [("AGENT", "a"), ("OBJECT", "b")]
    spans = [("p", 0, 4)]
    assert hyperedge_id(KEY, "visit", members, spans) == hyperedge_id(KEY, "visit", members[::-1], spans)


def test_notes_of_one_span_differ_by_kind() -> None:
    assert note_id(KEY, "fact", [("p", 0, 4)]) != note_id(KEY, "belief", [("p", 0, 4)])


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("  Ada\u2019s ", "ada"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("O'Neil", "o'neil"),
        ('"Zurich".', "zurich"),
    ],
)
def test_names_fold_to_what_aliases_are_compared_by(name: str, folded: str) -> None:
    assert fold(name) == folded
