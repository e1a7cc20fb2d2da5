"""The handler of `consuming` under FastStream, as its documentation shows: a broker, a subscriber, a function."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from faststream.nats import JStream, NatsBroker, PullSub
from nats.js.api import ConsumerConfig


@asynccontextmanager
async def handling(
    url: str, stream: str, config: ConsumerConfig, handle: Callable[[object], None], *, pull: int | None
) -> AsyncIterator[None]:
    """Meanwhile FastStream gives the document in each message to `handle` and acknowledges it.

    It fetches `pull` messages at a time; with None the server pushes them.
    """
    # Without its casting of arguments, which a handler of plain documents does not need: this is its fastest.
    broker = NatsBroker(url, apply_types=False, logger=None)

    async def handler(document: object) -> None:
        handle(document)

    config = config if pull else config.evolve(durable_name=None)  # it warns of durable ones that are pushed to
    broker.subscriber(
        str(config.filter_subject),
        durable=config.durable_name,
        stream=JStream(stream, declare=False),
        config=config,
        pull_sub=PullSub(batch_size=pull) if pull else False,
    )(handler)
    await broker.start()
    try:
        yield
    finally:
        await broker.stop()
