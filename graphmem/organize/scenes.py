"""Scenes and personas (Bi-Mem; AdaMem's persona memory): facts gather in scenes, scenes make a persona, by rules.

Upwards: what one participant said in an era is a graph (likeness, shared entities, links), its communities are scenes.
Downwards: what does not fit its place in the talk and does not come back on other occasions, or is somebody else's,
leaves its scene; the persona is made of the most plausible statements of the scenes that reach over most sessions.
A scene is minted once and keeps its id as long as a community holds at least half of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from graphmem.organize import eras
from graphmem.organize.changed import changed
from graphmem.organize.clusters import Gathering, communities
from graphmem.organize.facts import Facts, facts_of
from graphmem.organize.gist import best_first, by_centrality, keywords, says_something, statements, tags, text_of
from graphmem.organize.organizer import Piece, View
from graphmem.organize.personas import Persona, persona_piece
from graphmem.organize.reflection import Reflection
from graphmem.organize.stale import removable
from graphmem.schema import EdgeType, Id, NodeKind, Note, NoteKind, identity, q8
from graphmem.stores.base import Numbers, Reader

STATEMENT_CHARS = 320
#: A community keeps the id of a stored scene when it holds this share of that scene's notes.
KEPT_FROM = 0.5


@dataclass(frozen=True, slots=True)
class Scene:
    """A community: rows into the facts, most central first, and the note that it is or becomes."""

    rows: tuple[int, ...]
    note: Note


@dataclass(frozen=True, slots=True)
class Scenes:
    """`reflects` False leaves the downward pass out, for an ablation. One pass costs O(eras that changed); an era is
    20 MB of vectors and similarities and some seconds."""

    gathering: Gathering = field(default_factory=Gathering)
    reflection: Reflection = field(default_factory=Reflection)
    persona: Persona = field(default_factory=Persona)
    reflects: bool = True
    name: str = "scenes"

    def pieces(self, view: View) -> Iterator[Piece]:
        for index, wanted in self._dirty(view):
            with view.reader() as reader:
                subjects = list(facts_of(reader, eras.read(reader, index), wanted, self.reflection))
            for facts in subjects:
                yield from self._of_subject(view, index, facts)

    def _dirty(self, view: View) -> list[tuple[int, Numbers | None]]:
        """Eras with the subjects in them that something new was said by; None: all."""
        with view.reader() as reader:
            news = changed(reader, view.since)
            if news.everything:
                return [(index, None) for index in eras.eras(reader)]
            heads = reader.heads(news.numbers)
            subjects = np.where(heads.speaker > 0, heads.speaker, -heads.source)
            index = news.numbers // eras.SPAN
            retired = heads.kind == 0
            return [
                (at, None if retired[index == at].any() else np.unique(subjects[index == at]))
                for at in np.unique(index[retired | (heads.kind == NodeKind.NOTE)]).tolist()
            ]

    def _of_subject(self, view: View, index: int, facts: Facts) -> Iterator[Piece]:
        with view.reader() as reader:
            stored = stored_scenes(reader, facts)
            found = self._scenes(view, reader, facts, stored)
            now = {scene.note.id for scene in found}
            new = [scene.note for scene in found if scene.note != stored.get(scene.note.id)]
            gone = removable(reader, [note for id, note in sorted(stored.items()) if id not in now])
        told = tuple(f"scene: {owned(facts, note)} — {len(note.parents)} notes" for note in new)
        yield Piece(tuple(new), delete=gone, told=told)
        if facts.is_person:
            reflection = self.reflection if self.reflects else None
            with view.reader() as reader:
                rolled = [(scene.note, scene.rows) for scene in found]
                yield persona_piece(view.space.key, reader, facts, rolled, index, by=self.persona, reflect=reflection)

    def _scenes(self, view: View, reader: Reader, facts: Facts, stored: dict[Id, Note]) -> list[Scene]:
        found = communities(facts.vectors, eras.bonds(reader, facts.numbers), self.gathering)
        if self.reflects:
            out = facts.left_out(self.reflection)
            found = [[row for row in rows if not out[row]] for rows in found]
        found = [rows for rows in found if len(rows) >= self.gathering.least]
        ordered = [self._by_centrality(facts, rows) for rows in found]
        members = [frozenset(facts.notes[row].id for row in rows) for rows in ordered]
        ids = kept(members, {id: frozenset(note.parents) for id, note in stored.items()})
        named = [ids.get(at) or minted(view.space.key, facts.subject, of, stored) for at, of in enumerate(members)]
        return [
            Scene(tuple(rows), scene_note(facts, rows, id, stored.get(id), reflects=self.reflects))
            for id, rows in zip(named, ordered, strict=True)
        ]

    def _by_centrality(self, facts: Facts, rows: Sequence[int]) -> list[int]:
        order = by_centrality(facts.vectors[list(rows)], [facts.notes[row].id for row in rows])
        return [rows[at] for at in order][: self.gathering.most]


def stored_scenes(reader: Reader, facts: Facts) -> dict[Id, Note]:
    """The subject's stored scenes that hold any of these facts."""
    edges = reader.neighbours(facts.numbers, (EdgeType.DERIVED,))
    nodes = reader.nodes(np.unique(edges.number[~edges.forward]))
    return {
        node.id: node
        for node in nodes
        if isinstance(node, Note) and node.kind is NoteKind.SCENE and node.subject == facts.subject
    }


