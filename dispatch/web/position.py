"""Where in the log something stands."""

from __future__ import annotations

from datetime import datetime

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from dispatch.clock import for_server
from dispatch.errors import Unavailable
from dispatch.events import CASES, direct_get, live_cases


async def last_position(nc: Client, site: str) -> int:
    """The sequence of the site's newest commit, 0 when there is none. Raises `Unavailable`."""
    try:
        message = await nc.jetstream().get_last_msg(CASES, live_cases(site))
    except NotFoundError:
        return 0
    except (NatsError, APIError, TimeoutError) as error:
        raise Unavailable(f"the log does not answer: {error!r}") from error
    return int(message.seq or 0)


async def position_at(nc: Client, site: str, at: datetime) -> int:
    """The position from which to follow for all that the site stored since `at`. Raises `Unavailable`."""
    last = await last_position(nc, site)  # asked first: what is stored between the two questions is not passed over
    request: dict[str, object] = {
        "batch": 1,
        "start_time": for_server(at).isoformat(),
        "next_by_subj": live_cases(site),
    }
    found = await direct_get(nc, CASES, request)
    return int((found[0].headers or {})["Nats-Sequence"]) - 1 if found else last
