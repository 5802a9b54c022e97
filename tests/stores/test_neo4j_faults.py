"""What goes wrong with a server: each is tried again or is one clear error with a hint; nothing is lost or doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from graphmem.analysis import terms
from graphmem.errors import DeadlineExceeded, SettingError, StoreBusy, StoreError, StoreReadOnly, StoreTooNew
from graphmem.schema import Batch, NodeKind, Refusal, Space
from graphmem.stores import open_store
from graphmem.stores.neo4j import Neo4jStore, migrate, words
from graphmem.stores.neo4j.connect import Settings, version_of
from graphmem.stores.neo4j.server import Server as Reached
from tests.neo4j.server import Server, free_ports
from tests.stores.building import Chat, Turn, sentences, vector
from tests.stores.proxy import Proxy

BATCHES = 40 if os.environ.get("SIZE") == "full" else 12
SIZE = 7


@pytest.fixture
def server(neo4j_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    signed_in(neo4j_server, monkeypatch)
    return neo4j_server


def signed_in(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


@contextmanager
def opened(uri: str, **options: Any) -> Iterator[Neo4jStore]:
    store = Neo4jStore(uri, **options)
    try:
        yield store
    finally:
        store.close()


def a_space(store: Neo4jStore) -> Space:
    return store.space(f"faults {uuid4().hex}")


def turn(chat: Chat, n: int) -> Turn:
    return chat.turn(n, sentences(SIZE, seed=n // SIZE)[n % SIZE], f"Speaker {n % 3}", f"Place {n % 5}")


def batch(chat: Chat, number: int) -> Batch:
    """The batch of this number, linked to the turn before it."""
    start = number * SIZE
    turns = [turn(chat, n) for n in range(start, start + SIZE)]
    return chat.batch(*turns, before=turn(chat, start - 1) if number else None, durable=False)


def whole(store: Neo4jStore, space: Space, batches: int) -> None:
    """All these batches are there, once each."""
    with store.reader(space) as reader:
        there = reader.counts()
        assert (there["passage"], there["note"], there["commits"]) == (batches * SIZE, batches * SIZE, batches)
        assert reader.check() == []


def closed_port() -> int:
    return free_ports(1)[0]


# -- opening


def test_a_server_that_is_not_there_is_told(server: Server) -> None:
    with pytest.raises(StoreBusy, match="no server answers") as caught:
        Neo4jStore(f"bolt://127.0.0.1:{closed_port()}", retry_s=0.1)
    assert caught.value.retryable and "running" in caught.value.hint
    assert server.uri


def test_a_wrong_password_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD", "not this one")
    with pytest.raises(StoreError, match="user name or password") as caught:
        Neo4jStore(server.uri)
    assert "NEO4J_PASSWORD" in caught.value.hint and not caught.value.retryable


def test_a_database_that_is_not_there_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_DATABASE", "nowhere")
    with pytest.raises(StoreError, match="database") as caught:
        Neo4jStore(server.uri, retry_s=0.5)
    assert caught.value.hint


@pytest.mark.parametrize("url", ["neo4j://", "neo4j://user:word@localhost"])
def test_an_address_that_is_none_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEO4J_URI", raising=False)
    with pytest.raises(SettingError) as caught:
        open_store(url)
    assert caught.value.hint


def test_the_scheme_alone_takes_the_address_from_the_environment(server: Server) -> None:
    store = open_store("neo4j://")
    assert store.url == server.uri
    store.close()


def test_a_server_that_is_too_old_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "OLDEST_SERVER", (9999, 1))
    with pytest.raises(StoreError, match="too old") as caught:
        Neo4jStore(server.uri)
    assert "5.26" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "version"), [("5.26.25", (5, 26)), ("2026.09.0", (2026, 9)), ("2026.10.0-1234", (2026, 10)), ("6", (6, 0))]
)
def test_versions_of_servers_are_read(text: str, version: tuple[int, int]) -> None:
    assert version_of(text) == version


def test_a_store_of_a_newer_graphmem_is_left_alone(server: Server) -> None:
    with opened(server.uri):
        pass
    server.query("MATCH (m:_Meta) SET m.held = m.version, m.version = 99")
    try:
        with pytest.raises(StoreTooNew):
            Neo4jStore(server.uri)
    finally:
        server.query("MATCH (m:_Meta) SET m.version = m.held REMOVE m.held")


def test_an_index_that_is_not_online_is_waited_for(server: Server) -> None:
    with opened(server.uri):
        pass
    server.query("UNWIND range(1, 60000) AS n CREATE (:Passage {_terms: 'a' + n + ' b' + (n % 97) + ' c' + (n % 31)})")
    (created,) = [text for script in migrate.scripts() for text in migrate.statements(script) if "FULLTEXT" in text]
    reached = Reached(Settings.of(server.uri), retry_s=1.0)
    try:
        server.query("DROP INDEX graphmem_words")
        server.query(created)
        with pytest.raises(StoreError, match="graphmem_words is populating") as caught:
            migrate.await_indexes(reached, wait_s=0.0)
        assert "again" in caught.value.hint
        migrate.await_indexes(reached)
    finally:
        server.query("MATCH (n:Passage) WHERE n.key IS NULL DETACH DELETE n")
        reached.close()


# -- what else is in the database


def test_a_foreign_graph_is_left_untouched(server: Server) -> None:
    server.query(
        """CREATE (a:Person:Foreign {name: 'Foreign Ada'})-[:KNOWS {since: 1}]->(:Note:Foreign {text: 'theirs', key: 7})
        CREATE (:Source:Foreign {space: 1, title: 'theirs'}) CREATE (:Space:Foreign {name: 'default'})
        CREATE (a)-[:FROM]->(:Passage:Foreign {text: 'gate', space: 1})"""
    )
    look = "MATCH (n:Foreign) OPTIONAL MATCH (n)-[r]->() RETURN labels(n), properties(n), type(r), properties(r)"
    before = [str(row) for row in server.query(look)]
    try:
        with opened(server.uri) as store:
            space = a_space(store)
            chat = Chat(space)
            for number in range(2):
                store.write(space, batch(chat, number))
            store.forget(space, [turn(chat, 0).passage.id])
            store.rebuild(space)
            with store.reader(space) as reader:
                assert reader.check() == []
            store.forget_space(space)
        assert sorted(before) == sorted(str(row) for row in server.query(look))
    finally:
        server.query("MATCH (n:Foreign) DETACH DELETE n")


def test_a_forgotten_text_stands_in_no_property(server: Server) -> None:
    with opened(server.uri) as store:
        space = a_space(store)
        chat = Chat(space, "chat", "Xylophones of Xanadu")
        secret = chat.turn(0, "Xerxes hid a xylophone.", "Xenia", "Xanadu", caption="xebec", context="xeric")
        kept = chat.turn(1, "The gate is blue.", "Ada", "Lake")
        job = store.open_job(space, {"paths": ["Xanadu"]})
        store.write(space, chat.batch(secret, kept, job=job.id))
        store.write(space, Batch(job=job.id, nodes=(replace(secret.note, context="xenon", version=1),)))
        store.write(space, Batch(job=job.id, refusals=(Refusal("x", secret.passage.id, "Xerxes"),)))
        report = store.forget(space, [secret.passage.id])
        assert any("log" in remark for remark in report.remarks)
        everything = """MATCH (n) WHERE any(k IN keys(n) WHERE toLower(toStringOrNull(n[k])) CONTAINS 'xer'
          OR toLower(toStringOrNull(n[k])) CONTAINS 'xen' OR toLower(toStringOrNull(n[k])) CONTAINS 'xyloph')
          RETURN n"""
        left = [row for row in server.query(everything) if row["n"].get("title") != "Xylophones of Xanadu"]
        assert left == []
        store.forget_space(space)
        assert server.query("MATCH (n) WHERE n.space = $space RETURN labels(n)[0] AS label", space=space.number) == [
            {"label": "_Tombstone"}
        ] * len(server.query("MATCH (t:_Tombstone {space: $space}) RETURN t", space=space.number))


# -- connections


@pytest.mark.parametrize("after", [False, True], ids=["before the server has it", "after the server has done it"])
def test_a_commit_whose_answer_is_lost_is_neither_lost_nor_doubled(server: Server, after: bool) -> None:
    host, _, port = server.uri.partition("://")[2].rpartition(":")
    proxy = Proxy(host, int(port))
    try:
        with opened(f"bolt://127.0.0.1:{proxy.port}") as store:
            space = a_space(store)
            chat = Chat(space)
            store.write(space, batch(chat, 0))
            for number in range(1, 4):
                proxy.after, proxy.lose_commits = after, 1
                commit = store.write(space, batch(chat, number))
                assert commit is not None and commit.seq == number + 1
            assert proxy.lost == 3
            refusal = Refusal("construct", turn(chat, 0).passage.id, "no such span")
            proxy.lose_commits = 1
            assert store.write(space, Batch(refusals=(refusal,))) is None
            proxy.lose_commits = 1
            report = store.forget(space, [turn(chat, 27).passage.id])
            with store.reader(space) as reader:
                assert reader.refusals() == [refusal]
                assert reader.counts()["passage"] == 4 * SIZE - report.counts["passage"] == 27
                assert [commit.seq for commit in reader.commits()] == [1, 2, 3, 4, 5]
                assert reader.check() == []
    finally:
        proxy.close()


def test_connections_cut_at_any_moment_lose_and_double_nothing(server: Server) -> None:
    host, _, port = server.uri.partition("://")[2].rpartition(":")
    proxy, rng, done = Proxy(host, int(port)), random.Random(3), threading.Event()

    def cut() -> None:
        while not done.wait(rng.choice([0.05, 0.3, 1.0, 2.0])):
            proxy.cut()

    try:
        with opened(f"bolt://127.0.0.1:{proxy.port}", retry_s=120.0) as store:
            space = a_space(store)
            chat = Chat(space)
            cutter = threading.Thread(target=cut, daemon=True)
            cutter.start()
            for number in range(BATCHES):
                assert store.write(space, batch(chat, number)) is not None
            done.set()
            cutter.join()
            whole(store, space, BATCHES)
    finally:
        done.set()
        proxy.close()


def test_a_server_stopped_killed_and_made_read_only_loses_nothing(
    own_neo4j: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in(own_neo4j, monkeypatch)
    with opened(own_neo4j.uri, retry_s=120.0) as store:
        space = a_space(store)
        store.write(space, batch(Chat(space), 0))
        stop_and_kill(own_neo4j, store, space)
        read_only(own_neo4j, space)


def stop_and_kill(server: Server, store: Neo4jStore, space: Space) -> None:
    """Batches are written while the server is stopped, killed and started again."""
    chat, number, failed = Chat(space), [1], list[BaseException]()
    done = threading.Event()

    def ingest() -> None:
        try:
            while not done.is_set():
                assert store.write(space, batch(chat, number[0])) is not None
                number[0] += 1
        except BaseException as error:
            failed.append(error)

    writer = threading.Thread(target=ingest)
    writer.start()
    for end in (server.stop, server.kill):
        time.sleep(1.5)
        end()
        time.sleep(0.5)
        server.start()
    written = number[0]
    until = time.monotonic() + 60  # a server that is busy takes a while to write again
    while number[0] < written + 2 and not failed and time.monotonic() < until:
        time.sleep(0.1)
    done.set()
    writer.join()
    assert not failed, failed
    assert number[0] > written + 1
    whole(store, space, number[0])


def read_only(server: Server, space: Space) -> None:
    """The database can only be read: reads go on, a write says so."""
    server.stop()
    assert server.home is not None
    with (server.home / "conf" / "neo4j.conf").open("a") as conf:
        conf.write("server.databases.default_to_read_only=true\n")
    server.start()
    with opened(server.uri, read_only=True) as store, store.reader(space) as reader:
        assert reader.counts()["passage"] > 0
        with pytest.raises(StoreReadOnly):
            store.write(space, batch(Chat(space), 0))
    with opened(server.uri) as store, pytest.raises(StoreReadOnly) as caught:
        store.write(space, Batch(actor="x", nodes=(Chat(space, "more").source,)))
    assert caught.value.hint


def test_a_read_that_takes_too_long_is_stopped_by_the_server(server: Server) -> None:
    with opened(server.uri) as store:
        space = a_space(store)
        store.write(space, batch(Chat(space), 0))
        with store.reader(space, deadline_s=0.4) as reader:
            began = time.monotonic()
            with pytest.raises(DeadlineExceeded):
                reader._ask("UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b RETURN sum(a * b)")  # type: ignore[attr-defined]
            assert time.monotonic() - began < 5


# -- writers beside each other


def test_deadlocks_with_foreign_writers_are_tried_again(server: Server) -> None:
    with opened(server.uri) as store:
        space = a_space(store)
        chat = Chat(space)
        store.write(space, batch(chat, 0))
        done, aborted = threading.Event(), [0]

        def foreign() -> None:
            """Takes our locks the other way round: an entity, then the counter."""
            from neo4j.exceptions import TransientError

            with server.driver() as driver, driver.session() as session:
                while not done.is_set():
                    try:
                        with session.begin_transaction() as tx:
                            tx.run("MATCH (e:Entity) WHERE e.space = $s SET e._foreign = 1", s=space.number).consume()
                            time.sleep(0.02)
                            tx.run("MATCH (c:_Counter {space: $s}) SET c._foreign = 1", s=space.number).consume()
                            tx.rollback()
                    except TransientError:
                        aborted[0] += 1

        writer = threading.Thread(target=foreign)
        writer.start()
        try:
            for number in range(1, BATCHES):
                assert store.write(space, batch(chat, number)) is not None
        finally:
            done.set()
            writer.join()
        whole(store, space, BATCHES)


def test_writers_of_one_space_and_of_many_lose_nothing(server: Server) -> None:
    """Threads of two stores write to a space of their own and to one that all share."""
    with opened(server.uri) as one, opened(server.uri) as two:
        shared, written, failed = a_space(one), list[int](), list[BaseException]()

        def work(store: Neo4jStore, who: int) -> None:
            try:
                own = a_space(store)
                for n in range(6):
                    for space in (own, shared):
                        chat = Chat(space, f"chat {who}")
                        commit = store.write(
                            space, chat.batch(chat.turn(n, f"Turn {n} of {who}.", f"Ada {who}", "Lake"))
                        )
                        assert commit is not None
                        if space is shared:
                            written.append(commit.seq)
                with store.reader(own) as reader:
                    assert reader.check() == []
            except BaseException as error:
                failed.append(error)

        workers = [threading.Thread(target=work, args=(store, i)) for i, store in enumerate((one, two, one, two))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not failed, failed
        assert sorted(written) == list(range(1, 25))
        with one.reader(shared) as reader:
            assert (reader.counts()["passage"], len(reader.commits())) == (24, 24)
            assert reader.check() == []


# -- the client dies


def ingest(uri: str, name: str) -> None:
    """Goes on where the space ends, says each batch's number once it is written."""
    store = Neo4jStore(uri)
    space = store.space(name)
    chat = Chat(space)
    with store.reader(space) as reader:
        done = reader.tail(chat.source.id, chat.section().id).next_ordinal // SIZE
    for number in range(done, 10_000):
        store.write(space, batch(chat, number))
        print(number, flush=True)


