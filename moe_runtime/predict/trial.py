"""Does reading for the next layer make tokens faster on this machine? Tried, not assumed: a slow disk, a busy core or a
model whose guesses are poor turn it into a loss. Plain Python; times come from outside.
"""

from __future__ import annotations

from collections import deque
from statistics import median

_BLOCK = 4
_FIRST_BLOCKS = 8
_WINNER_BLOCKS = 15


class Trial:
    """Blocks of four tokens, in turn with and without, then the faster for 60 tokens between blocks of the slower.

    Compared are medians of the last 24 tokens of each kind; the first token of a block, whose cache still is the
    other's, does not count."""

    def __init__(self) -> None:
        self.is_on = True
        self.leads = True
        self._times: dict[bool, deque[float]] = {True: deque(maxlen=24), False: deque(maxlen=24)}
        self._in_block = self._blocks = 0

    def end(self, seconds: float) -> None:
        """One token is done. Decides whether the next is read ahead for."""
        if self._in_block:
            self._times[self.is_on].append(seconds)
        self._in_block += 1
        if self._in_block < _BLOCK:
            return
        self._in_block = 0
        self._blocks += 1
        if self._blocks < _FIRST_BLOCKS:
            self.is_on = not self.is_on
            return
        self.leads = median(self._times[True]) <= median(self._times[False])
        loser_next = (self._blocks - _FIRST_BLOCKS) % (_WINNER_BLOCKS + 1) == _WINNER_BLOCKS
        self.is_on = self.leads != loser_next

    def times_ms(self) -> dict[str, float]:
        """Median milliseconds a token with and without, as far as known."""
        named = {"with": self._times[True], "without": self._times[False]}
        return {name: round(1e3 * median(times), 3) for name, times in named.items() if times}
