"""What an erasure leaves behind in rows that stay: names first heard in it, contexts that repeat it, jobs and refusals
that speak of it. Each is taken out or written anew without it."""

from __future__ import annotations

import json
import secrets
import sqlite3
from dataclasses import dataclass

from graphmem.analysis import indexed_text, terms
from graphmem.schema import EdgeType, Id, Passage, Source, fold
from graphmem.stores.canonical import as_json
from graphmem.stores.sqlite.ids import ids_of
from graphmem.stores.sqlite.keys import listed
from graphmem.stores.sqlite.rows import load

FOLLOWERS = f"""SELECT DISTINCT note.n, note.context, note.keywords, note.tags, own.dst
  FROM edge AS next JOIN edge AS own ON own.dst = next.dst AND own.type = {int(EdgeType.FROM)}
  JOIN note ON note.n = own.src
  WHERE next.src IN (SELECT value FROM json_each(?)) AND next.type = {int(EdgeType.NEXT)}"""
REWRITE_NOTE = "UPDATE note SET context = ?, keywords = ?, tags = ? WHERE n = ?"
NEW_VERSION = "UPDATE node SET version = version + 1 WHERE n IN (SELECT value FROM json_each(?))"
NAMES = """SELECT DISTINCT entity.n, entity.name FROM edge JOIN entity ON entity.n = edge.dst
  WHERE edge.src IN (SELECT value FROM json_each(?))"""
WHO_NAMES = """SELECT DISTINCT src FROM edge WHERE dst = ? AND src NOT IN (SELECT value FROM json_each(?)) LIMIT 2000"""
ALIASES = "SELECT folded, entity, passage FROM alias WHERE entity IN (SELECT value FROM json_each(?))"
STRAY_ALIASES = (
    "SELECT folded, entity, passage FROM alias WHERE space = ? AND passage IN (SELECT value FROM json_each(?))"
)
DROP_ALIAS = "DELETE FROM alias WHERE space = ? AND folded = ? AND entity = ?"
SEEN_ELSEWHERE = "UPDATE alias SET passage = ? WHERE space = ? AND folded = ? AND entity = ?"
RENAME = "UPDATE entity SET name = ? WHERE n = ?"
DROP_REFUSALS = "DELETE FROM refusal WHERE space = ? AND input IN (SELECT value FROM json_each(?))"
BLANK_ITEMS = (
    """UPDATE item SET error = '', position = '' WHERE space = ? AND job IN (SELECT value FROM json_each(?))"""
)
ITEMS = "SELECT job, key, error, position FROM item WHERE space = ?"
RENAME_ITEM = "UPDATE OR REPLACE item SET key = ? WHERE space = ? AND job = ? AND key = ?"
JOBS = "SELECT id, spec FROM job WHERE space = ?"
SET_SPEC = "UPDATE job SET spec = ? WHERE space = ? AND id = ?"

NAMELESS = "someone"


