"""The roles, each a process of its own, and how they are heard of."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["serve", "fanout", "project", "watch"]
ROLES: tuple[Role, ...] = get_args(Role)
"""In the order in which they end: no new work comes in before what is in hand is done."""


def ping_subject(site: str, role: Role) -> str:
    """Where each process of the role answers that it is there."""
    return f"ops.{site}.ping.{role}"


def strained_subject(site: str) -> str:
    """Where each process that takes presses says, every second, that their store is slow or takes none."""
    return f"ops.{site}.strained"


def rubbish_subject(site: str, household: str) -> str:
    """Where a fan-out says that it passed over an unreadable press of `household` (`*`: of any)."""
    return f"ops.{site}.rubbish.{household}"


def looked_subject(site: str) -> str:
    """Where `watch` says after each of its looks that it has looked."""
    return f"ops.{site}.looked"
