"""The pages in a real browser: they work with nothing but our own server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.fakes import NOTE, OneNote
from tests.api.serving import served

pytestmark = pytest.mark.browser
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
SHOTS = os.environ.get("GRAPHMEM_TEST_SHOTS")  # a folder to keep screenshots in, to look at


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(OneNote()) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found and os.environ.get("CI") != "true":
        pytest.skip("no chromium on this machine (CI has one)")
    assert found, "CI needs chromium"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        launched = play.chromium.launch(executable_path=found, args=FLAGS)
        yield launched
        launched.close()


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


def shot(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


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
