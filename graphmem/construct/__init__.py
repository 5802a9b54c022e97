"""Passages to notes, entities, hyperedges and times: by rules, with a seam for a model's proposals."""

from graphmem.construct.asking import Proposer
from graphmem.construct.constructor import Constructor
from graphmem.construct.draft import Constructed
from graphmem.construct.form import form_of
from graphmem.construct.rules import note_texts
from graphmem.construct.times import TimeExpression, find_times, spoken

__all__ = ["Constructed", "Constructor", "Proposer", "TimeExpression", "find_times", "form_of", "note_texts", "spoken"]
