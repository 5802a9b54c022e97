"""A store with the sample in it, made once by the command line itself; commands run as processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

SAMPLE = Path(str(files("graphmem.api") / "sample"))
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(**given: str) -> dict[str, str]:
    """Ours without any GRAPHMEM_ setting, so that a developer's own do not reach a test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRAPHMEM_", "NEO4J_"))}
    return {**kept, "HF_HUB_OFFLINE": "1", "COLUMNS": "100", **given}


def run_cli(
    *arguments: object, stdin: str | bytes | None = None, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """`graphmem ARGUMENTS` as a process, with its exit code, stdout and stderr."""
    raw = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [sys.executable, "-m", "graphmem.api.cli", *map(str, arguments)],
        input=raw if raw is not None else b"",
        capture_output=True,
        cwd=cwd,
        env=environment(**env),
        timeout=300,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(scope="session")
def sample_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, ingested. Tests that write take `own_store`."""
    store = tmp_path_factory.mktemp("sample") / "sample.db"
    done = run_cli("ingest", SAMPLE, "--into", store)
    assert done.returncode == 0, done.stderr
    return store


@pytest.fixture
def own_store(sample_store: Path, tmp_path: Path) -> Path:
    """A copy of the sample's store that the test may change."""
    for file in sample_store.parent.glob(f"{sample_store.name}*"):
        shutil.copy(file, tmp_path / file.name)
    return tmp_path / sample_store.name
