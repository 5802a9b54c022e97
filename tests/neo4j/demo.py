"""The demonstration on Neo4j, behind `make demo STORE=neo4j`.

It takes the server that NEO4J_URI names (its space `default` must be empty), else starts one from Maven's jars, else
one in Docker. On a terminal that server runs until Ctrl-C, so that its Browser can be looked at.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from graphmem.api import demo
from graphmem.api.commands.explore import QUERIES, STYLE, write_into
from tests.neo4j.fixtures import contained
from tests.neo4j.jars import Missing
from tests.neo4j.server import Server, started

HOME = Path("build") / "neo4j-demo"
LINE = "2026.09"
QUESTION = "How does one get to Skerrow?"
FIRST_QUERY = "MATCH path = (:Entity {name: 'Ines'})--() RETURN path LIMIT 40"


def main() -> int:
    try:
        with running() as server:
            os.environ.update(server.environment)
            return shown(server)
    except Missing as missing:
        sys.exit(f"no Neo4j for the demonstration: {missing}")


def shown(server: Server) -> int:
    code = demo.main(server.uri)
    if code == 0:
        keep = demo.command("recall", QUESTION, "--keep", "--limit", "3", "--store", server.uri)
        code = subprocess.run(keep, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode
    if code == 0:
        write_into(HOME.parent)
        tell(server)
        if server.ours and sys.stdin is not None and sys.stdin.isatty():
            with suppress(KeyboardInterrupt):
                input("\nThe server runs until you press Enter or Ctrl-C. ")
    return code


def tell(server: Server) -> None:
    address = f"{server.http}/browser/" if server.http else "your server's Browser"
    login = f"{server.user} / {server.password}" if server.ours else "your own"
    print(f"\nFor these commands       export NEO4J_PASSWORD={server.password if server.ours else '…'}")
    print(f"See the graph            {address}   connect to {server.uri}, {login}")
    print(f"First query to paste     {FIRST_QUERY}")
    print(f"Drop on the page         {HOME.parent / STYLE} (the style), {HOME.parent / QUERIES} (saved queries)")
    print("then, under Favorites    Why was this found?   shows the paths of one recall")


@contextmanager
def running() -> Iterator[Server]:
    """A server by the order above; one that we started ends with the block. Raises Missing."""
    if given := os.environ.get("NEO4J_URI"):
        user, password = os.environ.get("NEO4J_USERNAME", "neo4j"), os.environ.get("NEO4J_PASSWORD", "")
        yield Server("given", given, "", user, password, os.environ.get("NEO4J_DATABASE", "neo4j"))
        return
    with ExitStack() as ends:
        yield begun(ends)


def begun(ends: ExitStack) -> Server:
    print("Starting a Neo4j of our own ...", flush=True)
    shutil.rmtree(HOME, ignore_errors=True)
    try:
        server = started(LINE, HOME.absolute(), quick=True)
        ends.callback(server.remove)
        return server
    except Missing as missing:
        containers: list[object] = []
        try:
            server = contained(LINE, containers)
        except Missing as also:
            raise Missing(f"{missing}; {also}") from also
        ends.callback(containers[0].stop)  # type: ignore[attr-defined]
        return server


if __name__ == "__main__":
    sys.exit(main())
