"""The organiser that every memory has: its steps in their order."""

from __future__ import annotations

from graphmem.organize.links import Links
from graphmem.organize.organizer import Organizer

STANDARD = Organizer("STANDARD", (Links(),))
