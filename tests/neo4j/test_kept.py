"""Recalls kept in Neo4j to be looked at: a view beside the memory, small, gone with whatever is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphmem
from graphmem.embed import HashEmbedder
from graphmem.errors import StoreError
from graphmem.schema import PassageDraft, SourceDraft
from graphmem.stores.neo4j.kept import KEPT
from tests.neo4j.sample import memory_on
from tests.neo4j.server import Server


def views(server: Server) -> int:
    return server.query("MATCH (n:Recall) RETURN count(n) AS kept")[0]["kept"]


def test_a_kept_recall_is_no_part_of_the_memory_and_the_newest_stay(neo4j_server: Server) -> None:
    neo4j_server.empty()
    with memory_on(neo4j_server) as memory:
        memory.remember("The gate to Skerrow is blue.", speaker="Ada", at="2026-05-12", ref="1")
        before = memory.digest(), memory.counts()
        for number in range(KEPT + 3):
            memory.keep(memory.recall(f"Where is gate {number}?"))
        assert (memory.digest(), memory.counts(), memory.check()) == (*before, [])
    asked = neo4j_server.query("MATCH (r:Recall) RETURN r.question AS q ORDER BY r.at_us")
    assert [row["q"] for row in asked] == [f"Where is gate {number}?" for number in range(3, KEPT + 3)]
    loose = "MATCH (s:Step) WHERE NOT EXISTS { (:Recall {id: s.recall}) } RETURN count(s) AS loose"
    assert neo4j_server.query(loose) == [{"loose": 0}]


def test_a_recall_that_found_nothing_can_be_kept(neo4j_server: Server) -> None:
    neo4j_server.empty()
    with memory_on(neo4j_server) as memory:
        memory.keep(memory.recall("Where is the gate?"))
    assert views(neo4j_server) == 1


def test_forgetting_takes_kept_recalls_along_and_those_of_other_spaces_stay(neo4j_server: Server) -> None:
    neo4j_server.empty()
    with memory_on(neo4j_server) as memory, memory_on(neo4j_server, "other") as other:
        for one in (memory, other):
            one.remember("The gate to Skerrow is blue.", speaker="Ada", at="2026-05-12", ref="1")
            one.remember("The door is red.", speaker="Ben", at="2026-05-13", ref="2")
            one.keep(one.recall("Which gate is blue?"))
        hit = memory.recall("Which gate is blue?").hits[0]
        memory.forget(hit.passage.id if hit.passage else hit.note.id)
        assert views(neo4j_server) == 1
        assert memory.check() == []
        assert [found.note.text for found in memory.recall("Which door is red?").hits] == ["The door is red."]
        other.store.forget_space(other.space)
    assert neo4j_server.query("MATCH (n:Recall|Step) RETURN count(n) AS kept") == [{"kept": 0}]


def test_undo_and_delete_reach_nodes_that_a_kept_recall_names(neo4j_server: Server) -> None:
    neo4j_server.empty()
    with memory_on(neo4j_server) as memory:
        job = memory.store.open_job(memory.space, {})
        draft = PassageDraft("The gate to Skerrow is blue.", "1", "Ada", 0)
        memory.remember_many([draft], source=SourceDraft("conversation", "a"), job=job, item="a")
        memory.keep(memory.recall("Which gate is blue?"))
        memory.undo(job.id)
        assert memory.counts()["note"] == 0
        assert memory.check() == []


def test_a_file_keeps_no_recalls(tmp_path: Path) -> None:
    with (
        graphmem.open(str(tmp_path / "a.db"), embedder=HashEmbedder()) as memory,
        pytest.raises(StoreError, match="shows no graph"),
    ):
        memory.keep(memory.recall("Which gate is blue?"))
