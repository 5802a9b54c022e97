"""After forget, no byte of what was erased is in any file of the store: searched as raw bytes, as whole and by word."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from graphmem.schema import (
    Alias,
    Batch,
    Edge,
    EdgeType,
    Item,
    ItemState,
    JobState,
    NodeKind,
    Passage,
    PassageDraft,
    Refusal,
    SourceDraft,
    Space,
)
from graphmem.stores.sqlite import SqliteStore
from tests.stores.building import Chat, sentences
from tests.stores.test_contract import sound

CANARIES = ("Zyqqoria", "quvvexil", "Brontwickle", "Vlorpation", "Mibbersnaf", "Quaxelby", "fendlewort", "Stranvik")


def occurrences(folder: Path, *words: str) -> dict[str, int]:
    """How often each word is in the raw bytes of the folder's files, in either case and both usual encodings."""
    raw = b"".join(file.read_bytes() for file in sorted(folder.iterdir()))
    found = {}
    for word in words:
        forms = {form.encode(code) for form in (word, word.lower(), word.casefold()) for code in ("utf-8", "utf-16-le")}
        found[word] = sum(raw.count(form) for form in forms)
    return {word: count for word, count in found.items() if count}


def fill(store: SqliteStore, space: Space, name: str, count: int, seed: int) -> None:
    chat = Chat(space, name)
    turns = [chat.turn(n, text, "Ada", "Lake") for n, text in enumerate(sentences(count, seed))]
    for start in range(0, count, 50):
        store.write(space, chat.batch(*turns[start : start + 50], before=turns[start - 1] if start else None))


def test_words_of_a_forgotten_turn_are_in_no_file(sqlite: SqliteStore) -> None:
    """In its text, speaker, caption, names, aliases, title, notes updated before, links, items and refusals."""
    space = sqlite.space("default")
    fill(sqlite, space, "before", 300, 1)
    job = sqlite.open_job(space, {"paths": ["chat Mibbersnaf.json"]})
    chat = Chat(space, "chat Mibbersnaf.json", title="The Mibbersnaf papers")
    text = "My locker code quvvexil is kept in Brontwickle."
    turn = chat.turn(0, text, "Zyqqoria", "Brontwickle", caption="a Vlorpation on a wall")
    turn = replace(turn, aliases=(*turn.aliases, Alias("fendlewort", turn.entities[0].id, turn.passage.id)))
    items = (Item(job.id, "chat Mibbersnaf.json", ItemState.FAILED, 1, "quvvexil is no date", "line Stranvik"),)
    refusals = (Refusal("construct", turn.passage.id, "Brontwickle is no place", "Zyqqoria AT Brontwickle"),)
    sqlite.write(space, chat.batch(turn, job=job.id, items=items, refusals=refusals))
    for version, context in ((1, "Quaxelby asked"), (2, "nobody asked")):
        sqlite.write(space, Batch(nodes=(replace(turn.note, context=context, version=version),)))
    with sqlite.reader(space) as reader:
        other = next(node for node in reader.page(NodeKind.NOTE) if node.id != turn.note.id)
    link = Edge(turn.note.id, EdgeType.SIMILAR, other.id, 9, "both name Stranvik")
    sqlite.write(space, Batch(edges=(link,)))
    sqlite.write(space, Batch(edges=(replace(link, weight_q8=99, reason="both name Stranvik twice"),)))
    fill(sqlite, space, "after", 300, 2)
    assert set(occurrences(sqlite.path.parent, *CANARIES)) == set(CANARIES)
    sqlite.forget(space, [turn.passage.id])
    assert occurrences(sqlite.path.parent, *CANARIES, text, turn.passage.id) == {}
    assert sound(sqlite, space)
    sqlite.close()
    assert occurrences(sqlite.path.parent, *CANARIES, text) == {}


def test_what_was_deleted_or_undone_before_is_erased_from_the_journal_too(sqlite: SqliteStore) -> None:
    space = sqlite.space("default")
    chat = Chat(space)
    turn = chat.turn(0, "The code is quvvexil.", "Zyqqoria")
    sqlite.write(space, chat.batch(turn))
    sqlite.write(space, Batch(delete=((turn.note.id, 1),)))
    job = sqlite.open_job(space, {})
    undone = chat.turn(1, "The place is Brontwickle.", "Ada")
    sqlite.write(space, chat.batch(undone, job=job.id))
    sqlite.undo(space, job.id)
    assert occurrences(sqlite.path.parent, "quvvexil")
    sqlite.forget(space, [turn.passage.id, undone.passage.id])
    assert occurrences(sqlite.path.parent, "quvvexil", "Zyqqoria") == {}
    assert sound(sqlite, space)


def test_the_context_of_the_next_turns_note_does_not_repeat_what_is_forgotten(sqlite: SqliteStore) -> None:
    space = sqlite.space("default")
    chat = Chat(space)
    asked = chat.turn(0, "Is quvvexil your code?", "Ben")
    said = chat.turn(1, "Yes, it is mine.", "Ada", context="Ben asked: Is quvvexil your code?")
    said = replace(said, note=replace(said.note, keywords=("mine", "quvvexil")))
    third = chat.turn(2, "Good to know.", "Ben", context="Ada said: Yes, it is mine.")
    sqlite.write(space, chat.batch(asked, said, third))
    sqlite.forget(space, [asked.passage.id])
    assert occurrences(sqlite.path.parent, "quvvexil") == {}
    with sqlite.reader(space) as reader:
        kept = reader.get([said.note.id, third.note.id])
        assert kept[said.note.id] == replace(said.note, context="", keywords=("mine",), version=2)
        assert kept[third.note.id] == replace(third.note, version=1)
    assert sound(sqlite, space)


