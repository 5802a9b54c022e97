"""Servers as pytest fixtures, seen by every test (tests/conftest.py takes them in).

A test asks for `neo4j_server` and runs once on each line of the server; or for `own_neo4j` to stop and kill one of its
own. In this order a server is GRAPHMEM_TEST_NEO4J_URI's, one started from Maven's jars, one that Docker runs; else the
test is skipped with the reason, and fails where CI=true.

Tests empty the database of a server that GRAPHMEM_TEST_NEO4J_URI names: give one that is for tests alone.
GRAPHMEM_TEST_NEO4J_VERSIONS ("5.26", "2026.09", or both with a comma) narrows the lines on a developer's machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.neo4j.jars import VERSIONS, Missing
from tests.neo4j.server import PASSWORD, USER, Server, started

GIVEN = os.environ.get("GRAPHMEM_TEST_NEO4J_URI", "")
LINES = tuple(os.environ.get("GRAPHMEM_TEST_NEO4J_VERSIONS", ",".join(VERSIONS)).split(","))
#: What `neo4j_server` is parametrised with.
SERVERS = ("given",) if GIVEN else LINES

ServerOf = Callable[[str], Server]


@pytest.fixture(scope="session")
def neo4j_server_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerOf]:
    """The session's one server of a line, started when it is first asked for."""
    running: dict[str, Server] = {}
    containers: list[Any] = []

    def of(line: str) -> Server:
        if line not in running:
            running[line] = found(line, tmp_path_factory.mktemp(f"neo4j-{line}"), containers)
        return running[line]

    yield of
    for server in running.values():
        server.remove()
    for container in containers:
        container.stop()


@pytest.fixture(scope="session", params=SERVERS)
def neo4j_server(request: pytest.FixtureRequest, neo4j_server_of: ServerOf) -> Server:
    """A server of each line, shared by the session: what a test leaves in it, the next one meets (`wipe`)."""
    return neo4j_server_of(request.param)


@pytest.fixture(params=LINES)
def own_neo4j(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, to stop, kill and start again. Always from jars: nobody else's is killed."""
    server = ours(request.param, tmp_path / "neo4j")
    yield server
    server.remove()


def found(line: str, home: Path, containers: list[Any]) -> Server:
    """A server by the order above."""
    if line == "given":
        user, password = os.environ.get("NEO4J_USERNAME", USER), os.environ.get("NEO4J_PASSWORD", PASSWORD)
        return Server("given", GIVEN, os.environ.get("GRAPHMEM_TEST_NEO4J_HTTP", ""), user, password)
    try:
        return started(line, home, quick=True)
    except Missing as missing:
        reason = str(missing)
    try:
        return contained(line, containers)
    except Missing as missing:
        return unavailable(f"{reason}; {missing}")


def ours(line: str, home: Path) -> Server:
    try:
        return started(line, home, quick=True)
    except Missing as missing:
        return unavailable(str(missing))


def contained(line: str, containers: list[Any]) -> Server:
    """A server in Docker, by testcontainers. Raises Missing when no Docker engine answers."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        raise Missing("no Docker engine answers")
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(f"neo4j:{VERSIONS[line]}-community").with_exposed_ports(7687, 7474)
    container.with_env("NEO4J_AUTH", f"{USER}/{PASSWORD}").start()
    containers.append(container)
    host = container.get_container_host_ip()
    bolt, http = (container.get_exposed_port(port) for port in (7687, 7474))
    server = Server(line, f"bolt://{host}:{bolt}", f"http://{host}:{http}")
    server.wait()
    return server


def unavailable(reason: str) -> Server:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs a Neo4j server: {reason}")
    pytest.skip(f"no Neo4j server: {reason}")
