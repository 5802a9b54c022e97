"""Which of several remembered statements holds: what a statement says, of whom, and whether a later one replaces it."""

from graphmem.standing.cues import Cues, asked_words, cues_of
from graphmem.standing.model import Model, load
from graphmem.standing.order import holds

__all__ = ["Cues", "Model", "asked_words", "cues_of", "holds", "load"]
