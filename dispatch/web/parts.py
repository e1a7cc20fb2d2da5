"""What every handler works with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from dispatch.access import Bucket
from dispatch.events import PIN_TRIES
from dispatch.web.access import Gate
from dispatch.web.directory import Directory
from dispatch.web.live import LiveBoard
from dispatch.web.pin_tries import PinTries
from dispatch.web.ports import WebDeps
from dispatch.web.rings import Rings


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The web's own parts, and what it was given."""

    deps: WebDeps
    gate: Gate
    directory: Directory
    board: LiveBoard
    rings: Rings
    pin_tries: PinTries
    searching: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the roster is read through for a search: one at a time."""


PARTS = web.AppKey("parts", Parts)


def assemble(deps: WebDeps) -> Parts:
    """The parts that belong to `deps`. Nothing runs yet."""
    board = LiveBoard(deps.nc, deps.log, deps.read_models.open_cases)
    return Parts(
        deps=deps,
        gate=Gate(deps.tokens, deps.settings.url),
        directory=Directory(deps.roster),
        board=board,
        rings=Rings(deps.nc, deps.settings.site, board),
        # Not read from replicas: a try must see every one before it.
        pin_tries=PinTries(Bucket(deps.nc, PIN_TRIES, direct=False), deps.settings.site),
    )
