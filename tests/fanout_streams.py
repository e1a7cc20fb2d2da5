"""What a test asks the streams of the fan-out."""

from __future__ import annotations

import contextlib

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from dispatch.events import decode_letter
from tests.village import Village

HOOK_SENT = ("sent", None, 1)


async def letters(village: Village, by: str) -> list[str]:
    """The reasons in the DLQ."""
    info = await village.nc.jetstream().stream_info("DLQ", subjects_filter=f"dlq.{village.site}.{by}")
    if not info.state.subjects:
        return []
    last = await village.nc.jetstream().get_last_msg("DLQ", f"dlq.{village.site}.{by}")
    return [decode_letter(last.data or b"").reason] * info.state.subjects[f"dlq.{village.site}.{by}"]


async def all_acknowledged(nc: Client, stream: str, consumer: str) -> bool:
    info = await nc.jetstream().consumer_info(stream, consumer)
    return bool(info.num_pending == 0 and info.num_ack_pending == 0)


async def exists(nc: Client, stream: str, consumer: str) -> bool:
    with contextlib.suppress(NotFoundError):
        return bool((await nc.jetstream().consumer_info(stream, consumer)).name)
    return False
