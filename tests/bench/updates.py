"""Knowledge updates: whether the turn that states the current value ranks above every turn with another value.

The data ships with the tests; each chain is a space of its own. The unseen half is scored here and read nowhere.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import graphmem
from graphmem.embed import Embedder, default_embedder
from graphmem.recall import BALANCED
from graphmem.recall.plan import without_standing
from graphmem.schema import EdgeType, NodeKind, PassageDraft, SourceDraft, instant
from tests.bench.table import Row

UPDATES = Path(__file__).parents[1] / "organize" / "updates"
LOOKED_AT = 20  # the best so many turns of an answer
FLOOR = 90

Chain = dict[str, Any]


def run(size: str) -> list[Row]:
    embedder = default_embedder()
    rows: list[Row] = []
    for half in ("seen", "unseen"):
        chains = [json.loads(line) for line in (UPDATES / f"{half}.jsonl").read_text(encoding="utf-8").splitlines()]
        chains = chains[::5] if size == "quick" and half == "seen" else chains
        rows += scored(half, chains, embedder, by_kind=half == "seen" and size != "quick")
    return rows


def scored(half: str, chains: list[Chain], embedder: Embedder, *, by_kind: bool) -> list[Row]:
    asked: dict[str, list[bool]] = {"now": [], "now, first of all": [], "now, standing off": [], "earlier": []}
    kinds: dict[str, list[bool]] = {}
    made: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for chain in chains:
            with graphmem.open(str(Path(folder) / "updates.db"), space=chain["id"], embedder=embedder) as memory:
                told(memory, chain)
                made += links(memory)
                for question in chain["questions"]:
                    ahead, top = placed(memory, question)
                    if "as_of" in question:
                        asked["earlier"].append(ahead)
                        continue
                    asked["now"].append(ahead)
                    asked["now, first of all"].append(top)
                    asked["now, standing off"].append(placed(memory, question, linked=False)[0])
                    kinds.setdefault(chain["attribute"], []).append(ahead)
    rows = [
        Row(f"updates {half}: {name}", 100 * sum(one) / max(1, len(one)), "%", FLOOR if name == "now" else None)
        for name, one in asked.items()
    ]
    rows += [Row(f"updates {half}: links that {kind}", made[kind], "") for kind in ("supersede", "follow")]
    if by_kind:
        rows += [Row(f"updates {half}: {kind}", 100 * sum(one) / len(one), "%") for kind, one in sorted(kinds.items())]
    return rows


def told(memory: graphmem.Memory, chain: Chain) -> None:
    """Session by session, as a conversation goes."""
    drafts = [
        PassageDraft(turn["text"], turn["ref"], turn["speaker"], at_us(turn["at"]), 0, turn["session"])
        for turn in chain["turns"]
    ]
    for session in dict.fromkeys(draft.section for draft in drafts):
        turns = [draft for draft in drafts if draft.section == session]
        memory.remember_many(turns, source=SourceDraft("conversation", chain["id"]), durable=False)


def at_us(text: str) -> int:
    return instant(datetime.fromisoformat(text).replace(tzinfo=timezone.utc))[0]


def placed(memory: graphmem.Memory, question: dict[str, Any], *, linked: bool = True) -> tuple[bool, bool]:
    """Whether a gold turn ranks above every stale one, and whether it ranks first of all."""
    plan = BALANCED if linked else without_standing(BALANCED)
    recall = memory.recall(question["text"], limit=LOOKED_AT, now=at_us(question["asked_at"]), plan=plan)
    refs = [ranked.passage.ref for ranked in recall.passages]
    gold, stale = (best_place(refs, question[name]) for name in ("gold", "stale"))
    return gold < stale, gold == 0


def best_place(refs: list[str | None], wanted: list[str]) -> int:
    return min((refs.index(ref) for ref in wanted if ref in refs), default=LOOKED_AT)


def links(memory: graphmem.Memory) -> Counter[str]:
    with memory.reader() as reader:
        notes = [note.id for note in reader.page(NodeKind.NOTE, limit=1_000)]
        edges = reader.edges(notes, (EdgeType.SUPERSEDES, EdgeType.FOLLOWS))
    return Counter("supersede" if edge.type == EdgeType.SUPERSEDES else "follow" for edge in edges)
