"""For those who run the system: health, metrics."""

from __future__ import annotations

import asyncio
from typing import Literal

from aiohttp import web
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from typing_extensions import TypedDict

from dispatch.errors import Unavailable
from dispatch.events import CASES, INTAKE, ROSTER, TOKENS
from dispatch.web.endpoint import Request
from dispatch.web.lately import Lately
from dispatch.web.parts import Parts

NEEDED_STREAMS = (INTAKE, CASES, f"KV_{ROSTER}", f"KV_{TOKENS}")
ANSWER_SECONDS = 1.0
GOOD_SECONDS = 1.0


class Health(TypedDict):
    status: Literal["up"]


class Readiness(TypedDict):
    status: Literal["ready"]
    nats: Literal["up"]
    postgres: Literal["up", "away"]
    board: Literal["following", "caught_up"]


READINESS = web.AppKey("readiness", Lately[Readiness])


async def healthz(_request: Request[None, None]) -> Health:
    return {"status": "up"}


async def readyz(request: Request[None, None]) -> Readiness:
    """Ready is who can take an alarm and show it: NATS is there with its streams, and the live board follows it.

    Postgres may be away. Anybody may ask, so it is looked at once a second at most, whoever asks how often.
    """
    return await request.http.app[READINESS].answer()


def readiness(parts: Parts) -> Lately[Readiness]:
    """Whether the process with these `parts` is ready, as it was within the last second."""
    return Lately(lambda: _look(parts), GOOD_SECONDS)


async def _look(parts: Parts) -> Readiness:
    await _require_streams(parts)
    return {
        "status": "ready",
        "nats": "up",
        "postgres": "up" if await _postgres_answers(parts) else "away",
        "board": await _board_follows(parts),
    }


async def metrics(_request: Request[None, None]) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _require_streams(parts: Parts) -> None:
    js = parts.deps.nc.jetstream(timeout=ANSWER_SECONDS)
    try:
        await asyncio.gather(*(js.stream_info(name) for name in NEEDED_STREAMS))
    except (NatsError, APIError, TimeoutError) as error:
        raise Unavailable(f"not ready: NATS or a stream of it is missing ({error!r})", nats="away") from error


async def _board_follows(parts: Parts) -> Literal["following", "caught_up"]:
    state = await parts.board.state(ANSWER_SECONDS)
    if state == "reading":
        raise Unavailable("not ready: the live board is still reading the log; ask again in a few seconds", board=state)
    if state == "stuck":
        raise Unavailable(
            "not ready: the live board is stuck behind the log, and its pages show what was; see this process's log",
            board=state,
        )
    return state


async def _postgres_answers(parts: Parts) -> bool:
    try:
        await asyncio.wait_for(parts.deps.read_models.open_cases(), ANSWER_SECONDS)
    except (Unavailable, TimeoutError):
        return False
    return True
