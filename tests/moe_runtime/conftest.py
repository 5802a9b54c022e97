"""Checkpoints and stores of tiny models, made once a session."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import torch

from graphmem.moe_runtime import Engine
from tests.moe_runtime import models

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory):
    """(family, dtype) -> its checkpoint and its store, which tests only read."""

    @functools.cache
    def make(family: str = "qwen3_moe", dtype: torch.dtype = torch.float32) -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp(family)
        checkpoint = models.checkpoint(folder / "checkpoint", family, dtype)
        models.save_tokenizer(checkpoint)
        Engine.pack(checkpoint, folder / "store")
        return checkpoint, folder / "store"

    return make
