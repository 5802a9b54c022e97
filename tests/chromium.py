"""A headless Chromium for tests of pages: the machine's own, driven by playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
SHOTS = os.environ.get("GRAPHMEM_TEST_SHOTS")  # a folder to keep screenshots in, to look at


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


def shot(page: Any, name: str, **given: Any) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", **given)