INGEST = "import sys; from tests.stores.test_neo4j_faults import ingest; ingest(*sys.argv[1:])"


def test_kill_9_of_the_client_loses_no_acknowledged_batch(server: Server) -> None:
    name, rng, acknowledged = f"killed {uuid4().hex}", random.Random(5), -1
    for _ in range(12 if os.environ.get("SIZE") == "full" else 4):
        with subprocess.Popen(
            [sys.executable, "-c", INGEST, server.uri, name],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2], env={**os.environ, **server.environment},
        ) as client:  # fmt: skip
            assert client.stdout is not None
            first = client.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.3))
            client.send_signal(signal.SIGKILL)
            told = [first, *client.stdout.readlines()]
        acknowledged = max([acknowledged, *(int(line) for line in told if line.strip())])
    with opened(server.uri) as store:
        space = store.space(name, create=False)
        with store.reader(space) as reader:
            batches = reader.counts()["passage"] // SIZE
        assert batches >= acknowledged + 1 > 3
        whole(store, space, batches)
        store.forget_space(space)


# -- work is bounded


def test_a_hub_is_read_no_further_than_its_newest_edges(server: Server) -> None:
    """The server touches as much of a hub of 6,000 mentions as the window allows."""
    with opened(server.uri) as store:
        space = a_space(store)
        chat = Chat(space)
        first = chat.turn(0, "The gate is blue.", "Ada", "Lake")
        store.write(space, chat.batch(first))
        hub = space.number << 40
        server.query(
            """MATCH (e:Entity {space: $space, name: 'Lake'}) MATCH (p:Passage {space: $space})
            UNWIND range(1, 6000) AS n CREATE (:Zettel {key: $hub + 1000 + n})-[:MENTIONS]->(e)""",
            space=space.number, hub=hub,
        )  # fmt: skip
        from graphmem.schema import EdgeType
        from graphmem.stores.neo4j import graph

        (key,) = server.query("MATCH (e:Entity {space: $s, name: 'Lake'}) RETURN e.key AS key", s=space.number)
        with server.driver(notifications_min_severity="OFF") as driver:
            plan = driver.execute_query(
                "PROFILE " + graph.statement((EdgeType.MENTIONS,)), keys=[key["key"]], window=64
            ).summary.profile
        assert hits(plan) < 64 * 12
        server.query("MATCH (n:Zettel) WHERE n.key > $hub + 1000 AND n.key < $hub + 8000 DETACH DELETE n", hub=hub)
        with suppress(StoreError):
            store.forget_space(space)


