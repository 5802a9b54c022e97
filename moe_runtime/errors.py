"""The engine's own tree of errors; the shape (`message`, `hint`, `retryable`, `exit_code`) is that of the library's.

MoeError
├── InputError         bad input: a folder that is no checkpoint, an unknown setting                exit 2
│   └── BudgetError    a budget that cannot hold what one layer needs
├── StoreError         the store of experts cannot do it                                            exit 4
│   ├── StoreCorrupt   truncated, damaged or swapped: a checksum names the file and the expert
│   ├── StoreFull      no room on the disk while packing (retryable: packing goes on where it stopped)
│   └── ReadFailed     the disk did not deliver (retryable)
└── ModelError         the model cannot be built or does not fit the store                          exit 5
"""

from __future__ import annotations


class MoeError(Exception):
    """`message` says what and where, `hint` what to do; `retryable` whether the same call may succeed later."""

    exit_code = 1
    retryable = False

    def __init__(self, message: str, *, hint: str = "", source: str = "", position: str = "") -> None:
        self.message, self.hint, self.source, self.position = message, hint, source, position
        where = ", ".join(part for part in (source, position) if part)
        super().__init__(f"{where}: {message}" if where else message)


class InputError(MoeError):
    exit_code = 2


class BudgetError(InputError):
    pass


class StoreError(MoeError):
    exit_code = 4


class StoreCorrupt(StoreError):
    pass


class StoreFull(StoreError):
    retryable = True


class ReadFailed(StoreError):
    retryable = True


class ModelError(MoeError):
    exit_code = 5
