"""One tree of errors. Each says what, where and what to do; foreign errors are translated at the boundary.

GraphmemError
├── InputError            bad input: a file that is not what it says, a date that does not exist   exit 2
│   └── SettingError      an unknown setting or a value out of range
├── NotFound              an id, job, space or source that is not there                            exit 3
├── StoreError            the store cannot do it                                                   exit 4
│   ├── StoreBusy         another writer holds it (retryable)
│   ├── StoreReadOnly
│   ├── StoreTooNew       made by a newer graphmem
│   ├── StoreCorrupt      not a graphmem store, or its derived rows disagree with the truth
│   ├── Conflict          an update names a version that is no longer the stored one (retryable)
│   └── DeadlineExceeded  a read ran past its deadline (retryable)
├── ModelError            weights missing or with a wrong hash; a generator that failed            exit 5
└── JobError              a job finished with failed items, or cannot be resumed or undone          exit 6
"""

from __future__ import annotations


class GraphmemError(Exception):
    """`message` says what and where, `hint` what to do; `retryable` whether the same call may succeed later."""

    exit_code = 1
    retryable = False

    def __init__(self, message: str, *, hint: str = "", source: str = "", position: str = "") -> None:
        self.message, self.hint, self.source, self.position = message, hint, source, position
        where = ", ".join(part for part in (source, position) if part)
        super().__init__(f"{where}: {message}" if where else message)


class InputError(GraphmemError):
    exit_code = 2


class SettingError(InputError):
    pass


class NotFound(GraphmemError):
    exit_code = 3


class StoreError(GraphmemError):
    exit_code = 4


class StoreBusy(StoreError):
    retryable = True


class StoreReadOnly(StoreError):
    pass


class StoreTooNew(StoreError):
    pass


class StoreCorrupt(StoreError):
    pass


class Conflict(StoreError):
    retryable = True


class DeadlineExceeded(StoreError):
    retryable = True


class ModelError(GraphmemError):
    exit_code = 5


class JobError(GraphmemError):
    exit_code = 6
