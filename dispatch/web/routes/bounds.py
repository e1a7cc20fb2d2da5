"""Who may ask for a route, and how much they may send."""

from __future__ import annotations

from dispatch.access import TokenRole

OPERATOR: frozenset[TokenRole] = frozenset({"operator"})
RESPONDER: frozenset[TokenRole] = frozenset({"responder"})
CALLED: frozenset[TokenRole] = OPERATOR | RESPONDER
PRESSING: frozenset[TokenRole] = OPERATOR | frozenset({"device"})
INVOLVED: frozenset[TokenRole] = CALLED | PRESSING

SMALL = 4 * 1024
"""Bytes of a body that says little."""
