"""Passages to notes, entities, hyperedges and times: by rules, with a seam for a model's proposals."""

from graphmem.construct.constructor import Constructed, Constructor
from graphmem.construct.form import form_of
from graphmem.construct.times import TimeExpression, find_times, spoken

__all__ = ["Constructed", "Constructor", "TimeExpression", "find_times", "form_of", "spoken"]
