"""What Neo4j Browser imports: saved queries (one a file, its first line says what it shows) and a style."""

from __future__ import annotations

from importlib.resources import files


def queries() -> dict[str, str]:
    """Each saved query by its name, in order of names. They take no parameters and change nothing."""
    found = (file for file in files(__name__).iterdir() if file.name.endswith(".cypher"))
    return {file.name.removesuffix(".cypher"): file.read_text("utf-8") for file in sorted(found, key=lambda f: f.name)}


def style() -> str:
    """The style sheet, in Browser's own format."""
    return (files(__name__) / "graphmem.grass").read_text("utf-8")
