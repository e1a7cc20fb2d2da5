"""Where the fan-out begins on a log that was restored: behind it, for all of that was acted on once."""

from __future__ import annotations

from nats.aio.client import Client

from dispatch.events import CASES, begin_behind, live_cases, work_consumer
from dispatch.fanout.again import JOBS
from dispatch.fanout.work import ACK_WAIT, consumer_name
from dispatch.identifiers import Site


async def place_behind(nc: Client, site: Site | str, seq: int) -> None:
    """Let the fan-out of `site` begin behind sequence `seq` of `CASES`; before any worker has run there.

    Raises what NATS raises, also when a worker has been there: its place cannot be changed.
    """
    for job in JOBS:
        config = work_consumer(consumer_name(job, site), live_cases(site), ack_wait=ACK_WAIT, max_ack_pending=1)
        await begin_behind(nc, CASES, config, seq)
