"""Episodes (HiMem), scenes and personas (Bi-Mem) over LoCoMo dev.

Scenes: how often two turns of one speaker that a multi-hop question needs, from two sessions, share a scene, over the
chance of two of the same speaker's turns. Personas: what share of a persona's statements is noise when turns that are
not hers were put in: the other speaker's, strangers' (from the other conversations), sentences of documents; by the
upward pass alone and with the reflective one. One store a conversation, nothing is written when passes are compared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import combinations, cycle
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

import graphmem
from graphmem.embed import Embedder, default_embedder
from graphmem.embed.base import QueryVectors, TextVectors
from graphmem.memory import Memory
from graphmem.organize import View
from graphmem.organize.scenes import Scenes
from graphmem.schema import Id, Note, NoteKind, Passage, PassageDraft, SourceDraft
from tests.bench import data, segmentation
from tests.bench.recallbench_adapter import draft
from tests.bench.table import Row

RATES = (0.05, 0.1, 0.2)
NOISE = "noise "
MIXED = ("the other speaker's", "strangers'", "documents'")
FLOOR = 0.02  # of a persona's statements may be noise at any rate


def run(size: str) -> list[Row]:
    if not data.present():
        return [Row("scenes", None, skipped=data.ABSENT)]
    data.use_scorer()
    from recallbench.data import load_path

    tasks, embedder = load_path(data.DATA / "locomo-dev"), Once(default_embedder())
    pages = [unit.text for unit in load_path(data.DATA / "musique-dev")[0].units[:600]]
    chosen = range(len(tasks)) if size != "quick" else range(1)
    rows = list(_episodes([tasks[i] for i in chosen], embedder))
    rows += _scenes([tasks[i] for i in chosen], embedder)
    world = World([[draft(unit) for unit in task.units] for task in tasks], pages)
    kinds = [MIXED, *((kind,) for kind in MIXED)] if size != "quick" else [MIXED]
    for noise in kinds:
        for rate in RATES if size != "quick" else RATES[1:2]:
            rows += _noise(world, chosen, noise, rate, embedder)
    return rows


# -- episodes


def _episodes(tasks: Sequence[Any], embedder: Embedder) -> Iterator[Row]:
    def phrases(texts: list[str]) -> npt.NDArray[np.float32]:
        return np.asarray(embedder.texts(texts).vectors, np.float32)

    dialogues = []
    for task in tasks:
        turns = [draft(unit) for unit in task.units]
        gold = [i for i in range(1, len(turns)) if turns[i].section != turns[i - 1].section]
        vectors = phrases([turn.text for turn in turns])
        dialogues.append(segmentation.Dialogue(vectors, [turn.at_us or 0 for turn in turns], gold))
    yield from segmentation.rows(dialogues, phrases)


# -- scenes


def _scenes(tasks: Sequence[Any], embedder: Embedder) -> Iterator[Row]:
    together, chance, pairs, sizes = 0, 0.0, 0, list[int]()
    for task in tasks:
        turns = [draft(unit) for unit in task.units]
        with remembered(turns, embedder) as memory:
            notes = made(memory, Scenes())
            refs = refs_of(memory, notes)
        scenes: dict[str, set[Id]] = {}
        for scene in (note for note in notes if note.kind is NoteKind.SCENE):
            sizes.append(len(scene.parents))
            for parent in scene.parents:
                scenes.setdefault(refs[parent], set()).add(scene.id)
        by_ref = {turn.ref or "": turn for turn in turns}
        for query in (query for query in task.queries if query.category == "multi-hop"):
            for one, other in combinations(sorted(query.gold), 2):
                a, b = by_ref[one], by_ref[other]
                if a.speaker == b.speaker and a.section != b.section:
                    pairs += 1
                    together += bool(scenes.get(one, set()) & scenes.get(other, set()))
                    chance += by_chance(turns, a.speaker, scenes)
    yield Row("scenes of LoCoMo dev", len(sizes), "scenes")
    yield Row("notes of a scene, median", float(np.median(sizes)), "notes")
    yield Row("two turns that a multi-hop question needs share a scene", 100 * together / pairs, "%")
    yield Row("as often as by chance", together / chance, "times", 3.0)


def by_chance(turns: Sequence[PassageDraft], speaker: str | None, scenes: dict[str, set[Id]]) -> float:
    """The share of pairs of a speaker's turns of two sessions that share a scene, by 200 draws."""
    mine, draws = [turn for turn in turns if turn.speaker == speaker], Random(0)
    drawn = [draws.sample(mine, 2) for _ in range(200)]
    apart = [(a.ref or "", b.ref or "") for a, b in drawn if a.section != b.section]
    return sum(bool(scenes.get(a, set()) & scenes.get(b, set())) for a, b in apart) / len(apart)


# -- noise


