"""Many keys in one statement: as the JSON list that `IN (SELECT value FROM json_each(?))` reads."""

from __future__ import annotations

import json


def listed(keys: list[int]) -> str:
    return json.dumps(keys)
