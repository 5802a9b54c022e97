"""Values as canonical text: what digests, images and the journal's chain are made of."""

from __future__ import annotations

import json

from graphmem.errors import InputError


def as_json(value: object) -> str:
    """Canonical JSON: keys sorted, no spaces, code points as they are."""
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"not a JSON value: {error}", hint="meta holds strings, numbers, lists and maps") from error
