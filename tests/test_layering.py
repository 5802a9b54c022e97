"""Imports point one way: schema <- graphmem <- ingest <- api; moe_runtime imports none, and only api imports it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "schema": {"schema"},
    "graphmem": {"schema", "graphmem"},
    "ingest": {"schema", "graphmem", "ingest"},
    "api": {"schema", "graphmem", "ingest", "api", "moe_runtime"},
    "moe_runtime": {"moe_runtime"},
}


def modules(folder: str) -> list[Path]:
    return [path for path in sorted((ROOT / folder).rglob("*.py")) if not is_below_link(path)]


def is_below_link(path: Path) -> bool:
    return any(parent.is_symlink() for parent in path.parents if parent != ROOT and ROOT in parent.parents)


def layers_imported(path: Path) -> set[str]:
    """The layers that a module names in its imports, wherever they stand in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; imports here are absolute"
            whole = node.module == "graphmem"
            names = [f"graphmem.{alias.name}" for alias in node.names] if whole else [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "graphmem":
                layer = parts[1] if len(parts) > 1 and parts[1] in MAY_IMPORT else "graphmem"
                found.add(layer)
    return found


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_one_way(folder: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): sorted(layers_imported(path) - MAY_IMPORT[folder])
        for path in modules(folder)
        if layers_imported(path) - MAY_IMPORT[folder]
    }
    assert not wrong


def test_schema_needs_the_standard_library_alone() -> None:
    for path in modules("schema"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        typing_only = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if id(node) in typing_only or not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            for name in names:
                top = name.split(".")[0]
                assert top == "graphmem" or top in sys.stdlib_module_names, f"{path}:{node.lineno} imports {name}"
