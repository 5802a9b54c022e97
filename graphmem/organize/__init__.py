"""What turns notes into a memory: steps over what is stored, and over each batch before it is written."""

from graphmem.organize.job import KIND, Organized, Tally, organize
from graphmem.organize.organizer import AtWrite, New, Organizer, Piece, Step, View, without
from graphmem.organize.standard import STANDARD

__all__ = [
    "KIND",
    "STANDARD",
    "AtWrite",
    "New",
    "Organized",
    "Organizer",
    "Piece",
    "Step",
    "Tally",
    "View",
    "organize",
    "without",
]
