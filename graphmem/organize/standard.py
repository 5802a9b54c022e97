"""The organiser that runs when no other is named."""

from __future__ import annotations

from graphmem.organize.beliefs import Beliefs
from graphmem.organize.observations import Observations
from graphmem.organize.organizer import Organizer
from graphmem.organize.standing import Standing

STANDARD = Organizer("STANDARD", (Standing(), Observations(), Beliefs()))