def hits(plan: dict[str, Any]) -> int:
    return int(plan.get("args", {}).get("DbHits", 0)) + sum(hits(child) for child in plan.get("children", ()))


def test_a_space_above_the_exact_limit_is_searched_by_the_index(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a far larger space, that fills what an index without a filter finds first."""
    from graphmem.stores.neo4j import reader as module

    with opened(server.uri) as store:
        small, large = a_space(store), a_space(store)
        for space, count in ((small, 4), (large, 16)):
            for number in range(count):
                store.write(space, batch(Chat(space), number))
        query = vector("anything").astype(np.float32)
        with store.reader(small) as reader:
            exact = reader.dense(query, 10, [NodeKind.NOTE])
        monkeypatch.setattr(module, "EXACT_LIMIT", 5)
        with store.reader(small) as reader:
            found = reader.dense(query, 10, [NodeKind.NOTE])
        assert (exact.exact, found.exact) == (True, False)
        assert found.numbers.tolist() == exact.numbers.tolist()
        assert found.scores.tolist() == pytest.approx(exact.scores.tolist(), abs=1e-5)
        for space in (small, large):
            store.forget_space(space)


@pytest.mark.parametrize("exact_limit", [20_000, 0], ids=["scored here", "by the indexes"])
def test_a_recall_takes_six_round_trips_and_cut_searches_score_as_whole_ones(
    server: Server, monkeypatch: pytest.MonkeyPatch, exact_limit: int
) -> None:
    from graphmem.recall import recall
    from graphmem.stores.neo4j import reader as module
    from tests.stores.test_neo4j_differential import QUESTIONS, Words

    with opened(server.uri) as store:
        space = a_space(store)
        for number in range(6):
            store.write(space, batch(Chat(space), number))
        with store.reader(space) as reader:
            whole = reader.text(terms("gate and garden"), None)
        monkeypatch.setattr(module, "EXACT_LIMIT", exact_limit)
        monkeypatch.setattr(words, "ALL_WORDS", 0)
        monkeypatch.setattr(words, "OVER_FETCH", 3)
        with store.reader(space) as reader:
            cut = reader.text(terms("gate and garden"), 1)
        scores = dict(zip(whole.numbers.tolist(), whole.scores.tolist(), strict=True))
        assert (whole.exact, cut.exact) == (True, False)
        assert cut.scores.tolist() == [scores[number] for number in cut.numbers.tolist()]
        recall(store, space, QUESTIONS[0], Words(), limit=5)  # type: ignore[arg-type]  # may fetch the vectors
        for question in QUESTIONS:
            before = store.round_trips
            assert recall(store, space, question, Words(), limit=5).passages  # type: ignore[arg-type]
            assert store.round_trips - before <= 6
        store.forget_space(space)
