"""The public names of the library: a change here is a change for users."""

import subprocess
import sys

import graphmem
import graphmem.schema


def test_the_library_exports_these_names() -> None:
    assert graphmem.__all__ == ["GraphmemError", "Memory", "__version__", "open"]
    assert {name for name in graphmem.__all__ if getattr(graphmem, name) is None} == set()


def test_importing_the_library_loads_nothing_heavy() -> None:
    code = "import sys, graphmem; print([m for m in ('torch', 'fastapi', 'numpy', 'langchain') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_memory_can_be_opened_without_torch_or_fastapi() -> None:
    heavy = ("torch", "fastapi", "langchain", "scipy")
    code = f"import sys, graphmem.memory; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