def kept(members: Sequence[frozenset[Id]], stored: dict[Id, frozenset[Id]]) -> dict[int, Id]:
    """Which community keeps which scene's id: the best Jaccard first (ties by id, then by place), each once, and
    only where the community holds at least KEPT_FROM of the scene. Looks only at pairs that share a note."""
    holding: dict[Id, list[int]] = {}
    for at, notes in enumerate(members):
        for note in notes:
            holding.setdefault(note, []).append(at)
    pairs = []
    for id, old in stored.items():
        for at in {at for note in old for at in holding.get(note, ())}:
            both = len(members[at] & old)
            if both >= KEPT_FROM * len(old):
                pairs.append((-both / len(members[at] | old), id, at))
    ids: dict[int, Id] = {}
    taken: set[Id] = set()
    for _, id, at in sorted(pairs):
        if at not in ids and id not in taken:
            ids[at] = id
            taken.add(id)
    return ids


def minted(key: bytes, subject: Id, members: frozenset[Id], stored: dict[Id, Note]) -> Id:
    """A new scene is named after the notes it begins with; by a count, should a scene that drifted hold that name."""
    again = 0
    while (id := identity(key, "note", NoteKind.SCENE, subject, again, *sorted(members))) in stored:
        again += 1
    return id


def scene_note(facts: Facts, rows: Sequence[int], id: Id, old: Note | None, *, reflects: bool) -> Note:
    """Its confidence says how plausible its facts are, 1/2 for the middle of all that the subject said. A stored scene
    of the same facts stays as it is, though its words may weigh otherwise by now."""
    if old is not None and old.parents == tuple(facts.notes[row].id for row in rows):
        return old
    notes, vectors = [facts.notes[row] for row in rows], facts.vectors[list(rows)]
    order = best_first(notes, [at for at, note in enumerate(notes) if says_something(note)] or range(len(rows)))
    words = keywords(notes, order, facts.background)
    sessions = len(set(facts.session[list(rows)].tolist()))
    return Note(
        id,
        NoteKind.SCENE,
        text_of(facts.name, words, statements(notes, vectors, order, STATEMENT_CHARS)),
        parents=tuple(note.id for note in notes),
        context=f"{facts.name}, {sessions} session{'s' if sessions > 1 else ''}",
        keywords=words,
        tags=tags(notes),
        confidence_q8=q8(float(1 / (1 + np.exp(-facts.plausible[list(rows)].mean()))) if reflects else 1.0),
        subject=facts.subject,
        version=old.version if old is not None else 0,
    )


def owned(facts: Facts, note: Note) -> str:
    matter = ", ".join(note.keywords[:2]) or note.text[:40]
    return f"{facts.name}'s {matter}" if facts.is_person else f"{facts.name}: {matter}"
