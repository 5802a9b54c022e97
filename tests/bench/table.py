"""Rows of the bench: what was measured, its floor, and whether it holds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """`floor` is the figure to reach: at least (`at_most` False) or at most; None when the value is only reported.
    `skipped` says why there is no value."""

    name: str
    value: float | None
    unit: str = ""
    floor: float | None = None
    at_most: bool = False
    skipped: str = ""

    @property
    def holds(self) -> bool | None:
        if self.value is None or self.floor is None:
            return None
        return self.value <= self.floor if self.at_most else self.value >= self.floor


def text_table(rows: list[Row]) -> str:
    """One table: name, value, unit, floor, verdict."""
    width = max(len(row.name) for row in rows)
    lines = [f"{'what':{width}}  {'value':>12}  {'unit':10}  {'floor':>10}  holds"]
    for row in rows:
        value = f"{row.value:,.3f}".rstrip("0").rstrip(".") if row.value is not None else "-"
        floor = "" if row.floor is None else f"{'<=' if row.at_most else '>='} {row.floor:g}"
        verdict = f"skipped: {row.skipped}" if row.skipped else {None: "", True: "yes", False: "NO"}[row.holds]
        lines.append(f"{row.name:{width}}  {value:>12}  {row.unit:10}  {floor:>10}  {verdict}")
    return "\n".join(lines)


def save(rows: list[Row], path: Path) -> None:
    """Writes `[{name, value, unit, floor, at_most, skipped, holds}]`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([{**asdict(row), "holds": row.holds} for row in rows], indent=1), encoding="utf-8")
