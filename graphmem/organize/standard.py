"""The organiser that runs when no other is named."""

from __future__ import annotations

from graphmem.organize.episodes import Episodes
from graphmem.organize.organizer import Organizer
from graphmem.organize.scenes import Scenes

STANDARD = Organizer("STANDARD", (Episodes(), Scenes()))
