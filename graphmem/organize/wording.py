"""A strategy in words, and back: regular enough for a program, plain enough for a model.

When the goal is "start the furnace" and it says "wet": do "dry the furnace", then "open the vent"; avoid "open the
hatch", because "the boiler cracks".
"""

from __future__ import annotations

import re

from graphmem.organize.abstraction import concepts
from graphmem.organize.contrast import Rule
from graphmem.schema import Id, Note, NoteKind, Strategy, identity, q8

MADE_BY = "strategies"
MAX_REASON_CHARS = 160
_WHEN = re.compile(r'When the goal is "(?P<goal>[^"]+)"(?: and it says "(?P<where>[^"]+)")?: ')
_DO = re.compile(r'(?:do|then) "([^"]+)"')
_AVOID = re.compile(r'(?:avoid|nor) "([^"]+)"(?! before)')
_BECAUSE = re.compile(r'because "([^"]+)"')
_COUNTS = re.compile(r"(\d+) attempts? agrees?, (\d+)")


def text_of(rule: Rule) -> str:
    where = f' and it says "{_plain(rule.where)}"' if rule.where else ""
    parts = []
    if rule.needed:
        parts.append("do " + ", then ".join(f'"{_plain(action)}"' for action in rule.needed))
    reason = f', because "{_plain(rule.because)[:MAX_REASON_CHARS].strip()}"' if rule.because else ""
    if rule.avoid:
        parts.append("avoid " + ", nor ".join(f'"{_plain(action)}"' for action in rule.avoid) + reason)
    elif reason:
        parts.append(f'avoid "{_plain(rule.goal)}" before that{reason}')
    return f'When the goal is "{_plain(rule.goal)}"{where}: {"; ".join(parts)}.'


def _plain(text: str) -> str:
    return text.replace('"', "'")


def strategy_id(key: bytes, goal: str, where: str = "") -> Id:
    """By its goal and condition: what is learnt anew about them is a new version of the same note."""
    return identity(key, "note", NoteKind.STRATEGY, goal, where)


def note_of(rule: Rule, key: bytes, parents: tuple[Id, ...], version: int = 0) -> Note:
    runs = len({attempt.run for attempt in rule.shown})
    agree = f"{rule.wins} attempt{' agrees' if rule.wins == 1 else 's agree'}"
    return Note(
        strategy_id(key, rule.goal, rule.where),
        NoteKind.STRATEGY,
        text_of(rule),
        parents=parents,
        context=f"{agree}, {rule.losses} disagree; from {runs} runs and more"
        if runs > 1
        else f"{agree}, {rule.losses}",
        keywords=tuple(sorted(concepts(rule.goal) | ({rule.where} if rule.where else set()))),
        tags=("advice",),
        confidence_q8=q8(rule.confidence),
        made_by=MADE_BY,
        version=version,
    )


def is_strategy(note: object) -> bool:
    """Whether a note was distilled here; one from text that gives advice is of the same kind, but has spans."""
    return isinstance(note, Note) and note.kind == NoteKind.STRATEGY and note.made_by == MADE_BY and not note.spans


def strategy_of(note: Note, score: float = 0.0) -> Strategy | None:
    """What a strategy note says, taken apart; None when it is in other words."""
    when, counts = _WHEN.match(note.text), _COUNTS.match(note.context)
    if when is None:
        return None
    because = _BECAUSE.search(note.text)
    wins, losses = (int(counts[1]), int(counts[2])) if counts else (0, 0)
    avoid, steps = tuple(_AVOID.findall(note.text)), tuple(_DO.findall(note.text))
    return Strategy(
        note, when["goal"], when["where"] or "", steps, avoid, because[1] if because else "", wins, losses, score
    )
