"""Reading ahead pays only when the guess is right: a wrong read takes the disk from a wanted one. So each kind of guess
is measured all the time, also while it is not acted on (the guess is free, only the read costs), and is acted on only
while it is right often enough. Plain Python.

A kind is how sure the guess looks: for one token how clearly the expert was chosen, for several how many agree.
"""

from __future__ import annotations

from collections.abc import Iterable

WASTE_CEILING = 0.08  # of the bytes read; the promise is 0.10, measured over the whole run
_WASTE_FLOOR = 0.04
_WINDOW_BYTES_IN_RECORDS = 128
_MEMORY = 1 / 48  # weight of the newest observation

Guess = tuple[int, int]  # expert, kind


class Usefulness:
    """`threshold` is the share of right guesses below which a kind is not acted on. It rises while more than 8 % of the
    bytes read are wasted and falls while less than 4 % are."""

    def __init__(self, record_bytes: int, threshold: float = 0.7) -> None:
        self.threshold = threshold
        self._right: dict[int, float] = {}
        self._window = _WINDOW_BYTES_IN_RECORDS * record_bytes
        self._read_mark = self._wasted_mark = 0

    def worth(self, guesses: Iterable[Guess]) -> list[int]:
        """The experts whose kind of guess is right often enough."""
        return [expert for expert, kind in guesses if self._right.get(kind, 1.0) >= self.threshold]

    def learn(self, guesses: Iterable[Guess], wanted: set[int]) -> None:
        """`guesses`: those about experts that were not in memory."""
        for expert, kind in guesses:
            before = self._right.get(kind, 1.0)
            self._right[kind] = before + _MEMORY * ((expert in wanted) - before)

    def adjust(self, read_bytes: int, wasted_bytes: int) -> None:
        """Takes running totals; moves the threshold once every 128 records."""
        read = read_bytes - self._read_mark
        if read < self._window:
            return
        wasted = (wasted_bytes - self._wasted_mark) / read
        self._read_mark, self._wasted_mark = read_bytes, wasted_bytes
        if wasted > WASTE_CEILING:
            self.threshold = min(1.01, self.threshold + 0.05)
        elif wasted < _WASTE_FLOOR:
            self.threshold = max(0.3, self.threshold - 0.05)

    @property
    def is_off(self) -> bool:
        return bool(self._right) and max(self._right.values()) < self.threshold

    def shares(self) -> dict[int, float]:
        return {kind: round(share, 3) for kind, share in sorted(self._right.items())}
