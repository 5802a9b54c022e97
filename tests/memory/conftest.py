from collections.abc import Iterator
from pathlib import Path

import pytest

import graphmem
from graphmem.embed import HashEmbedder


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[graphmem.Memory]:
    with graphmem.open(str(tmp_path / "store.db"), embedder=HashEmbedder()) as opened:
        yield opened
