"""Which of several remembered statements holds: what a statement says, of whom, and whether a later one replaces it."""

from graphmem.standing.cues import Cues, asked_words, cues_of
from graphmem.standing.model import Asking, Model, Stated, asks_for_a_value, load
from graphmem.standing.order import holds

__all__ = ["Asking", "Cues", "Model", "Stated", "asked_words", "asks_for_a_value", "cues_of", "holds", "load"]
