"""What Neo4j Browser imports, as files: the server's own tests run the queries (tests/neo4j)."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from graphmem.schema.browser import queries, style
from graphmem.stores.neo4j.model import ENTITY_LABELS, KIND_LABEL, NOTE_LABELS, RELATION
from tests.api.conftest import run_cli

OUTSIDE = {"Zettel", "Recall", "Step", "Space"}
VIEW = {"FOUND", "STARTS", "LEADS_TO", "AT"}


def test_each_query_says_in_its_first_line_what_it_shows() -> None:
    titles = [text.splitlines()[0] for text in queries().values()]
    assert len(titles) >= 12
    assert all(re.fullmatch(r"// .{4,60}", title) for title in titles)
    assert len(set(titles)) == len(titles)


def test_no_query_changes_anything_or_needs_a_parameter() -> None:
    for name, text in queries().items():
        code = re.sub(r"//.*", "", text)
        assert not re.search(r"\b(CREATE|MERGE|SET|DELETE|REMOVE|DROP|LOAD)\b|\$|apoc\.|gds\.", code), name


def test_queries_and_style_name_labels_and_relations_that_there_are() -> None:
    labels = {*KIND_LABEL.values(), *NOTE_LABELS, *ENTITY_LABELS, *OUTSIDE}
    for name, text in queries().items():
        code = re.sub(r"//.*|'[^']*'", "", text)
        for used in re.findall(r"\(\w*:([\w|]+)", code):
            assert {label for label in used.split("|") if not label.startswith("_")} <= labels, name
        for used in re.findall(r"\[\w*:([A-Z_|]+)", code):
            assert set(used.split("|")) <= {*RELATION.values(), *VIEW}, name
    assert set(re.findall(r"^node\.(\w+)", style(), re.MULTILINE)) <= labels
    assert set(re.findall(r"^relationship\.(\w+)", style(), re.MULTILINE)) <= set(RELATION.values())


def test_the_command_writes_a_zip_and_a_style_and_writes_them_again(tmp_path: Path) -> None:
    for _ in range(2):
        done = run_cli("browser", tmp_path / "out")
        assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "out" / "graphmem-queries.zip") as archive:
        held = {name: archive.read(name).decode() for name in archive.namelist()}
    assert held == {f"graphmem/{name}.cypher": text for name, text in queries().items()}
    assert (tmp_path / "out" / "graphmem.grass").read_text() == style()
