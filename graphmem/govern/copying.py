"""A space copied from one store to another, by repeating its journal commit by commit.

Each commit of the source becomes the commit of the same number, job, actor, cause and time in the target, so where the
target stands says what is left: a copy that was killed goes on behind its last commit, and a copy made again brings
over what came since. Memory holds one commit at a time.

What is carried: the key (so all ids), every node that is there with its earlier images as far as the journal has
them, retired state, edges, names, vectors, token codes, jobs with their items and refusals. What is not: nodes that
were deleted or undone since (their commits are repeated without them), earlier weights of an edge, use counts,
tombstones of what was erased; the chain is the target's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from graphmem.errors import StoreError
from graphmem.schema import (
    Alias,
    Batch,
    Change,
    Commit,
    Edge,
    EdgeType,
    Id,
    Node,
    Op,
    Passage,
    Space,
)
from graphmem.stores.base import Reader, Store
from graphmem.stores.images import from_image, image
from graphmem.stores.kinds import KIND_OF

#: Commits listed at a time, and how many ids one read asks for.
COMMITS_A_PAGE = 100
CHUNK = 1_000
#: More than one node has edges of its own; a hub's are the others' own.
ALL = 1_000_000
#: A source that is written to while it is copied is caught up with this often.
ROUNDS = 100
#: What a before-image holds beside the fields of the node.
EXTRAS = ("aliases", "version", "retired")

ProgressCallback = Callable[["Progress"], None]


@dataclass(frozen=True, slots=True)
class Progress:
    space: str
    done: int  # commits
    total: int
    nodes: int  # written by this run


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of one space. `same`: both digests agree, as far as the source has stood still."""

    space: str
    commits: int  # written by this run
    nodes: int
    seq: int
    digest: str
    same: bool


def copy(
    source: Store, target: Store, spaces: Sequence[str] = (), *, progress: ProgressCallback | None = None
) -> list[Copied]:
    """Copies these spaces, or all. Raises NotFound for a space that the source has not, StoreError when the target's
    space of that name has a history of its own or when the copy turns out different."""
    names = list(spaces) or [space.name for space in source.spaces()]
    theirs = [source.space(name, create=False) for name in names]
    return [_Copy.of(source, target, space, progress).run() for space in theirs]


