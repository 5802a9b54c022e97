"""Which of several remembered statements holds: what a statement says, of whom, and whether a later one replaces it."""

from graphmem.standing.cues import Cues, asked_words, cues_of
from graphmem.standing.model import Asking, Model, Stated, asks_for_a_value, replaces
from graphmem.standing.order import APART_US, holds

__all__ = [
    "APART_US",
    "Asking",
    "Cues",
    "Model",
    "Stated",
    "asked_words",
    "asks_for_a_value",
    "cues_of",
    "holds",
    "replaces",
]