@dataclass(slots=True)
class Text:
    """What is being erased, in words, taken down before it goes."""

    space: int
    gone: set[int]
    ids: list[Id]
    words: set[str]  # terms of erased passages
    outside: list[str]  # outside ids and titles of erased sources
    followers: list[tuple[int, str, str, str, int]]
    entities: list[tuple[int, str]]
    aliases: list[tuple[str, int, int | None]]
    naming: dict[int, list[int]]

    @classmethod
    def of(cls, db: sqlite3.Connection, space: int, gone: set[int]) -> Text:
        keys = listed(sorted(gone))
        nodes = load(db, sorted(gone)).values()
        words = {word for node in nodes if isinstance(node, Passage) for word in terms(indexed_text(node))}
        sources = [node for node in nodes if isinstance(node, Source)]
        entities = [row for row in db.execute(NAMES, (keys,)) if row[0] not in gone]
        aliases = set(db.execute(ALIASES, (listed([n for n, _ in entities]),)))
        aliases |= {row for row in db.execute(STRAY_ALIASES, (space, keys)) if row[1] not in gone}
        known = {n for n, _ in entities} | {entity for _, entity, _ in aliases}
        return cls(
            space,
            gone,
            list(ids_of(db, sorted(gone)).values()),
            words,
            [text for source in sources for text in (source.outside_id, source.title) if text],
            [row for row in db.execute(FOLLOWERS, (keys,)) if row[0] not in gone],
            entities,
            sorted(aliases, key=lambda row: (row[1], row[0])),
            {n: naming(db, n, gone) for n in sorted(known)},
        )

    def scrub(self, db: sqlite3.Connection, jobs: set[Id]) -> set[int]:
        """Keys of the nodes that were rewritten: their before-images go too."""
        changed = self._contexts(db) | self._names(db)
        db.execute(NEW_VERSION, (listed(sorted(changed)),))
        self._refusals(db)
        self._jobs(db, jobs)
        return changed

    def _contexts(self, db: sqlite3.Connection) -> set[int]:
        """The note of a turn may carry the question before it: what it has of it alone goes."""
        own = load(db, sorted({row[4] for row in self.followers}))
        changed = set()
        for n, context, keywords, tags, passage in self.followers:
            node = own[passage]
            mine = set(terms(indexed_text(node))) if isinstance(node, Passage) else set[str]()
            foreign = self.words - mine
            kept = [[word for word in json.loads(part) if not foreign & set(terms(word))] for part in (keywords, tags)]
            clean = "" if foreign & set(terms(context)) else context
            after = (clean, as_json(kept[0]), as_json(kept[1]))
            if after != (context, as_json(json.loads(keywords)), as_json(json.loads(tags))):
                db.execute(REWRITE_NOTE, (*after, n))
                changed.add(n)
        return changed

    def _names(self, db: sqlite3.Connection) -> set[int]:
        """Aliases that no text which stays spells go; an entity whose name does not occur any more takes another."""
        spelled = {entity: texts_of(db, srcs) for entity, srcs in self.naming.items()}
        left: dict[int, list[str]] = {}
        for folded, entity, passage in self.aliases:
            known = passage is not None and passage not in self.gone
            where = passage if known else next((n for n, text in spelled[entity] if folded in text), None)
            if where is None:
                db.execute(DROP_ALIAS, (self.space, folded, entity))
                continue
            left.setdefault(entity, []).append(folded)
            db.execute(SEEN_ELSEWHERE, (where, self.space, folded, entity))
        changed = set()
        for n, name in self.entities:
            if fold(name) not in left.get(n, ()) and not any(fold(name) in text for _, text in spelled[n]):
                db.execute(RENAME, (next(iter(left.get(n, ())), NAMELESS).title(), n))
                changed.add(n)
        return changed

    def _refusals(self, db: sqlite3.Connection) -> None:
        db.execute(DROP_REFUSALS, (self.space, listed_text(self.ids)))

    def _jobs(self, db: sqlite3.Connection, jobs: set[Id]) -> None:
        """Messages of items of the jobs that wrote what goes; paths that name an erased source."""
        db.execute(BLANK_ITEMS, (self.space, listed_text(sorted(jobs))))
        for job, key, *_ in db.execute(ITEMS, (self.space,)).fetchall():
            if any(text in key for text in self.outside):
                db.execute(RENAME_ITEM, (f"forgotten-{secrets.token_hex(8)}", self.space, job, key))
        for job, spec in db.execute(JOBS, (self.space,)).fetchall():
            if any(as_json(text)[1:-1] in spec for text in self.outside):
                db.execute(SET_SPEC, ('{"forgotten":true}', self.space, job))


def listed_text(values: list[str]) -> str:
    return json.dumps(values)


def naming(db: sqlite3.Connection, entity: int, gone: set[int]) -> list[int]:
    """Nodes outside `gone` with an edge to the entity, 2,000 at most."""
    return [src for (src,) in db.execute(WHO_NAMES, (entity, listed(sorted(gone))))]


def texts_of(db: sqlite3.Connection, keys: list[int]) -> list[tuple[int, str]]:
    """What these nodes say, folded: passages with their speakers and captions, sources with their titles."""
    texts = []
    for n, node in load(db, keys).items():
        if isinstance(node, Passage):
            texts.append((n, fold(f"{node.speaker or ''} {node.text} {as_json(node.meta)}")))
        elif isinstance(node, Source):
            texts.append((n, fold(node.title)))
    return texts