@dataclass(slots=True)
class _Copy:
    """One space under way. `ours` is the target's."""

    source: Store
    target: Store
    theirs: Space
    ours: Space
    progress: ProgressCallback | None
    commits: int = 0
    nodes: int = 0

    @classmethod
    def of(cls, source: Store, target: Store, theirs: Space, progress: ProgressCallback | None) -> _Copy:
        ours = target.space(theirs.name, key=theirs.key)
        if ours.key != theirs.key:
            raise StoreError(
                f"space {theirs.name!r} is there already with another key",
                hint="copy into a store that has no such space",
                source=target.url,
            )
        return cls(source, target, theirs, ours, progress)

    def run(self) -> Copied:
        if self.theirs.embedder and self.ours.embedder != self.theirs.embedder:
            self.target.name_embedder(self.ours, self.theirs.embedder)
        seq = self._agreed_seq()
        self._put_jobs()
        for _ in range(ROUNDS):
            for commit in self._commits_after(seq):
                self._repeat(commit)
                seq = commit.seq
            with self.source.reader(self.theirs) as reader:
                if reader.seq == seq:
                    break
        self._put_jobs()
        self._put_items()
        return self._checked()

    def _agreed_seq(self) -> int:
        """Where the target stands. Raises StoreError when its last commit is not the source's."""
        with self.target.reader(self.ours) as reader:
            seq = reader.seq
            mine = reader.commits(after=seq - 1, limit=1) if seq else []
        with self.source.reader(self.theirs) as reader:
            yours = reader.commits(after=seq - 1, limit=1) if seq else []
        if [_identity(commit) for commit in mine] != [_identity(commit) for commit in yours]:
            raise StoreError(
                f"space {self.ours.name!r} has a history of its own: its commit {seq} is not one of {self.source.url}",
                hint="copy into a store that has no such space",
                source=self.target.url,
            )
        return seq

    def _commits_after(self, seq: int) -> Iterator[Commit]:
        """All that there are now; a page is read at a time, so that no read stays open while it is written."""
        with self.source.reader(self.theirs) as reader:
            last = reader.seq
        while seq < last:
            with self.source.reader(self.theirs) as reader:
                page = reader.commits(after=seq, limit=min(COMMITS_A_PAGE, last - seq))
            for commit in page:
                self._tell(commit.seq - 1, last)
                yield commit
            seq = page[-1].seq if page else last
        self._tell(last, last)

    def _tell(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(Progress(self.theirs.name, done, total, self.nodes))

    def _repeat(self, commit: Commit) -> None:
        with self.source.reader(self.theirs) as reader, self.target.reader(self.ours) as there:
            batch = Repeated(reader, there, commit).batch()
        self.target.write(self.ours, batch)
        self.commits += 1
        self.nodes += len(batch.nodes)

    # -- beside the journal

    def _put_jobs(self) -> None:
        with self.source.reader(self.theirs) as reader:
            jobs = reader.jobs()
        self.target.put_jobs(self.ours, jobs)

    def _put_items(self) -> None:
        """Items and refusals of every job, and the refusals of none. Refusals are only ever added to: those that are
        there are not put again."""
        with self.source.reader(self.theirs) as reader:
            jobs = [job.id for job in reader.jobs()]
        for job in jobs:
            with self.source.reader(self.theirs) as reader, self.target.reader(self.ours) as there:
                items, refusals = reader.items(job), reader.refusals(job, limit=ALL)
                known = len(there.refusals(job, limit=ALL))
            for start in range(0, len(items), CHUNK):
                self.target.put_items(self.ours, items[start : start + CHUNK])
            if refusals[known:]:
                self.target.write(self.ours, Batch(job=job, refusals=tuple(refusals[known:])))

    def _checked(self) -> Copied:
        with self.source.reader(self.theirs) as reader:
            yours, their_seq = reader.digest(), reader.seq
        with self.target.reader(self.ours) as reader:
            mine, seq = reader.digest(), reader.seq
        if seq == their_seq and mine != yours:
            raise StoreError(
                f"space {self.ours.name!r} came out different: digest {mine[:16]}, not {yours[:16]}",
                hint="run `graphmem check` on both stores and report it",
                source=self.target.url,
            )
        return Copied(self.ours.name, self.commits, self.nodes, seq, mine, mine == yours)


def _identity(commit: Commit) -> tuple[object, ...]:
    return commit.seq, commit.job, commit.actor, commit.at_us, commit.cause


@dataclass(slots=True)
class Repeated:
    """One commit of the source as a batch for the target. `there` reads the target as it stands just before it."""

    reader: Reader
    there: Reader
    commit: Commit
    current: dict[Id, Node] = field(default_factory=dict)
    live: set[Id] = field(default_factory=set)

    def batch(self) -> Batch:
        changes = self.reader.changes(self.commit.seq)
        ids = list(dict.fromkeys(change.id for change in changes if ":" not in change.id))
        self._look_up(ids)
        nodes = self._nodes([id for id in ids if id in self.current])
        new = [node.id for node in nodes]
        edges = self._edges([change.id for change in changes if ":" in change.id and ":alias:" not in change.id])
        vector_ids, vectors = self._vectors(new)
        return Batch(
            actor=self.commit.actor,
            cause=self.commit.cause,
            job=self.commit.job,
            nodes=tuple(nodes),
            edges=tuple(edges),
            aliases=tuple(self._aliases(changes, edges, new)),
            vector_ids=tuple(vector_ids),
            vectors=vectors,
            tokens=self._tokens(new),
            retire=self._retired(changes),
            replays=self.commit,
            durable=False,
        )

    def _look_up(self, ids: Sequence[Id]) -> None:
        """What is there today of these, and which of it searches see."""
        self.current = self.reader.get(ids)
        known = list(self.current)
        kinds = self.reader.heads(self.reader.numbers(known)).kind
        self.live = {id for id, kind in zip(known, kinds.tolist(), strict=True) if kind}

    # -- nodes

    def _nodes(self, ids: Sequence[Id]) -> list[Node]:
        """Each as it was after this commit; what the target holds in that state is left out."""
        held = self.there.get(ids)
        nodes = [self._after(id) for id in ids]
        return [
            replace(node, version=held[node.id].version if node.id in held else 0)
            for node in nodes
            if node.id not in held or image(node) != image(held[node.id])
        ]

    def _after(self, id: Id) -> Node:
        """The node's image after this commit: the next known image before a later change, else what it is today."""
        node = self.current[id]
        if node.version == 1:
            return node
        for commit, change in self.reader.history(id):
            if commit.seq > self.commit.seq and change.before is not None:
                fields = {name: value for name, value in change.before.items() if name not in EXTRAS}
                return from_image(KIND_OF[type(node)], id, fields, self._texts(fields), node.version)
        return node

    def _texts(self, fields: dict[str, object]) -> dict[Id, str]:
        spans = fields.get("spans", ())
        assert isinstance(spans, list | tuple)
        passages = self.reader.get([span[0] for span in spans]) if spans else {}
        return {id: node.text for id, node in passages.items() if isinstance(node, Passage)}

    def _retired(self, changes: Sequence[Change]) -> tuple[Id, ...]:
        """Those that stayed retired; one that came back is as if it had not gone."""
        wanted = (change.id for change in changes if change.op is Op.RETIRE)
        return tuple(id for id in dict.fromkeys(wanted) if id in self.current and id not in self.live)

    # -- edges and names

    def _edges(self, keys: Sequence[Id]) -> list[Edge]:
        """The commit's edges that are there today, as they are today."""
        wanted = set(keys)
        sources: dict[EdgeType, dict[Id, None]] = {}
        for key in keys:
            src, name, *_ = key.split(":")
            sources.setdefault(EdgeType[name], {})[src] = None
        found: list[Edge] = []
        for type, ids in sources.items():
            known = list(ids)
            for start in range(0, len(known), CHUNK):
                found += self.reader.edges(known[start : start + CHUNK], (type,), out_only=True, limit=ALL)
        return [edge for edge in found if _key(edge) in wanted]

    def _aliases(self, changes: Sequence[Change], edges: Sequence[Edge], new: Sequence[Id]) -> list[Alias]:
        """Names of the entities that the commit is about, as soon as the passage they are seen in is there. A name
        that moved to a later passage, when its first was erased, comes with that one."""
        about = {change.id.partition(":")[0] for change in changes if ":alias:" in change.id}
        about |= {edge.dst for edge in edges if edge.type in (EdgeType.MENTIONS, EdgeType.SPEAKER)}
        names = self.reader.aliases(sorted(about))
        seen = sorted({alias.passage for alias in names if alias.passage is not None} - set(new))
        there = set(new) | set(self.there.get(seen))
        return [alias for alias in names if alias.passage is None or alias.passage in there]

    # -- vectors

    def _vectors(self, ids: Sequence[Id]) -> tuple[list[Id], npt.NDArray[np.float16] | None]:
        if not ids:
            return [], None
        rows = self.reader.vectors(self.reader.numbers(ids))
        held = np.flatnonzero(rows.any(axis=1)).tolist()
        return [ids[i] for i in held], rows[held].astype(np.float16) if held else None

    def _tokens(self, ids: Sequence[Id]) -> dict[Id, npt.NDArray[np.uint8]]:
        if not ids:
            return {}
        offsets, codes = self.reader.tokens(self.reader.numbers(ids))
        pairs = zip(ids, offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        return {id: codes[start:end] for id, start, end in pairs if end > start}


def _key(edge: Edge) -> Id:
    """As the journal spells an edge."""
    return f"{edge.src}:{edge.type.name}:{edge.dst}" + ("" if edge.start is None else f":{edge.start}")
