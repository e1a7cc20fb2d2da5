"""JSON as this API writes it."""

from __future__ import annotations

from typing import Any

import msgspec


def encoded(value: Any) -> bytes:
    """JSON as this API writes it: times in RFC 3339, UTC, ending in `Z`."""
    return msgspec.json.encode(value)
