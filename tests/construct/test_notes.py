"""A note for each sentence: its span, kind, context, keywords, tags and valid time."""

from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.construct import Constructor
from graphmem.construct.keywords import MAX_KEYWORDS, TAGS
from graphmem.schema import EdgeType, Note, NoteKind, Passage
from tests.construct.world import CHAT, KEY, build, chat, document, texts, turn


def notes(text: str, speaker: str = "Ada") -> tuple[Note, ...]:
    return build([turn(text, speaker)]).notes


def test_a_turn_of_two_sentences_gives_two_notes_with_exact_spans() -> None:
    passage = turn("I sold the old boat yesterday. The new one arrives in June.")
    built = build([passage])
    assert texts(built.notes) == ["I sold the old boat yesterday.", "The new one arrives in June."]
    for note in built.notes:
        (span,) = note.spans
        assert passage.text[span.start : span.end] == span.quote
    assert {(edge.src, edge.dst) for edge in built.edges if edge.type == EdgeType.FROM and edge.src == note.id}


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("## Renting\n\nStudios are let by the year.", "Renting: Studios are let by the year."),
        ("# The Saltworks #\n\nThe Saltworks is a brick building.", "The Saltworks is a brick building."),
        ("# Guide\n\n## Renting\n\nStudios are let by the year.", "Guide: Renting: Studios are let by the year."),
        ("# The old salt works of Aldhaven", "The old salt works of Aldhaven"),
        ("Skerrow\n\nSkerrow is an island of black rock.", "Skerrow is an island of black rock."),
        ("We sailed to Skerrow\nand came back at night.", "We sailed to Skerrow and came back at night."),
        ("#harbour is frozen again this week.", "#harbour is frozen again this week."),
    ],
)
def test_a_heading_goes_before_its_first_sentence_without_its_marks(text: str, note: str) -> None:
    (built,) = notes(text)
    assert built.text == note
    assert built.spans[0].quote == text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("The harbour freezes every winter.", NoteKind.FACT),
        ("I painted the boat last summer.", NoteKind.EXPERIENCE),
        ("We won the regatta after all.", NoteKind.EXPERIENCE),
        ("I think the harbour will freeze this year.", NoteKind.BELIEF),
        ("In my opinion the blue sail looks better.", NoteKind.BELIEF),
        ("You should always check the tide before you sail.", NoteKind.STRATEGY),
        ("Never leave the kiln alone while it is hot.", NoteKind.STRATEGY),
        ("Do you think you should always check the tide?", NoteKind.FACT),
        ("I won't give up the boat.", NoteKind.FACT),
    ],
)
def test_the_kind_is_read_from_the_words(text: str, kind: NoteKind) -> None:
    (note,) = notes(text)
    assert note.kind == kind


def test_a_belief_is_less_sure_than_a_fact_and_a_guess_less_than_a_belief() -> None:
    believed, guessed, known = (
        notes(f"{start} the harbour is frozen.")[0].confidence_q8 for start in ("I believe", "I guess", "Certainly")
    )
    assert guessed < believed < known == 256


def test_valid_time_is_resolved_against_the_turns_date() -> None:
    (note,) = notes("I sold the old boat yesterday.")
    day = int(datetime(2023, 5, 7, tzinfo=timezone.utc).timestamp()) * 1_000_000
    assert (note.valid_from_us, note.valid_to_us) == (day, day + 86_400_000_000)


def test_an_answer_carries_the_question_of_the_turn_before() -> None:
    built = build(
        chat(("Tom", "It rained again. Where do you keep the boat now?"), ("Ada", "In the old shed by the mill."))
    )
    assert built.notes[-1].context == "Ada, 8 May 2023; asked: Where do you keep the boat now?"


def test_a_question_of_the_same_speaker_is_not_answered_by_going_on() -> None:
    built = build(chat(("Ada", "Where is the boat?"), ("Ada", "I looked in the old shed.")))
    assert "asked" not in built.notes[-1].context


