"""The organiser that a memory uses unless another is given."""

from __future__ import annotations

from graphmem.organize.beliefs import Beliefs
from graphmem.organize.episodes import Episodes
from graphmem.organize.links import Links
from graphmem.organize.observations import Observations
from graphmem.organize.organizer import Organizer
from graphmem.organize.scenes import Scenes
from graphmem.organize.standing import Standing
from graphmem.organize.strategies import Strategies
from graphmem.organize.summaries import Summaries

STANDARD = Organizer(
    "STANDARD",
    (Standing(), Links(), Episodes(), Summaries(), Observations(), Beliefs(), Scenes(), Strategies()),
)