def test_a_name_that_only_the_forgotten_turn_spells_is_replaced(sqlite: SqliteStore) -> None:
    space = sqlite.space("default")
    chat = Chat(space)
    turn = chat.turn(0, "Hello, I am new.", "Zyqqoria Zed")
    zed = turn.entities[0]
    later = chat.turn(1, "Zed waved at us.", "Ada")
    later = replace(
        later,
        edges=(*later.edges, Edge(later.passage.id, EdgeType.MENTIONS, zed.id)),
        aliases=(*later.aliases, Alias("zed", zed.id, turn.passage.id)),
    )
    sqlite.write(space, chat.batch(turn, later))
    sqlite.forget(space, [turn.passage.id])
    assert occurrences(sqlite.path.parent, "Zyqqoria") == {}
    with sqlite.reader(space) as reader:
        assert reader.get([zed.id])[zed.id].name == "Zed"  # type: ignore[union-attr]
        assert reader.entities(["zed"]).number.tolist() == reader.numbers([zed.id]).tolist()
    assert sound(sqlite, space)


def test_a_forgotten_space_leaves_nothing_but_its_tombstone(sqlite: SqliteStore) -> None:
    space, other = sqlite.space("Quaxelby"), sqlite.space("other")
    fill(sqlite, other, "kept", 100, 3)
    chat = Chat(space)
    sqlite.write(space, chat.batch(chat.turn(0, "The code is quvvexil.", "Zyqqoria", "Brontwickle")))
    sqlite.forget_space(space)
    words = ("quvvexil", "Zyqqoria", "Brontwickle", "Quaxelby", "conversation chat")
    assert occurrences(sqlite.path.parent, *words) == {}
    assert space.key not in b"".join(file.read_bytes() for file in sqlite.path.parent.iterdir())
    assert sound(sqlite, other)


def test_a_reader_that_holds_an_old_snapshot_is_told_of(sqlite: SqliteStore) -> None:
    space = sqlite.space("default")
    chat = Chat(space)
    turn = chat.turn(0, "The code is quvvexil.")
    sqlite.write(space, chat.batch(turn, chat.turn(1, "The gate is blue.")))
    with sqlite.reader(space) as reader:
        assert reader.counts()["passage"] == 2
        report = sqlite.forget(space, [turn.passage.id])
        assert any("snapshot" in remark for remark in report.remarks)
    sqlite.close()
    assert occurrences(sqlite.path.parent, "quvvexil") == {}


def test_a_process_that_dies_before_the_bytes_are_wiped_leaves_it_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    script = (
        "import os, sys; from pathlib import Path; from tests.stores.test_sqlite_erase import *;"
        "from graphmem.stores.sqlite import erase; erase.wipe = lambda db: os.kill(os.getpid(), 9);"
        "store = SqliteStore(sys.argv[1]); space = store.space('default'); chat = Chat(space);"
        "turn = chat.turn(0, 'The code is quvvexil.'); batch = chat.batch(turn, chat.turn(1, 'It is blue.'));"
        "store.write(space, batch);"
        "store.forget(space, [turn.passage.id])"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], cwd=Path(__file__).parents[2], check=False)
    assert occurrences(tmp_path, "quvvexil")
    store = SqliteStore(path)
    assert occurrences(tmp_path, "quvvexil") == {}
    assert sound(store, store.space("default"))
    store.close()


@pytest.mark.parametrize("kind", ["conversation", "document"])
def test_nothing_of_a_turn_stays_after_the_whole_pipeline(tmp_path: Path, kind: str) -> None:
    import graphmem
    from graphmem.embed import HashEmbedder

    folder = tmp_path / "store"
    folder.mkdir()
    drafts = [
        PassageDraft("Where is the garden gate key kept?", "a", "Ada", 0, section="s"),
        PassageDraft(
            "Zyqqoria Quaxelby keeps quvvexil in Brontwickle since yesterday.", "b", "Zyqqoria Quaxelby", 1, section="s"
        ),
        PassageDraft("Oh, I see. Is that safe?", "c", "Ada", 2, section="s"),
        PassageDraft("It is safe, she said.", "d", "Ada", 3, section="s"),
    ]
    with graphmem.open(str(folder / "store.db"), embedder=HashEmbedder()) as memory:
        memory.remember_many(drafts, source=SourceDraft(kind, "talk", digest="d1"))
        with memory.reader() as reader:
            source = reader.find_source(kind, "talk")
            assert source is not None
            ids = reader.passages_of(source.id)
            passages = reader.get(ids)
            gone = next(id for id in ids if isinstance(passages[id], Passage) and "quvvexil" in passages[id].text)  # type: ignore[union-attr]
        memory.forget(gone)
        assert memory.check() == []
        words = ("Zyqqoria", "Quaxelby", "quvvexil", "Brontwickle", "yesterday")
        assert occurrences(folder, *words) == {}
        assert memory.counts()["passage"] == 3


def test_a_job_whose_turns_are_erased_says_nothing_of_them(sqlite: SqliteStore) -> None:
    space = sqlite.space("default")
    job = sqlite.open_job(space, {"paths": ["Quaxelby.json"]})
    chat = Chat(space, "Quaxelby.json")
    turn = chat.turn(0, "The gate is blue.")
    sqlite.write(space, chat.batch(turn, job=job.id, items=(Item(job.id, "Quaxelby.json", ItemState.DONE, 1),)))
    sqlite.close_job(space, job.id, JobState.DONE)
    sqlite.forget(space, [chat.source.id])
    assert occurrences(sqlite.path.parent, "Quaxelby") == {}
    with sqlite.reader(space) as reader:
        assert [item.state for item in reader.items(job.id)] == [ItemState.DONE]