def test_the_turn_before_the_batch_counts_as_before() -> None:
    first, second = chat(("Tom", "Where do you keep the boat now?"), ("Ada", "In the old shed by the mill."))
    alone = build([second], before={second.section: first})
    together = build([first, second])
    assert alone.notes[-1] == together.notes[-1]


def test_keywords_are_content_words_of_the_sentence() -> None:
    (note,) = notes("Yeah, I really love the ceramic lighthouse that Ines made for my kitchen.")
    assert {"ines", "ceramic", "lighthouse", "kitchen"} <= set(note.keywords)
    assert not {"really", "that", "yeah"} & set(note.keywords)


def test_tags_come_from_the_closed_set() -> None:
    (note,) = notes("Shall we visit my sister in Lund next week?")
    assert {"question", "plan", "family", "place", "time", "travel"} <= set(note.tags)
    assert set(note.tags) <= set(TAGS)


def test_a_document_note_says_which_document_it_stands_in() -> None:
    source, passages = document("Lighthouses", "The lamp was lit in 1902. It burned oil for forty years.")
    assert {note.context for note in build(passages, source).notes} == {"in Lighthouses"}


def test_notes_do_not_depend_on_how_batches_are_cut() -> None:
    turns = chat(
        ("Ada", "I moved to Lund in May. My sister Ines helped me."),
        ("Tom", "Do you like it there? I was in Lund last year."),
        ("Ada", "The town is quiet. I start at the mill next week."),
    )
    whole = build(turns).notes
    parts = []
    for at, passage in enumerate(turns):
        parts += build([passage], before={passage.section: turns[at - 1]} if at else {}).notes
    assert list(whole) == parts


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=400).filter(lambda text: text.strip() and "\x00" not in text), st.text(max_size=20))
def test_any_text_builds_without_error_and_twice_the_same(text: str, speaker: str) -> None:
    passage = turn(text, speaker)
    constructor = Constructor()
    constructor.names(CHAT, [passage])
    built = build([passage])
    assert built == build([passage])
    covered = 0
    for note in built.notes:
        (span,) = note.spans
        assert text[span.start : span.end] == span.quote
        assert text[covered : span.start].strip() == ""
        assert len(note.keywords) <= MAX_KEYWORDS
        covered = span.end
    for hyperedge in built.hyperedges:
        assert text[hyperedge.spans[0].start : hyperedge.spans[0].end] == hyperedge.spans[0].quote
    made = {entity.id for entity in built.entities} | {note.id for note in built.notes} | {passage.id}
    made |= {hyperedge.id for hyperedge in built.hyperedges}
    assert all(edge.src in made and edge.dst in made for edge in built.edges)


WORDS = st.sampled_from(
    "I we Ada Berg the a my sister moved to Lund with Tom and painted boat in May yesterday not never was born ( ) , . "
    "? ! \" “ ” ' film The of Wind Prince Karl II 3rd , : ; - – \n 1900 love to go He She is 🎉 said".split(" ")
)


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=40).map(" ".join).filter(str.strip), st.booleans())
def test_any_run_of_common_words_builds_without_error(text: str, is_document: bool) -> None:
    if is_document:
        source, passages = document("Ada Berg", text)
        build(passages, source)
    else:
        build([turn(text)])


def test_a_very_long_turn_is_built_within_bounds() -> None:
    built = build([turn("I met Ada Berg in Lund on 3 May 2021. " * 20_000)])
    assert len(built.notes) == 20_000
    assert len(built.hyperedges) <= 24


def test_ids_are_keyed_by_the_space() -> None:
    passage: Passage = turn("I moved to Lund.")
    here = Constructor().build(KEY, CHAT, [passage], known={}, before={})
    there = Constructor().build(b"j" * 16, CHAT, [passage], known={}, before={})
    assert {node.id for node in here.entities} & {node.id for node in there.entities} == set()
