"""What an analyst sees: every saved query on the sample graph, the graph without plumbing, the real Neo4j Browser."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

import pytest
from neo4j.graph import Node, Path

from graphmem.api.commands.explore import QUERIES, STYLE, write_into
from graphmem.schema.browser import queries
from tests.chromium import browser, shot
from tests.neo4j.demo import FIRST_QUERY
from tests.neo4j.sample import QUESTION, ingest_sample
from tests.neo4j.server import Server

__all__ = ["browser"]

#: Queries that tell in a table what no picture would.
TABLES = {"counts", "jobs", "other-names", "sources-and-revisions", "who-speaks-of-what"}


@pytest.fixture(scope="module")
def explored(neo4j_server: Server) -> Iterator[Server]:
    neo4j_server.renew()
    ingest_sample(neo4j_server)
    yield neo4j_server
    neo4j_server.empty()


def seen(server: Server, cypher: str) -> list[list[object]]:
    """The rows of a query in a transaction that may only read."""
    with (
        server.driver(notifications_min_severity="OFF") as driver,
        driver.session(database=server.database, default_access_mode="READ") as session,
    ):
        return session.execute_read(lambda tx: tx.run(cypher).values())


@pytest.mark.parametrize("name", queries())
def test_a_saved_query_returns_rows(explored: Server, name: str) -> None:
    found = seen(explored, queries()[name])
    assert found
    shown = [value for row in found for value in row if isinstance(value, Node | Path)]
    assert bool(shown) is (name not in TABLES)


def test_why_was_this_found_leads_from_the_question_to_the_notes(explored: Server) -> None:
    paths = [row[0] for row in seen(explored, queries()["why-was-this-found"])]
    assert {path.start_node["question"] for path in paths} == {QUESTION}
    found = [path for path in paths if path.relationships[0].type == "FOUND"]
    assert sorted(path.relationships[0]["rank"] for path in found) == [1, 2, 3, 4]
    led = [path for path in paths if path.relationships[0].type == "STARTS"]
    assert led and all(path.relationships[-1].type == "AT" for path in led)
    assert any(len(path) > 2 for path in led)


def test_a_look_without_thinking_shows_memory(explored: Server) -> None:
    labels = [row[0].labels for row in seen(explored, "MATCH (n) RETURN n LIMIT 25")]
    assert sum("Zettel" in one for one in labels) >= 20


def test_the_first_query_that_the_demonstration_gives_shows_something(explored: Server) -> None:
    assert seen(explored, FIRST_QUERY)


def test_edges_have_readable_types_and_plumbing_hangs_on_nothing(explored: Server) -> None:
    types = {row[0] for row in seen(explored, "CALL db.relationshipTypes()")}
    assert {"FROM", "PART_OF", "NEXT", "MENTIONS", "SPEAKER", "ABOUT", "AGENT", "OBJECT", "CONTRADICTS"} <= types
    connected = "MATCH (n)--() UNWIND labels(n) AS label RETURN DISTINCT label"
    assert not {row[0] for row in seen(explored, connected) if row[0].startswith("_")}


# -- Neo4j Browser

DROP = """([name, data]) => {
  const held = new DataTransfer();
  held.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name));
  for (const type of ["dragenter", "dragover", "drop"])
    document.querySelector(".filedrop").dispatchEvent(
      new DragEvent(type, {dataTransfer: held, bubbles: true, cancelable: true}));
}"""


class Analyst:
    """Somebody at Neo4j Browser's page: connects, drops files on it, runs saved queries, looks at the canvas."""

    def __init__(self, page: Any, server: Server) -> None:
        self.page, self.server = page, server

    def connect(self) -> None:
        self.page.goto(f"{self.server.http}/browser/")
        self.page.fill(by("username"), self.server.user)
        self.page.fill(by("password"), self.server.password)
        self.page.click(by("connect"))
        self.page.wait_for_selector("text=You are connected as user")

    def drop(self, file: File) -> None:
        self.page.evaluate(DROP, [file.name, base64.b64encode(file.read_bytes()).decode()])

    def favourites(self) -> list[str]:
        self.page.click(by("navigationFavorites"))
        self.page.click(by("expandFolder-graphmem"))
        self.page.wait_for_selector(by("savedScriptListItem"))
        return [title.inner_text() for title in self.page.locator(by("savedScriptListItem")).all()]

    def run(self, title: str) -> Any:
        """The frame that a saved query of this title opens, once it shows nodes that have come to rest."""
        item = self.page.locator(by("savedScriptListItem"), has_text=title).first
        item.hover()
        item.locator(by("savedScriptsButton-Run")).click()
        frame = self.page.locator(by("frame"), has_text=f"// {title}").first
        frame.locator("g.node").first.wait_for()
        self.page.wait_for_timeout(2_500)
        return frame


def by(id: str) -> str:
    return f'[data-testid="{id}"]'


def captions(frame: Any) -> str:
    """What stands in the nodes, as one text."""
    return " ".join(" ".join(text.split()) for text in frame.locator("g.node").all_text_contents())


@pytest.fixture
def analyst(browser: Any, explored: Server) -> Iterator[Analyst]:
    """A page that reaches nothing but the server, and whose scripts do not complain."""
    if not explored.http:
        pytest.skip("GRAPHMEM_TEST_NEO4J_HTTP does not say where the given server's Browser is")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    ours = explored.http.rpartition(":")[0]
    page.route("**/*", lambda route: route.continue_() if route.request.url.startswith(ours) else route.abort())
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield Analyst(page, explored)
    context.close()
    assert complaints == []


@pytest.mark.browser
def test_neo4j_browser_takes_style_and_queries_and_shows_memory(analyst: Analyst, tmp_path: File) -> None:
    write_into(tmp_path)
    analyst.connect()
    analyst.drop(tmp_path / STYLE)
    analyst.page.wait_for_selector("text=node.Hyperedge")
    analyst.drop(tmp_path / QUERIES)
    titles = {text.splitlines()[0].removeprefix("// ") for text in queries().values()}
    assert set(analyst.favourites()) == titles

    why = analyst.run("Why was this found?")
    assert QUESTION in captions(why)
    assert why.locator("g.node").count() > 8
    assert why.locator("g.relationship").count() > 8
    shot(analyst.page, "why-was-this-found")

    over_time = analyst.run("Everything about an entity, over time")
    assert "Skerrow" in captions(over_time)
    sizes = {circle.get_attribute("r") for circle in over_time.locator("g.node circle.b-outline").all()}
    assert {"40", "32.5", "27.5"} <= sizes  # notes, passages, entities: the style is in force
    shot(analyst.page, "an-entity-over-time")

    roles = analyst.run("Relations and who takes part in them, by role")
    assert {"AGENT", "OBJECT"} <= set(captions_of_edges(roles))
    shot(analyst.page, "relations-by-role")


def captions_of_edges(frame: Any) -> list[str]:
    return [text.strip() for text in frame.locator("g.relationship").all_text_contents()]
