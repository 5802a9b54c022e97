"""Every example in the README runs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graphmem.api.cli import EPILOG
from graphmem.errors import GraphmemError
from tests.api.conftest import SAMPLE, environment, run_cli
from tests.api.serving import served
from tests.api.test_graphql import post
from tests.moe_runtime.serving import small_store

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def typed() -> list[str]:
    return [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the examples speak of."""
    shutil.copy(SAMPLE / "three-friends.jsonl", tmp_path / "chats.jsonl")
    shutil.copytree(SAMPLE / "documents", tmp_path / "papers")
    return tmp_path


def test_every_python_example_runs(folder: Path) -> None:
    memory, engine = blocks("python")
    small_store(folder)
    for block, said in ((memory, "Zurich"), (engine, "experts_resident")):
        done = subprocess.run(
            [sys.executable, "-c", block], cwd=folder, env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert said in done.stdout


def test_every_command_example_runs(folder: Path) -> None:
    assert typed()
    path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
    for line in typed():
        done = subprocess.run(
            line, shell=True, cwd=folder, env=environment(PATH=path), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert done.stdout.strip(), line


def test_every_graphql_example_runs(sample_store: Path) -> None:
    assert blocks("graphql")
    with served(store=str(sample_store)) as url:
        for block in blocks("graphql"):
            reply = post(url, block)
            assert "errors" not in reply
            assert reply["data"]["answer"]["recall"]["hits"]


def test_every_command_is_named_in_the_readme() -> None:
    told = run_cli("--help").stdout
    commands = re.findall(r"^│ ([a-z]+)  ", told, re.MULTILINE)
    assert len(commands) >= 12
    for command in commands:
        assert f"`{command}" in README, command
        assert run_cli(command, "--help").returncode == 0


def test_exit_codes_in_readme_and_help_are_those_of_the_errors() -> None:
    def codes(error: type[GraphmemError]) -> set[int]:
        return {error.exit_code}.union(*(codes(below) for below in error.__subclasses__()))

    table = README.split("| exit code | means |")[1].split("\n\n")[0]
    listed = {int(code) for row in re.findall(r"^\| ([0-9, ]+) \|", table, re.MULTILINE) for code in row.split(", ")}
    assert listed == codes(GraphmemError) | {0, 130, 143}
    assert {int(code) for code in re.findall(r"\b\d+\b", EPILOG)} == listed
