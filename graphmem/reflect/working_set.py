"""What a conversation has in mind now: its last turns and what they light up, within a budget (AdaMem)."""

from __future__ import annotations

from graphmem.embed import Embedder
from graphmem.errors import InputError, NotFound
from graphmem.recall.plan import FAST
from graphmem.recall.recall import CHARS_A_TOKEN, Clock, recalled
from graphmem.schema import Hit, Passage, Space, WorkingSet
from graphmem.stores.base import Reader, Store

#: Last turns at most, the last of them whose words are looked up, and what these may light up.
TURNS = 8
ASKING = 2
LIT = 10
ASKED_CHARS = 600


def working_set(
    store: Store, space: Space, embedder: Embedder, *, kind: str, source: str, tokens: int, now_us: int | None
) -> WorkingSet:
    """Half of the tokens at most go to the turns, the newest first; what they leave goes to what they light up. One
    recall. A newest turn that alone does not fit is kept: a working set without it would be of something else."""
    if tokens < 1:
        raise InputError(f"tokens {tokens} is below 1", hint="a working set of some turns takes a few hundred")
    with store.reader(space) as reader:
        turns = last_turns(reader, kind, source)
        kept: list[Passage] = []
        used = 0
        for turn in reversed(turns):
            cost = size(turn)
            if kept and used + cost > tokens // 2:
                break
            kept.append(turn)
            used += cost
        asked = " ".join(turn.text for turn in reversed(kept[:ASKING]))[:ASKED_CHARS]
        found = recalled(reader, asked, embedder, Clock(None), plan=FAST, limit=LIT + TURNS, now_us=now_us)
    lit: list[Hit] = []
    here = {turn.id for turn in kept}
    for hit in found.hits:
        if hit.passage is None or hit.passage.id in here:
            continue
        if len(lit) == LIT or used + size(hit.passage) > tokens:
            break
        lit.append(hit)
        used += size(hit.passage)
    return WorkingSet(tuple(reversed(kept)), tuple(lit), used)


def last_turns(reader: Reader, kind: str, source: str) -> list[Passage]:
    found = reader.find_source(kind, source)
    if found is None:
        raise NotFound(f"no {kind} {source!r} in memory", hint="name the source that the turns were remembered in")
    ids = reader.passages_of(found.id)[-TURNS:]
    nodes = reader.get(ids)
    return [node for id in ids if isinstance(node := nodes.get(id), Passage)]


def size(passage: Passage) -> int:
    """Tokens of a passage, at four characters each."""
    return -(-len(passage.text) // CHARS_A_TOKEN)
