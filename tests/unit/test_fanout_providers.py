"""Providers that hang, throttle or fail hold back their own calls alone, on real sockets."""

from __future__ import annotations

import asyncio

import pytest

from dispatch.fanout import breaker
from dispatch.fanout.channels import Sent
from dispatch.fanout.channels.http import origin_of
from dispatch.fanout.lanes import Limits
from tests.posting import lane_to_receivers
from tests.receivers import receiving, status
from tests.waiting import until


async def test_a_provider_that_hangs_delays_no_other() -> None:
    limits = Limits(at_once=8, seconds=20)
    async with receiving() as dead, receiving() as alive, lane_to_receivers(limits) as to:
        dead.answer = dead.hang
        calls = [asyncio.ensure_future(to(dead.url)) for _ in range(20)]

        async def taken() -> bool:
            return len(dead.requests) == 4

        await until(taken, "the dead provider to hold its turns")
        async with asyncio.timeout(10):
            assert [await to(alive.url) for _ in range(20)] == [Sent("sent")] * 20
        assert not any(call.done() for call in calls)
        dead.released.set()
        assert set(await asyncio.gather(*calls)) == {Sent("sent")}


async def test_a_429_pauses_that_provider_alone_and_all_its_calls() -> None:
    async with (
        receiving(status(429, 200, headers={"Retry-After": "2"})) as busy,
        receiving() as alive,
        lane_to_receivers() as to,
    ):
        first = asyncio.ensure_future(to(busy.url))

        async def told() -> bool:
            return len(busy.requests) == 1

        await until(told, "the first call to be told to wait")
        others = [asyncio.ensure_future(to(busy.url)) for _ in range(5)]
        assert await to(alive.url) == Sent("sent")
        alive_at = alive.requests[0].at
        assert set(await asyncio.gather(first, *others)) == {Sent("sent")}
    assert len(busy.requests) == 7
    assert min(request.at for request in busy.requests[1:]) - busy.requests[0].at >= 1.9
    assert alive_at < busy.requests[1].at, "another provider was not waited for"


async def test_a_breaker_opens_half_opens_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "SPAN_SECONDS", 0.0)
    async with receiving(status(500)) as receiver, lane_to_receivers(Limits(budget=0.1)) as to:
        for _ in range(breaker.FAILURES):
            assert (await to(receiver.url)).reason == "HTTP 500"
        tried = len(receiver.requests)
        refused = await to(receiver.url, another=True)
        assert refused.reason == "the provider is not called for a while: HTTP 500"
        assert len(receiver.requests) == tried, "open: it is told at once, and nobody is called"
        receiver.answer = status(200)

        async def through() -> bool:
            return (await to(receiver.url, another=True)).outcome == "sent"

        await until(through, "a call to look whether the provider is back")
        assert len(receiver.requests) == tried + 1, "half open: one call looked"
        assert [await to(receiver.url, another=True) for _ in range(3)] == [Sent("sent")] * 3


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://push.example/a/b?c#d", "http://push.example"),
        ("https://u:p@Push.Example:443//a", "https://push.example"),
        ("https://push.example:8443", "https://push.example:8443"),
        ("http://h?where=/a", "http://h"),
        ("http://[::1]:80/a", "http://[::1]"),
        ("http://[::1", ""),
        ("/a", ""),
    ],
)
def test_the_provider_is_the_origin_whatever_the_path_and_without_who_is_named(url: str, origin: str) -> None:
    assert origin_of(url) == origin
