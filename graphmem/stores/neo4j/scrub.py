"""What an erasure leaves behind in nodes that stay: names first heard in it, contexts that repeat it, jobs and refusals
that speak of it. Each is taken out or written anew without it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from graphmem.analysis import indexed_text, terms
from graphmem.schema import Id, Passage, Source, fold
from graphmem.stores.canonical import as_json
from graphmem.stores.neo4j.jobs import SET_WAITING
from graphmem.stores.neo4j.nodes import ids_of, load, within
from graphmem.stores.neo4j.server import Tx, rows

FOLLOWERS = """UNWIND $keys AS key MATCH (:Zettel {key: key})-[:NEXT]->(p:Zettel)<-[:FROM]-(n:Note)
  RETURN DISTINCT n.key, n.context, n.keywords, n.tags, p.key"""
REWRITE_NOTES = (
    """UNWIND $rows AS r MATCH (n:Note {key: r[0]}) SET n.context = r[1], n.keywords = r[2], n.tags = r[3]"""
)
NEW_VERSIONS = "UNWIND $keys AS key MATCH (n:Zettel {key: key}) SET n.version = n.version + 1"
NAMES = "UNWIND $keys AS key MATCH (:Zettel {key: key})-->(e:Entity) RETURN DISTINCT e.key, e.name"
WHO_NAMES = """MATCH (:Zettel {key: $key})<--(n:Zettel) WHERE NOT n.key IN $gone RETURN DISTINCT n.key LIMIT 2000"""
ALIASES = """UNWIND $entities AS key MATCH (a:_Alias {entity: key}) RETURN a.folded, a.entity, a.passage
  UNION UNWIND $gone AS key MATCH (a:_Alias {passage: key}) RETURN a.folded, a.entity, a.passage"""
DROP_ALIASES = "UNWIND $rows AS r MATCH (a:_Alias {space: $space, folded: r[0], entity: r[1]}) DELETE a"
SEEN_ELSEWHERE = """UNWIND $rows AS r MATCH (a:_Alias {space: $space, folded: r[0], entity: r[1]})
  SET a.passage = r[2]"""
RENAME = "UNWIND $rows AS r MATCH (e:Entity {key: r[0]}) SET e.name = r[1]"
DROP_REFUSALS = "MATCH (f:_Refusal {space: $space}) WHERE f.number > 0 AND f.input IN $ids DELETE f"
BLANK_ITEMS = """UNWIND $jobs AS job MATCH (i:_Item {space: $space, job: job})
  WHERE i.item IS NOT NULL SET i.error = '', i.position = ''"""
ITEMS = "MATCH (i:_Item {space: $space}) WHERE i.job IS NOT NULL AND i.item IS NOT NULL RETURN i.job, i.item"
RENAME_ITEM = "MATCH (i:_Item {space: $space, job: $job, item: $item}) SET i.item = $new"
JOBS = "MATCH (j:_Job {space: $space}) WHERE j.id IS NOT NULL RETURN j.id, j.spec, coalesce(j.waiting, [])"
SET_SPEC = "MATCH (j:_Job {space: $space, id: $id}) SET j.spec = $spec"

NAMELESS = "someone"


@dataclass(slots=True)
class Text:
    """What is being erased, in words, taken down before it goes."""

    space: int
    gone: set[int]
    ids: list[Id]
    words: set[str]  # terms of erased passages
    outside: list[str]  # outside ids and titles of erased sources
    followers: list[tuple[int, str, list[str], list[str], int]]
    entities: list[tuple[int, str]]
    aliases: list[tuple[str, int, int | None]]
    naming: dict[int, list[int]]

    @classmethod
    def of(cls, tx: Tx, space: int, gone: set[int]) -> Text:
        keys = sorted(gone)
        nodes = load(within(tx), keys).values()
        words = {word for node in nodes if isinstance(node, Passage) for word in terms(indexed_text(node))}
        sources = [node for node in nodes if isinstance(node, Source)]
        entities = [(n, name) for n, name in rows(tx, NAMES, keys=keys) if n not in gone]
        told = rows(tx, ALIASES, entities=[n for n, _ in entities], gone=keys)
        aliases = {(folded, entity, passage) for folded, entity, passage in told if entity not in gone}
        known = {n for n, _ in entities} | {entity for _, entity, _ in aliases}
        return cls(
            space,
            gone,
            list(ids_of(within(tx), keys).values()),
            words,
            [text for source in sources for text in (source.outside_id, source.title) if text],
            [(*row,) for row in rows(tx, FOLLOWERS, keys=keys) if row[0] not in gone],
            entities,
            sorted(aliases, key=lambda row: (row[1], row[0])),
            {n: naming(tx, n, gone) for n in sorted(known)},
        )

    def scrub(self, tx: Tx, jobs: set[Id]) -> set[int]:
        """Keys of the nodes that were rewritten: their before-images go too."""
        changed = self._contexts(tx) | self._names(tx)
        rows(tx, NEW_VERSIONS, keys=sorted(changed))
        rows(tx, DROP_REFUSALS, space=self.space, ids=self.ids)
        self._jobs(tx, jobs)
        return changed

    def _contexts(self, tx: Tx) -> set[int]:
        """The note of a turn may carry the question before it: what it has of it alone goes."""
        own = load(within(tx), sorted({row[4] for row in self.followers}))
        rewritten: dict[int, list[Any]] = {}
        for n, context, keywords, tags, passage in self.followers:
            node = own[passage]
            mine = set(terms(indexed_text(node))) if isinstance(node, Passage) else set[str]()
            foreign = self.words - mine
            kept = [[word for word in part if not foreign & set(terms(word))] for part in (keywords, tags)]
            clean = "" if foreign & set(terms(context)) else context
            if [clean, *kept] != [context, keywords, tags]:
                rewritten[n] = [n, clean, *kept]
        rows(tx, REWRITE_NOTES, rows=list(rewritten.values()))
        return set(rewritten)

    def _names(self, tx: Tx) -> set[int]:
        """Aliases that no text which stays spells go; an entity whose name does not occur any more takes another."""
        spelled = {entity: texts_of(tx, srcs) for entity, srcs in self.naming.items()}
        left: dict[int, list[str]] = {}
        dropped, moved = [], []
        for folded, entity, passage in self.aliases:
            known = passage is not None and passage not in self.gone
            where = passage if known else next((n for n, text in spelled[entity] if folded in text), None)
            if where is None:
                dropped.append([folded, entity])
                continue
            left.setdefault(entity, []).append(folded)
            moved.append([folded, entity, where])
        rows(tx, DROP_ALIASES, space=self.space, rows=dropped)
        rows(tx, SEEN_ELSEWHERE, space=self.space, rows=moved)
        renamed: list[tuple[int, str]] = []
        for n, name in self.entities:
            if fold(name) not in left.get(n, ()) and not any(fold(name) in text for _, text in spelled[n]):
                renamed.append((n, next(iter(left.get(n, ())), NAMELESS).title()))
        rows(tx, RENAME, rows=[list(row) for row in renamed])
        return {n for n, _ in renamed}

    def _named_in(self, key: str) -> bool:
        return any(text in key for text in self.outside)

    def _jobs(self, tx: Tx, jobs: set[Id]) -> None:
        """Messages of items of the jobs that wrote what goes; paths that name an erased source."""
        rows(tx, BLANK_ITEMS, space=self.space, jobs=sorted(jobs))
        held = [(job, item) for job, item in rows(tx, ITEMS, space=self.space)] if self.outside else []
        for job, item in held:
            if self._named_in(item):
                rows(tx, RENAME_ITEM, space=self.space, job=job, item=item, new=unnamed())
        for job, spec, waiting in rows(tx, JOBS, space=self.space) if self.outside else ():
            told = [key for key in waiting if self._named_in(key)]
            if told:
                left = [key for key in waiting if key not in told]
                left += [unnamed() for key in told if (job, key) not in held]
                rows(tx, SET_WAITING, space=self.space, rows=[[job, left]])
            if any(as_json(text)[1:-1] in spec for text in self.outside):
                rows(tx, SET_SPEC, space=self.space, id=job, spec='{"forgotten":true}')


def unnamed() -> str:
    """What an item is called whose key told what is erased."""
    return f"forgotten-{secrets.token_hex(8)}"


def naming(tx: Tx, entity: int, gone: Iterable[int]) -> list[int]:
    """Nodes outside `gone` with an edge to the entity, 2,000 at most."""
    return [row[0] for row in rows(tx, WHO_NAMES, key=entity, gone=sorted(gone))]


def texts_of(tx: Tx, keys: list[int]) -> list[tuple[int, str]]:
    """What these nodes say, folded: passages with their speakers and captions, sources with their titles."""
    texts = []
    for n, node in load(within(tx), sorted(keys)).items():
        if isinstance(node, Passage):
            texts.append((n, fold(f"{node.speaker or ''} {node.text} {as_json(node.meta)}")))
        elif isinstance(node, Source):
            texts.append((n, fold(node.title)))
    return texts
