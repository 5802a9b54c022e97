"""Passages to notes, entities, hyperedges and times: by rules, with a seam for a model's proposals."""

from graphmem.construct.asking import Proposer
from graphmem.construct.constructor import Constructor
from graphmem.construct.draft import Constructed
from graphmem.construct.form import form_of
from graphmem.construct.prompting import BRIEF, FULL, Cost, Manner, cost
from graphmem.construct.proposing import Asking
from graphmem.construct.rules import note_texts
from graphmem.construct.spending import Caps, Spent
from graphmem.construct.times import TimeExpression, find_times, spoken

__all__ = [
    "BRIEF",
    "FULL",
    "Asking",
    "Caps",
    "Constructed",
    "Constructor",
    "Cost",
    "Manner",
    "Proposer",
    "Spent",
    "TimeExpression",
    "cost",
    "find_times",
    "form_of",
    "note_texts",
    "spoken",
]
