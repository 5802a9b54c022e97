"""How many bytes of experts may be in memory."""

from __future__ import annotations

import re
from pathlib import Path

from graphmem.moe_runtime.errors import BudgetError, InputError
from graphmem.moe_runtime.store.format import Manifest

LEAST_SLOTS = 2  # one expert computes while the next is read
_SPARE_BYTES = 1 << 30
_UNITS = {"": 1, "B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(%|[a-zA-Z]*)\s*")


def budget_bytes(budget: str | int, manifest: Manifest) -> int:
    """Bytes, from bytes, "25%" (of all experts) or "1.5GiB". Raises BudgetError below two experts."""
    allowed = budget if isinstance(budget, int) and not isinstance(budget, bool) else _parsed(budget, manifest)
    least = LEAST_SLOTS * manifest.record_bytes
    if allowed < least:
        share = 100 * least / manifest.expert_bytes
        raise BudgetError(
            f"a budget of {allowed} bytes holds {allowed // manifest.record_bytes} experts of {manifest.record_bytes}",
            hint=f"the least is {LEAST_SLOTS} experts: {least} bytes, {share:.2g}%",
        )
    return allowed


def fits(size_bytes: int) -> bool:
    """Whether that much memory can be had without pushing others out, as far as the system says."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return True
    available = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
    return available is None or size_bytes + _SPARE_BYTES <= available


def _parsed(budget: object, manifest: Manifest) -> int:
    match = _AMOUNT.fullmatch(budget) if isinstance(budget, str) else None
    unit = match[2].upper() if match else "?"
    if match is None or (unit != "%" and unit not in _UNITS):
        raise InputError(f"budget={budget!r} is not an amount", hint='bytes, or a text like "25%" or "2GiB"')
    if unit == "%":
        return int(float(match[1]) * manifest.expert_bytes / 100)
    return int(float(match[1]) * _UNITS[unit])
