"""Does reading for the next layer make tokens faster on this machine? Tried, not assumed: a slow disk, a busy core or a
model whose guesses are poor turn it into a loss. Plain Python; times come from outside.
"""

from __future__ import annotations

from collections import deque
from statistics import median

_BLOCK = 4
_FIRST_BLOCKS = 8
_WINNER_BLOCKS = 15
_PAIRS = 15


class Trial:
    """Blocks of four tokens, in turn with and without, then the faster for 60 tokens between blocks of the slower.

    Compared are blocks that follow each other, since what else the machine does changes from second to second: the
    median of the last 15 ratios decides. A block's time is the median of its tokens but the first, whose cache still
    is the other's."""

    def __init__(self) -> None:
        self.is_on = True
        self.leads = True
        self._times: dict[bool, deque[float]] = {True: deque(maxlen=24), False: deque(maxlen=24)}
        self._block: list[float] = []
        self._before: tuple[bool, float] | None = None
        self._ratios: deque[float] = deque(maxlen=_PAIRS)  # with, of without
        self._blocks = 0

    def end(self, seconds: float) -> None:
        """One token is done. Decides whether the next is read ahead for."""
        self._block.append(seconds)
        if len(self._block) < _BLOCK:
            return
        self._compare(self._block[1:])
        self._block = []
        self._blocks += 1
        if self._blocks < _FIRST_BLOCKS:
            self.is_on = not self.is_on
            return
        self.leads = median(self._ratios) <= 1
        loser_next = (self._blocks - _FIRST_BLOCKS) % (_WINNER_BLOCKS + 1) == _WINNER_BLOCKS
        self.is_on = self.leads != loser_next

    def times_ms(self) -> dict[str, float]:
        """Median milliseconds a token with and without, as far as known."""
        named = {"with": self._times[True], "without": self._times[False]}
        return {name: round(1e3 * median(times), 3) for name, times in named.items() if times}

    def _compare(self, times: list[float]) -> None:
        self._times[self.is_on].extend(times)
        now = median(times)
        if self._before is not None and self._before[0] != self.is_on:
            self._ratios.append(now / self._before[1] if self.is_on else self._before[1] / now)
        self._before = (self.is_on, now)
