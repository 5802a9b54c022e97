"""The profile as one SVG: SRP by segment length, hit rates by cache size. No plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from graphmem.moe_runtime.profile.report import Profile

WIDTH, HEIGHT = 860, 380
PANEL, TOP, BOTTOM = 330, 84, 310
LEFTS = (70, 490)
MODEL, OTHER, MUTED = "#0b6e99", "#c8553d", "#6b7280"
Line = tuple[str, str, str, Sequence[float]]  # name, colour, dash, values in 0..1


def plotted(profile: Profile, title: str) -> str:
    lengths = [str(length) for length in profile.srp]
    caches = [f"{row.share:.0%}" for row in profile.rows]
    srp: list[Line] = [
        ("this model", MODEL, "", list(profile.srp.values())),
        ("random routing", MUTED, "5 4", list(profile.chance.values())),
    ]
    hits: list[Line] = [
        ("SCH, segments of 16", OTHER, "", [row.sch for row in profile.rows]),
        ("LRU cache", MODEL, "", [row.lru for row in profile.rows]),
    ]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(LEFTS[0], 28, title, size=16, weight="bold"),
        text(LEFTS[0], 48, subtitle(profile), size=12, fill=MUTED),
        *panel(LEFTS[0], "tokens in a segment", "SRP (F1)", lengths, srp),
        *panel(LEFTS[1], "share of the experts in the cache", "hit rate", caches, hits),
        *mark(profile),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def subtitle(profile: Profile) -> str:
    advice = f"recommended budget {profile.recommended.share:.0%}: {profile.recommended.budget_bytes / 2**20:.1f} MiB"
    suits = "suits offloading" if profile.suits else "does not suit offloading"
    shape = f"{profile.layers} layers, {profile.active:g} of {profile.experts} experts a token"
    return f"{shape}; {suits}; {advice}"


def panel(left: int, below: str, beside: str, ticks: Sequence[str], lines: Sequence[Line]) -> list[str]:
    parts = []
    for tenth in range(0, 11, 2):
        y = height_of(tenth / 10)
        parts.append(f'<line x1="{left}" x2="{left + PANEL}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        parts.append(text(left - 8, y + 4, f"{tenth / 10:.1f}", anchor="end", fill=MUTED))
    places = columns(left, len(ticks))
    parts += [text(x, BOTTOM + 18, tick, anchor="middle", fill=MUTED) for x, tick in zip(places, ticks, strict=True)]
    parts.append(text(left + PANEL / 2, BOTTOM + 38, below, anchor="middle"))
    parts.append(text(left - 34, TOP - 12, beside))
    for row, (name, colour, dash, values) in enumerate(lines):
        points = " ".join(f"{x:.1f},{height_of(value):.1f}" for x, value in zip(places, values, strict=True))
        style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        parts.append(f'<polyline points="{points}" {style}/>')
        x, y = left + 16 + 160 * row, BOTTOM + 60
        parts.append(
            f'<line x1="{x - 16}" x2="{x - 2}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" '
            f'stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        parts.append(text(x + 3, y, name, fill=colour))
    return parts


def mark(profile: Profile) -> list[str]:
    """Where the recommended budget lies in the right panel."""
    x = columns(LEFTS[1], len(profile.rows))[profile.rows.index(profile.recommended)]
    y = height_of(profile.recommended.lru)
    return [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{MODEL}" stroke="white" stroke-width="1.5"/>']


def columns(left: int, count: int) -> list[float]:
    step = (PANEL - 30) / max(1, count - 1)
    return [left + 15 + index * step for index in range(count)]


def height_of(value: float) -> float:
    return BOTTOM - value * (BOTTOM - TOP)


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    fill: str = "#111827",
    size: int = 11,
    weight: str = "normal",
) -> str:
    style = f'text-anchor="{anchor}" fill="{fill}" font-size="{size}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'