@dataclass(frozen=True, slots=True)
class World:
    """The turns of all conversations, and texts of documents."""

    conversations: list[list[PassageDraft]]
    pages: list[str]

    def noisy(self, index: int, kinds: Sequence[str], rate: float) -> list[PassageDraft]:
        """The conversation with turns put in at random places, as many as make up `rate` of each speaker's."""
        turns = list(self.conversations[index])
        for speaker in sorted({turn.speaker or "" for turn in turns}):
            draws = Random(f"{index} {speaker} {rate}")
            pools = cycle([self._pool(index, speaker, kind, draws) for kind in kinds])
            own = sum(turn.speaker == speaker for turn in self.conversations[index])
            for count in range(round(rate / (1 - rate) * own)):
                at = draws.randrange(1, len(turns))
                place, text = turns[at], next(pools).pop()
                ref = f"{NOISE}{speaker} {count}"
                turns.insert(at, replace(place, text=text, ref=ref, speaker=speaker, meta={}))
        return turns

    def _pool(self, index: int, speaker: str, kind: str, draws: Random) -> list[str]:
        if kind == MIXED[0]:
            texts = [turn.text for turn in self.conversations[index] if turn.speaker != speaker]
        elif kind == MIXED[1]:
            others = (turns for i, turns in enumerate(self.conversations) if i != index)
            texts = [turn.text for turns in others for turn in turns]
        else:
            texts = list(self.pages)
        draws.shuffle(texts)
        return texts


@dataclass(slots=True)
class Share:
    """How many of the statements counted are noise."""

    noise: int = 0
    all: int = 0

    def count(self, parents: Sequence[Id], refs: dict[Id, str]) -> None:
        self.noise += sum(refs[parent].startswith(NOISE) for parent in parents)
        self.all += len(parents)

    @property
    def percent(self) -> float:
        return 100 * self.noise / max(1, self.all)


def _noise(
    world: World, conversations: Sequence[int], kinds: Sequence[str], rate: float, embedder: Embedder
) -> Iterator[Row]:
    shares: dict[tuple[bool, NoteKind], Share] = {}
    for index in conversations:
        with remembered(world.noisy(index, kinds, rate), embedder) as memory:
            for reflects in (False, True):
                notes = made(memory, Scenes(reflects=reflects))
                refs = refs_of(memory, notes)
                for note in notes:
                    shares.setdefault((reflects, note.kind), Share()).count(note.parents, refs)
    said = f"{100 * rate:.0f} % of the turns are {' and '.join(kinds) if len(kinds) == 1 else 'noise of all kinds'}"
    for kind in (NoteKind.SCENE, NoteKind.PERSONA):
        for reflects in (False, True):
            how = "both passes" if reflects else "upward pass alone"
            floor = 100 * FLOOR if reflects and kind is NoteKind.PERSONA else None
            yield Row(f"{said}: noise in {kind}s, {how}", shares[reflects, kind].percent, "%", floor, at_most=True)
    personas = 2 * len(conversations)
    yield Row(f"{said}: statements of a persona", shares[True, NoteKind.PERSONA].all / personas, "notes")


# -- a memory of these turns


@dataclass(slots=True)
class Once:
    """An embedder that keeps what it made: the same turns are embedded once for all stores."""

    inner: Embedder
    known: dict[tuple[str, bool], tuple[npt.NDArray[np.float16], npt.NDArray[np.uint8]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def dimension(self) -> int:
        return self.inner.dimension

    def query(self, text: str) -> QueryVectors:
        return self.inner.query(text)

    def texts(self, texts: Sequence[str], *, tokens: Sequence[bool] | None = None) -> TextVectors:
        wanted = list(tokens) if tokens is not None else [False] * len(texts)
        keys = list(zip(texts, wanted, strict=True))
        new = [key for key in dict.fromkeys(keys) if key not in self.known]
        if new:
            embedded = self.inner.texts([text for text, _ in new], tokens=[want for _, want in new])
            self.known.update(zip(new, zip(embedded.vectors, embedded.tokens, strict=True), strict=True))
        told = [self.known[key] for key in keys]
        return TextVectors(np.stack([vector for vector, _ in told]), tuple(codes for _, codes in told))


@contextmanager
def remembered(turns: Sequence[PassageDraft], embedder: Embedder) -> Iterator[Memory]:
    with (
        tempfile.TemporaryDirectory(prefix="graphmem-bench-") as folder,
        graphmem.open(str(Path(folder) / "bench.db"), embedder=embedder) as memory,
    ):
        memory.remember_many(turns, source=SourceDraft("conversation", "bench"), durable=False)
        yield memory


def made(memory: Memory, step: Scenes) -> list[Note]:
    """The notes that the step would write."""
    view = View(memory.store, memory.space, memory.embedder, now_us=0)
    return [node for piece in step.pieces(view) for node in piece.nodes if isinstance(node, Note)]


def refs_of(memory: Memory, notes: Sequence[Note]) -> dict[Id, str]:
    """The outside id of the turn that each of the notes' parents stands in."""
    parents = list({parent for note in notes for parent in note.parents})
    with memory.reader() as reader:
        spoken = {node.id: node.spans[0].passage for node in reader.get(parents).values() if isinstance(node, Note)}
        turns = reader.get(sorted(set(spoken.values())))
    return {id: turns[at].ref or "" for id, at in spoken.items() if isinstance(turns[at], Passage)}
