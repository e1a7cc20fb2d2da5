"""Reading in bulk gives what a consumer gives, message for message."""

from __future__ import annotations

from itertools import groupby

import pytest

from dispatch.errors import Unavailable
from dispatch.events import CASES, CaseLog, bulk, commit_of, connect, ensure_streams
from dispatch.settings import Settings
from tests.projection_stories import fill


async def test_in_bulk_is_read_what_is_followed(settings: Settings) -> None:
    nc = await connect(settings.require_nats(), "test")
    await ensure_streams(nc.jetstream())
    log = CaseLog(nc, settings.site)
    await fill(log, 60)  # more than one read of a socket's bytes
    followed = []
    end = await log.last_sequence()
    async for message in log.follow():
        followed.append(message)
        if message.metadata.sequence.stream == end:
            break
    edges = [message.metadata.sequence.stream for message in followed]
    async with bulk.bulk(settings.require_nats()) as client:
        for subject in (bulk.ALL, f"cases.{settings.site}.*.*"):
            for after, until in ((edges[0] - 1, end), (edges[10], edges[50])):
                read = [
                    raw
                    async for page in bulk.read(client, CASES, subject, after=after, until=until)
                    for raw in page
                    if raw.subject.startswith(f"cases.{settings.site}.".encode())
                ]
                same = [one for one in followed if after < one.metadata.sequence.stream <= until]
                assert [raw.commit() for raw in read] == [commit_of(one) for one in same]
                assert [
                    one for _, raws in groupby(read, lambda raw: raw.subject) for one in bulk.commits_of([*raws])
                ] == [commit_of(one) for one in same]
                again = [raw.message(client) for raw in read]
                assert [(one.subject, one.data, one.headers) for one in again] == [
                    (one.subject, one.data, one.headers) for one in same
                ]
                assert [one.metadata.timestamp for one in again] == [one.metadata.timestamp for one in same]
    await nc.close()


async def test_silence_is_not_the_end(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing came although something was to come: a rebuild must not take that for a log that ends here."""
    monkeypatch.setattr(bulk, "SILENCE_SECONDS", 0.2)
    nc = await connect(settings.require_nats(), "test")
    await ensure_streams(nc.jetstream())
    await nc.close()
    async with bulk.bulk(settings.require_nats()) as client:
        with pytest.raises(Unavailable):
            _ = [page async for page in bulk.read(client, CASES, "cases.nobody.*.*", after=0, until=10)]


async def test_a_message_that_was_lost_on_the_way_is_missed(settings: Settings) -> None:
    nc = await connect(settings.require_nats(), "test")
    await ensure_streams(nc.jetstream())
    log = CaseLog(nc, settings.site)
    await fill(log, 5)
    end = await log.last_sequence()
    await nc.close()
    async with bulk.bulk(settings.require_nats()) as client:
        take, seen = client.take, 0

        def take_but_one(raw: bulk.Raw) -> None:
            nonlocal seen
            seen += 1
            if seen != 3:
                take(raw)

        client.take = take_but_one  # type: ignore[method-assign]
        with pytest.raises(Unavailable, match="lost"):
            _ = [page async for page in bulk.read(client, CASES, f"cases.{settings.site}.*.*", after=0, until=end)]
