"""Posting to receivers as the fan-out does: over a lane."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from dispatch.fanout.channels import Poster, Sent
from dispatch.fanout.channels.http import origin_of
from dispatch.fanout.lanes import Lane, Limits
from dispatch.fanout.turns import Place, Rank

FIRST = Place(Rank.FIRST, drill=False, area="a")


async def post(url: str, *, guarded: bool = False, try_seconds: float = 0.5, budget_seconds: float = 2.0) -> Sent:
    """One call as its lane makes it."""
    lane = Lane("webhook", Limits(seconds=try_seconds, budget=budget_seconds))
    async with Poster(guarded=guarded) as poster:
        return await lane.send(origin_of(url), FIRST, lambda: poster.post(url, b"{}", {}))


@asynccontextmanager
async def lane_to_receivers(limits: Limits | None = None) -> AsyncIterator[Callable[..., Awaitable[Sent]]]:
    """A way to post over one lane: `to(url, another=…)`."""
    lane = Lane("webhook", limits or Limits())
    async with Poster(guarded=False) as poster:

        async def to(url: str, *, another: bool = False) -> Sent:
            return await lane.send(origin_of(url), FIRST, lambda: poster.post(url, b"", {}), another=another)

        yield to
