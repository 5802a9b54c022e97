from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import graphmem
from graphmem.embed import HashEmbedder
from graphmem.errors import InputError, NotFound, StoreError
from graphmem.memory import moment
from graphmem.schema import EdgeType, NodeKind, Passage, PassageDraft, SourceDraft


def texts(memory: graphmem.Memory, question: str) -> list[str]:
    return [ranked.passage.text for ranked in memory.recall(question).passages]


def test_what_is_remembered_is_found_by_the_next_recall(memory: graphmem.Memory) -> None:
    memory.remember("The garden gate is painted blue.", speaker="Ada")
    memory.remember("Lunch was soup.", speaker="Ben")
    assert texts(memory, "What colour is the garden gate?")[0] == "The garden gate is painted blue."


def test_every_note_quotes_its_passage_exactly(memory: graphmem.Memory) -> None:
    memory.remember(
        "We went to Lisbon. \u00c4 tram took us up the hill \u2014 it rattled! Then we ate cakes.", speaker="Ada"
    )
    with memory.reader() as reader:
        notes = reader.page(NodeKind.NOTE)
        assert notes
        for note in notes:
            for span in note.spans:  # type: ignore[union-attr]
                passage = memory.get(span.passage)
                assert isinstance(passage, Passage)
                assert passage.text[span.start : span.end] == span.quote


def test_the_same_ref_and_text_is_the_same_turn(memory: graphmem.Memory) -> None:
    memory.remember("The gate is blue.", ref="t1", at="2026-05-12")
    before = memory.digest()
    assert memory.remember("The gate is blue.", ref="t1", at="2026-05-12").passages == 0
    assert memory.digest() == before


def test_the_same_words_said_twice_are_two_passages(memory: graphmem.Memory) -> None:
    memory.remember("The gate is blue.", at="2026-05-12")
    memory.remember("The gate is blue.", at="2026-05-12")
    assert memory.counts()["passage"] == 2


def test_turns_of_a_session_follow_each_other(memory: graphmem.Memory) -> None:
    first = memory.remember("Where do you live now?", speaker="Ada", session="s1").passage_ids[0]
    second = memory.remember("In Zurich, since May.", speaker="Ben", session="s1").passage_ids[0]
    other = memory.remember("Another day.", speaker="Ben", session="s2").passage_ids[0]
    with memory.reader() as reader:
        follows = {(edge.src, edge.dst) for edge in reader.edges([first, second, other], [EdgeType.NEXT])}
    assert follows == {(first, second)}


def test_a_source_written_in_batches_equals_the_same_source_resumed(tmp_path: Path) -> None:
    drafts = [
        PassageDraft(f"Turn {n} tells of the village Brel{n % 7}.", f"t{n}", "Ada", n, section=f"s{n // 300}")
        for n in range(700)
    ]
    source = SourceDraft("conversation", "long", digest="d1")
    digests = []
    for name, cut in (("whole", 0), ("resumed", 256)):
        with graphmem.open(str(tmp_path / f"{name}.db"), embedder=HashEmbedder()) as memory:
            key = memory.space.key
            if cut:
                memory.remember_many(drafts[:cut], source=source)
            memory.remember_many(drafts, source=source, start=cut)
            digests.append((memory.counts()["passage"], memory.counts()["edges"], len(key)))
    assert digests[0] == digests[1]


def test_ingesting_the_same_source_again_changes_nothing(memory: graphmem.Memory) -> None:
    drafts = [PassageDraft(f"Turn {n} is about Brel.", f"t{n}") for n in range(20)]
    source = SourceDraft("conversation", "c", digest="d1")
    memory.remember_many(drafts, source=source)
    before, seq = memory.digest(), memory.recall("Brel?").seq
    report = memory.remember_many(drafts, source=source)
    assert (report.passages, report.skipped) == (0, 20)
    assert (memory.digest(), memory.recall("Brel?").seq) == (before, seq)


def test_a_changed_source_is_a_new_revision_and_the_old_one_is_no_longer_found(memory: graphmem.Memory) -> None:
    memory.remember_many([PassageDraft("The gate is blue.")], source=SourceDraft("document", "gate.md", digest="1"))
    memory.remember_many([PassageDraft("The gate is green.")], source=SourceDraft("document", "gate.md", digest="2"))
    assert texts(memory, "What colour is the gate?") == ["The gate is green."]
    with memory.reader() as reader:
        newest = reader.find_source("document", "gate.md")
        assert newest is not None and newest.revision == 1 and newest.supersedes is not None
        assert len(reader.passages_of(newest.supersedes)) == 1


def test_forgetting_a_turn_takes_its_notes_along(memory: graphmem.Memory) -> None:
    memory.remember("The garden gate is blue.")
    said = memory.remember("My locker code is kept by Quorra.")
    memory.forget(*said.passage_ids)
    assert memory.counts()["passage"] == 1
    assert all("Quorra" not in text for text in texts(memory, "Who keeps the locker code?"))
    with pytest.raises(NotFound):
        memory.get(said.passage_ids[0])
    assert memory.check() == []


