"""Which statement holds: a later one closes an earlier one, recall prefers what holds, and repairs follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphmem
from graphmem.embed import default_embedder
from graphmem.errors import Conflict
from graphmem.memory import Memory
from graphmem.organize.organizer import Organizer
from graphmem.organize.standing import Standing
from graphmem.recall import BALANCED
from graphmem.recall.gather import sign_cosines
from graphmem.recall.standing import in_like_words
from graphmem.schema import Batch, Commit, EdgeType, JobState, NodeKind, Note, PassageDraft, SourceDraft, Space
from graphmem.standing import holds, replaces
from graphmem.standing.cues import WHOM, WIDTH, asked_words, whom_of, words_of
from graphmem.standing.reading import Heard, answers

TURNS = (
    ("Ada", "2023-01-10T10:00", "I live in Lyon now, in a flat with a tiny balcony."),
    ("Ben", "2023-01-10T10:01", "Lovely! I hope the neighbours are quiet."),
    ("Ada", "2023-06-20T10:00", "I have moved again, so I live in Geneva these days."),
    ("Ben", "2023-06-20T10:01", "I would love to live in Marseille one day."),
)
ASKED = "Where does Ada live now?"


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with graphmem.open(str(tmp_path / "notes.db")) as memory:
        for number, (speaker, at, text) in enumerate(TURNS):
            memory.remember(text, speaker=speaker, at=at, ref=str(number), session=at[:10])
        yield memory


def first(memory: Memory, question: str, now: str = "2024-01-01") -> str:
    return memory.recall(question, now=now).passages[0].passage.text


def test_hindsight_recall_prefers_what_holds_at_the_asked_time(memory: Memory) -> None:
    assert "Geneva" in first(memory, ASKED)
    assert "Lyon" in first(memory, ASKED, now="2023-03-01")
    assert "Lyon" in first(memory, "Where did Ada live in March 2023?")


def test_what_no_longer_holds_stays_in_the_result(memory: Memory) -> None:
    plain = replace(BALANCED, standing=0)
    found = {one.passage.id for one in memory.recall(ASKED).passages}
    assert found == {one.passage.id for one in memory.recall(ASKED, plan=plain).passages}


def test_documents_keep_their_places(memory: Memory) -> None:
    """Only what somebody said is looked at; it never passes a page that fits the question better."""
    memory.remember_many(
        [PassageDraft("Ada lives where she always lived, says the parish register of Annecy.", "page")],
        source=SourceDraft("document", "register", title="Where Ada lives"),
    )
    question = "Where does Ada live now?"
    plain = memory.recall(question, plan=replace(BALANCED, standing=0)).passages
    moved = memory.recall(question).passages
    place = {one.passage.ref: row for row, one in enumerate(moved)}
    assert place["page"] == [one.passage.ref for one in plain].index("page")
    assert [one.passage.text for one in moved] != [one.passage.text for one in plain]


def test_the_paths_of_a_hit_still_sum_to_its_score(memory: Memory) -> None:
    for hit in memory.recall(ASKED, now="2024-01-01").hits:
        assert sum(path.weight for path in hit.paths) == pytest.approx(hit.score)


@pytest.mark.parametrize("question", ["Why did Ada move to Geneva?", "Who is Ada?"])
def test_a_question_about_no_state_keeps_its_order(memory: Memory, question: str) -> None:
    plain = memory.recall(question, plan=replace(BALANCED, standing=0))
    assert [one.passage.id for one in memory.recall(question).passages] == [one.passage.id for one in plain.passages]


def test_himem_a_conflict_noticed_at_recall_is_repaired_by_the_refresher(memory: Memory) -> None:
    digest, evidence = memory.digest(), memory.evidence_digest()
    noticed = memory.recall(ASKED, now="2024-01-01").conflicts
    assert memory.digest() == digest
    assert noticed
    earlier, later = memory.get(noticed[0].earlier), memory.get(noticed[0].later)
    assert isinstance(earlier, Note)
    assert isinstance(later, Note)
    assert ("Lyon" in earlier.text, "Geneva" in later.text) == (True, True)
    commit = memory.refresh()
    assert commit is not None
    assert memory.evidence_digest() == evidence
    with memory.reader() as reader:
        links = reader.edges([later.id], (EdgeType.SUPERSEDES, EdgeType.FOLLOWS), out_only=True)
    assert [link.dst for link in links] == [earlier.id]
    assert memory.check() == []


def test_ama_the_refresher_repairs_once_and_can_be_undone(memory: Memory) -> None:
    digest = memory.digest()
    memory.recall(ASKED, now="2024-01-01")
    commit = memory.refresh()
    memory.recall(ASKED, now="2024-01-01")
    assert memory.refresh() is None
    assert commit is not None
    assert commit.job is not None
    memory.undo(commit.job)
    assert memory.digest() == digest


def test_a_repair_that_meets_another_writer_is_computed_again_and_leaves_no_open_job(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.recall(ASKED, now="2024-01-01")
    write, refused = memory.store.write, list[int]()

    def busy(space: Space, batch: Batch) -> Commit | None:
        if not refused:
            refused.append(1)
            raise Conflict("another writer came between")
        return write(space, batch)

    monkeypatch.setattr(memory.store, "write", busy)
    assert memory.refresh() is not None
    assert sorted(job.state for job in memory.jobs()) == [JobState.DONE, JobState.FAILED]


def test_a_later_statement_closes_the_earlier_one_and_history_shows_it(memory: Memory) -> None:
    every = Organizer("CLOSING", (Standing(sure=0.2, perhaps=0.2),))
    memory.organize(organizer=every)
    with memory.reader() as reader:
        notes = [node for node in reader.page(NodeKind.NOTE) if isinstance(node, Note)]
        links = reader.edges([note.id for note in notes], (EdgeType.SUPERSEDES,))
    closed = [note for note in notes if note.valid_to_us is not None and any(one.dst == note.id for one in links)]
    assert any("Lyon" in note.text for note in closed)
    assert all(link.reason and 0 < link.weight_q8 <= 256 for link in links)
    assert [commit.cause for commit, _ in memory.history(closed[0].id)][-1] == "organize:standing"
    digest = memory.digest()
    assert memory.organize(organizer=every).changes == 0
    assert memory.digest() == digest


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_what_holds_shares_out_at_most_one(states: list[float]) -> None:
    found = holds(np.array(states), np.arange(len(states)))
    assert found.sum() <= 1.0 + 1e-9
    assert (found >= 0).all()


def test_the_models_are_small_and_of_the_widths_that_texts_are_read_in() -> None:
    pair = replaces().weights
    assert pair["st.0.w"].shape[0] == pair["P"].shape[1] + WIDTH
    assert sum(weight.size for weight in answers().weights.values()) < 250_000
    assert words_of("I don't live here.").shape == (WIDTH,)
    assert whom_of("Ada's flat", frozenset(["ada"]), True).shape == (WHOM,)
    assert asked_words("Where did Marek's sister live in May?") == {"marek"}


def test_a_statement_is_read_alike_alone_and_beside_longer_ones() -> None:
    """Padding changes nothing; a text without tokens states nothing."""
    embedder = default_embedder()
    question = embedder.query("Where do I live now?")
    texts = [
        "I have moved again, so I live in Geneva these days.",
        "Rain.",
        "",
        "It rained on the whole way home. " * 30,
    ]
    found = embedder.texts(texts, tokens=[True] * len(texts))
    named = frozenset(["ada"])
    whom = np.stack([whom_of(text, named, True) for text in texts])
    cosine = (found.vectors.astype(np.float32) @ question.vector).astype(np.float32)
    late = [sign_cosines(codes, question.tokens).max(0).mean() if len(codes) else 0.0 for codes in found.tokens]
    heard = Heard(list(found.tokens), whom, cosine, np.array(late, np.float32))
    together = answers()(question.tokens, heard)
    alone = [
        answers()(question.tokens, Heard([codes], whom[row, None], cosine[row, None], heard.tokens[row, None]))[0]
        for row, codes in enumerate(found.tokens)
    ]
    assert together == pytest.approx(np.array(alone), abs=1e-5)
    assert together[0] > 0.5 > together[1:].max()


def test_the_numpy_reading_is_the_network_that_was_fitted() -> None:
    torch = pytest.importorskip("torch")
    from tests.organize.training import answers as training

    network = training.Network().eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in answers().weights.items()})
    texts = ("I have moved again, so I live in Geneva these days.", "I would love to live in Marseille one day.")
    case = training.Case(
        "Where do I live now?", frozenset(["ada"]), tuple(training.Line(True, one, False) for one in texts)
    )
    known = training.embedded([case.form, *texts])
    rows = training.rows_of([case], known)
    with torch.no_grad():
        wanted = torch.sigmoid(network(training.batch_of(rows, known, hide=False))).numpy()
    heard = Heard(
        [known[row.text].signs for row in rows],
        np.stack([row.whom for row in rows]),
        np.array([row.cosine for row in rows], np.float32),
        np.array([row.tokens for row in rows], np.float32),
    )
    assert answers()(known[case.form].tokens.astype(np.float32), heard) == pytest.approx(wanted, abs=1e-4)


def test_what_one_person_says_in_nearly_the_same_words_states_the_same() -> None:
    said = ["I live in Turin now.", "I live in Zurich now.", "I live in Zurich now.", "We had a picnic."]
    sure = in_like_words(np.array([0.4, 0.2, 0.2, 0.1], np.float32), said, np.array([7, 7, 8, 7]))
    assert sure.tolist() == pytest.approx([0.4, 0.4, 0.2, 0.1])
