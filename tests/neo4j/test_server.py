"""The harness itself: a server starts, keeps what it acknowledged through a kill, and takes its own password only."""

from __future__ import annotations

from urllib.request import urlopen

import pytest
from neo4j import GraphDatabase
from neo4j.exceptions import AuthError

from tests.neo4j.server import Server


def test_a_server_answers_and_can_be_wiped(neo4j_server: Server) -> None:
    neo4j_server.query("CREATE (:HarnessTest {name: 'one'})")
    assert neo4j_server.query("MATCH (n:HarnessTest) RETURN n.name AS name") == [{"name": "one"}]
    neo4j_server.query("CREATE CONSTRAINT harness FOR (n:HarnessTest) REQUIRE n.name IS UNIQUE")
    neo4j_server.wipe()
    assert neo4j_server.query("MATCH (n) RETURN count(n) AS nodes") == [{"nodes": 0}]
    assert neo4j_server.query("SHOW CONSTRAINTS YIELD name") == []


def test_a_server_refuses_another_password(neo4j_server: Server) -> None:
    with GraphDatabase.driver(neo4j_server.uri, auth=("neo4j", "not this one")) as driver, pytest.raises(AuthError):
        driver.verify_connectivity()


def test_a_server_serves_the_browser(neo4j_server: Server) -> None:
    if neo4j_server.line == "given" and not neo4j_server.http:
        pytest.skip("GRAPHMEM_TEST_NEO4J_HTTP does not say where the given server's Browser is")
    with urlopen(f"{neo4j_server.http}/browser/", timeout=20) as page:
        assert b"<title>Neo4j Browser</title>" in page.read()


def test_a_killed_server_comes_back_with_what_it_acknowledged(own_neo4j: Server) -> None:
    own_neo4j.query("CREATE (:Kept)")
    own_neo4j.kill()
    own_neo4j.start()
    assert own_neo4j.query("MATCH (n:Kept) RETURN count(n) AS nodes") == [{"nodes": 1}]
