"""browser: what Neo4j Browser imports, to look at a memory with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphmem.api.terminal import say

QUERIES = "graphmem-queries.zip"
STYLE = "graphmem.grass"


def browser(
    folder: Annotated[Path, typer.Argument(help="Where to write the two files.")] = Path(),
) -> None:
    """Write what Neo4j Browser imports: saved queries and a style. Drop both files on its page."""
    queries = write_into(folder)
    say(f"wrote {folder / QUERIES} ({queries} queries) and {folder / STYLE}")
    say("open Neo4j Browser (http://localhost:7474/browser/) and drop each file on the page:")
    say("the queries are then under Favorites, and nodes show what they say")


def write_into(folder: Path) -> int:
    """Writes both files, over older ones; how many queries there are."""
    import zipfile

    from graphmem.schema.browser import queries, style

    folder.mkdir(parents=True, exist_ok=True)
    found = queries()
    with zipfile.ZipFile(folder / QUERIES, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in found.items():
            archive.writestr(zipfile.ZipInfo(f"graphmem/{name}.cypher"), text)  # the folder's name in Browser
    (folder / STYLE).write_text(style(), encoding="utf-8")
    return len(found)
