"""Why a call was not made, where that says nothing of the channel that it would have gone over."""

from __future__ import annotations

CLOSED = "case closed before the call"
NOT_WANTED = "answered or stood down before this channel rang"
LEFT_OUT = "left out before this channel rang"
NOT_MADE = frozenset({CLOSED, NOT_WANTED, LEFT_OUT})
