import pytest

from graphmem.schema import Edge, EdgeType, Hyperedge, Link, Member, Note, NoteKind, Passage, Space, Span, q8


def test_a_span_must_fit_its_quote() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Span("p", 0, 3, "four")


def test_a_note_must_say_where_it_came_from() -> None:
    with pytest.raises(ValueError, match="where it came from"):
        Note("n", NoteKind.FACT, "The gate is blue.")


def test_a_note_made_from_notes_needs_no_span() -> None:
    assert Note("n", NoteKind.SUMMARY, "Gates are blue.", parents=("m",)).spans == ()


def test_a_note_cannot_end_before_it_begins() -> None:
    with pytest.raises(ValueError, match="before valid_to_us"):
        Note("n", NoteKind.FACT, "x", parents=("m",), valid_from_us=5, valid_to_us=5)


def test_time_zero_is_a_time() -> None:
    note = Note("n", NoteKind.FACT, "x", parents=("m",), valid_from_us=0, valid_to_us=1)
    assert note.valid_from_us == 0


def test_a_hyperedge_joins_two_or_more() -> None:
    with pytest.raises(ValueError, match="two or more"):
        Hyperedge("h", "visit", (Member(EdgeType.AGENT, "a"),), (Span("p", 0, 1, "x"),))


def test_a_role_comes_from_the_closed_set() -> None:
    with pytest.raises(ValueError, match="is not a role"):
        Member(EdgeType.SIMILAR, "a")


def test_a_link_needs_a_reason_and_two_notes() -> None:
    with pytest.raises(ValueError, match="reason"):
        Link("a", EdgeType.CAUSES, "b", 100, "")
    with pytest.raises(ValueError, match="not a note to itself"):
        Link("a", EdgeType.CAUSES, "a", 100, "because")
    assert Link("a", EdgeType.CAUSES, "b", 100, "because").edge() == Edge("a", EdgeType.CAUSES, "b", 100, "because")


def test_a_passage_needs_text_without_nul() -> None:
    with pytest.raises(ValueError, match="no text"):
        Passage("p", "s", None, 0, "  ")
    with pytest.raises(ValueError, match="NUL"):
        Passage("p", "s", None, 0, "a\x00b")


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201])
def test_a_space_has_a_short_printable_name(name: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        Space(name, b"")


def test_a_space_does_not_show_its_key() -> None:
    assert "secret" not in repr(Space("a", b"secret"))


def test_weights_are_quantised_when_they_are_made() -> None:
    assert (q8(0), q8(0.5), q8(1)) == (0, 128, 256)
    with pytest.raises(ValueError, match="outside"):
        q8(1.01)