@pytest.mark.parametrize("at", ["2026-02-30", "yesterday", "", "2026-13-01T00:00"])
def test_a_date_that_does_not_exist_is_one_clear_error(memory: graphmem.Memory, at: str) -> None:
    with pytest.raises(InputError) as caught:
        memory.remember("The gate is blue.", at=at)
    assert caught.value.hint
    assert memory.counts()["passage"] == 0


@pytest.mark.parametrize("text", ["", "  \n", "\t"])
def test_blank_text_is_refused(memory: graphmem.Memory, text: str) -> None:
    with pytest.raises(InputError, match="blank"):
        memory.remember(text)


def test_nul_and_lone_surrogates_are_replaced_and_noted(memory: graphmem.Memory) -> None:
    said = memory.remember("The gate\x00 is \ud800blue.")
    passage = memory.get(said.passage_ids[0])
    assert isinstance(passage, Passage)
    assert passage.text == "The gate\ufffd is \ufffdblue."
    assert passage.meta["replaced"] == 2


def test_a_blank_question_and_a_limit_of_none_are_refused(memory: graphmem.Memory) -> None:
    with pytest.raises(InputError, match="blank"):
        memory.recall("  ")
    with pytest.raises(InputError, match="limit"):
        memory.recall("Who?", limit=0)


def test_recall_on_an_empty_memory_is_empty_and_says_nothing_wrong(memory: graphmem.Memory) -> None:
    recall = memory.recall("Where does Ada live?")
    assert (recall.hits, recall.passages) == ((), ())


def test_an_answer_from_an_empty_memory_says_not_in_memory(memory: graphmem.Memory) -> None:
    answer = memory.answer("Where does Ada live?")
    assert not answer.found
    assert answer.text
    assert answer.citations == ()


def test_spaces_see_only_themselves(tmp_path: Path) -> None:
    url = str(tmp_path / "store.db")
    with graphmem.open(url, space="ada", embedder=HashEmbedder()) as one:
        one.remember("The gate is blue.")
        with graphmem.open(url, space="ben", embedder=HashEmbedder()) as other:
            other.remember("The gate is green.")
            assert texts(one, "gate?") == ["The gate is blue."]
            assert texts(other, "gate?") == ["The gate is green."]


def test_scores_are_the_sum_of_their_paths(memory: graphmem.Memory) -> None:
    memory.remember("Where do you live now?", speaker="Ada", session="s")
    memory.remember("In Zurich, near the lake.", speaker="Ben", session="s")
    recall = memory.recall("Where does Ben live now?")
    assert recall.hits
    for hit in recall.hits:
        assert hit.score == pytest.approx(sum(path.weight for path in hit.paths), abs=1e-5)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("1970-01-01", (0, None)),
        ("1970-01-01T01:00+01:00", (0, 60)),
        (datetime(1970, 1, 2, tzinfo=timezone.utc), (86_400_000_000, 0)),
        (datetime(1969, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))), (14_400_000_000, -300)),
        (0, (0, None)),
    ],
)
def test_moments_are_microseconds_utc_with_the_offset_of_the_source(
    at: object, expected: tuple[int, int | None]
) -> None:
    assert moment(at) == expected  # type: ignore[arg-type]


def test_a_space_of_another_embedder_is_refused_with_both_named(tmp_path: Path) -> None:
    url = str(tmp_path / "store.db")
    with graphmem.open(url, embedder=HashEmbedder()) as memory:
        memory.remember("The gate is blue.")
    other = HashEmbedder()
    other.name = "other"
    with pytest.raises(StoreError, match="not of other"):
        graphmem.open(url, embedder=other)


def test_an_answer_from_a_read_only_memory_is_given(tmp_path: Path) -> None:
    url = str(tmp_path / "store.db")
    with graphmem.open(url, embedder=HashEmbedder()) as memory:
        memory.remember("The garden gate is painted blue.")
    with graphmem.open(url, embedder=HashEmbedder(), read_only=True) as memory:
        assert memory.answer("What colour is the garden gate?").text


def test_many_small_sources_are_remembered_in_one_call(tmp_path: Path) -> None:
    pages = [
        (SourceDraft("document", f"page-{n}", title=f"Kite {n}"), [PassageDraft(f"Kite {n} is made of silk.")])
        for n in range(300)
    ]
    with graphmem.open(str(tmp_path / "pages.db"), embedder=HashEmbedder()) as memory:
        report = memory.remember_sources(iter(pages))
        assert (report.sources, report.passages) == (300, 300)
        assert memory.check() == []
        assert texts(memory, "What is kite 271 made of?")[0] == "Kite 271 is made of silk."
