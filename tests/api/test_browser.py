"""The pages in a real browser: they work with nothing but our own server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.fakes import NOTE, OneNote
from tests.api.serving import served
from tests.chromium import browser, shot

__all__ = ["browser"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(OneNote()) as url:
        yield url


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    """A new page that fails the test when it asks another server or when its scripts complain."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(20_000)
    foreign: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda asked: None if asked.url.startswith((url, "data:")) else foreign.append(asked.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert foreign == []
    assert complaints == []


def test_graphiql_opens_with_examples_and_runs_one(page: Any, url: str) -> None:
    page.goto(f"{url}/graphql")
    page.wait_for_selector(".graphiql-tab >> nth=3")
    page.wait_for_selector(".graphiql-query-editor .CodeMirror-code >> text=citations")
    page.click(".graphiql-execute-button")
    page.wait_for_selector(".graphiql-response >> text=Zurich")
    shot(page, "graphql")


def test_graphiql_knows_the_schema(page: Any, url: str) -> None:
    page.goto(f"{url}/graphql")
    page.click("button[aria-label='Show Documentation Explorer']")
    page.click('.graphiql-doc-explorer a:text-is("Query")')
    page.wait_for_selector(
        '.graphiql-doc-explorer a:text-is("tokenBudget"), .graphiql-doc-explorer :text("tokenBudget")'
    )
    shot(page, "graphql-docs")


def test_the_start_page_answers_with_citations_and_paths(page: Any, url: str) -> None:
    page.goto(url)
    page.fill("#question", "Where does Ada live?")
    page.click("#go")
    page.wait_for_selector("#text >> text=Zurich [1]")
    page.wait_for_selector("#cites >> text=Ada · 2026-05-12 12:00 · Letters · spring")
    page.click("#paths summary")
    page.wait_for_selector(f"#hits >> text={NOTE.text}")
    shot(page, "start")


def test_the_start_page_tells_a_failure_and_what_to_do(page: Any, url: str) -> None:
    page.goto(url)
    page.fill("#question", "busy")
    page.click("#go")
    page.wait_for_selector("#text.failed >> text=another writer holds the store. try again")
