"""Posting to strangers: every way in which an endpoint can misbehave, on real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from time import monotonic

import aiohttp.connector
import pytest
from aiohttp import web

from dispatch.clock import now
from dispatch.fanout import breaker
from dispatch.fanout.channels import Poster, Sent
from dispatch.fanout.channels.guard import is_public
from dispatch.fanout.channels.http import USER_AGENT, origin_of
from dispatch.fanout.channels.retry_after import seconds_of
from dispatch.fanout.lanes import Lane, Limits
from dispatch.fanout.turns import Place, Rank
from tests.certificates import write_certificate
from tests.receivers import Reserved, raw_server, receiving, status
from tests.waiting import until

FIRST = Place(Rank.FIRST, drill=False, area="a")


async def post(url: str, *, guarded: bool = False, try_seconds: float = 0.5, budget_seconds: float = 2.0) -> Sent:
    """One call as its lane makes it."""
    lane = Lane("webhook", Limits(seconds=try_seconds, budget=budget_seconds))
    async with Poster(guarded=guarded) as poster:
        return await lane.send(origin_of(url), FIRST, lambda: poster.post(url, b"{}", {}))


@pytest.mark.parametrize("code", [200, 201, 202, 204])
async def test_every_success_is_sent(code: int) -> None:
    async with receiving(status(code)) as receiver:
        assert await post(receiver.url) == Sent("sent")


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 413, 422])
async def test_a_refusal_is_not_tried_again(code: int) -> None:
    async with receiving(status(code)) as receiver:
        assert await post(receiver.url) == Sent("failed", f"HTTP {code}")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503])
async def test_what_may_pass_is_tried_again(code: int) -> None:
    async with receiving(status(code, 200)) as receiver:
        assert await post(receiver.url) == Sent("sent")
    assert len(receiver.requests) == 2


async def test_what_does_not_pass_fails_within_the_budget_and_says_how_often() -> None:
    async with receiving(status(503)) as receiver:
        sent = await post(receiver.url, budget_seconds=1.0)
    assert sent == Sent("failed", f"HTTP 503; tried {len(receiver.requests)} times")
    assert len(receiver.requests) == 3


async def test_retry_after_is_honoured() -> None:
    async with receiving(status(429, 200, headers={"Retry-After": "1"})) as receiver:
        assert await post(receiver.url) == Sent("sent")
    first, second = receiver.requests
    assert second.at - first.at >= 1.0


async def test_a_wait_beyond_the_budget_fails_at_once() -> None:
    async with receiving(status(429, headers={"Retry-After": "3600"})) as receiver:
        assert await post(receiver.url) == Sent("failed", "HTTP 429, asks to wait 3600 s")
    assert len(receiver.requests) == 1


async def test_an_endpoint_that_hangs_is_rung_again_and_then_given_up() -> None:
    async with receiving() as receiver:
        receiver.answer = receiver.hang
        sent = await post(receiver.url, budget_seconds=1.0)
    assert sent == Sent("failed", "no answer in time; it may have arrived; tried 2 times")
    assert len(receiver.requests) == 2


async def test_an_endpoint_that_hung_once_gets_the_same_ring_again() -> None:
    async with receiving() as receiver:

        async def hang_once(request: web.Request) -> web.StreamResponse:
            return await (receiver.hang(request) if len(receiver.requests) == 1 else status(200)(request))

        receiver.answer = hang_once
        assert await post(receiver.url) == Sent("sent")
    first, second = receiver.requests
    assert first.body == second.body


async def test_nobody_listening_is_tried_again_and_named() -> None:
    nobody = Reserved()
    sent = await post(nobody.url, budget_seconds=0.5)
    nobody.release()
    assert sent.outcome == "failed"
    assert "no connection" in str(sent.reason)
    assert str(sent.reason).endswith("tried 2 times")


async def test_who_begins_to_listen_is_reached() -> None:
    late = Reserved()
    posting = asyncio.create_task(post(late.url, budget_seconds=5))
    await asyncio.sleep(0)
    async with receiving(port=late.release()):
        assert await posting == Sent("sent")


async def test_a_connection_closed_without_an_answer_is_tried_again() -> None:
    async def hang_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    async with raw_server(hang_up) as url:
        sent = await post(url, budget_seconds=0.5)
    assert sent == Sent("failed", "the connection was closed without an answer; tried 2 times")


async def test_garbage_is_no_answer() -> None:
    async def garbage(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\xff nonsense\r\n\r\n")
        await writer.drain()

    async with raw_server(garbage) as url:
        sent = await post(url)
    assert sent.outcome == "failed"
    assert "no proper answer" in str(sent.reason)


async def test_headers_that_trickle_are_cut_off() -> None:
    async def trickle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-A: b\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with raw_server(trickle) as url:
        assert (await post(url)).outcome == "failed"


async def test_a_body_without_end_is_not_read() -> None:
    received = 0

    async def gush(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            received += 65536

    started = monotonic()
    async with raw_server(gush) as url:
        assert await post(url, try_seconds=5) == Sent("sent")
    assert monotonic() - started < 4
    assert received < 50_000_000


async def test_a_body_that_trickles_delays_nothing() -> None:
    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await receiver.released.wait()
        return response

    async with receiving(trickle) as receiver:
        assert await post(receiver.url, try_seconds=30) == Sent("sent")


async def test_a_connection_serves_the_next_ring_too() -> None:
    callers: list[object] = []

    async def who(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        callers.append(request.transport.get_extra_info("peername"))
        return web.Response(status=204)

    async with receiving(who) as receiver, Poster(guarded=False) as poster:
        assert [await poster.post(receiver.url, b"{}", {}) for _ in range(3)] == [Sent("sent")] * 3
    assert len(set(callers)) == 1


async def test_a_connection_that_was_closed_meanwhile_costs_a_try_at_most() -> None:
    async def answer_and_hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    async with raw_server(answer_and_hang_up) as url, lane_to_receivers() as to:
        assert [await to(url) for _ in range(5)] == [Sent("sent")] * 5


async def test_what_is_said_before_the_answer_is_no_answer() -> None:
    async def hints_first(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_server(hints_first) as url:
        assert await post(url) == Sent("failed", "HTTP 404")


@pytest.mark.parametrize(("line", "reason"), [(b"099 What", "HTTP 99"), (b"101 Switching Protocols", "HTTP 101")])
async def test_a_status_that_makes_no_sense_is_an_answer(line: bytes, reason: str) -> None:
    async def nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 " + line + b"\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_server(nonsense) as url:
        assert await post(url) == Sent("failed", reason)


async def test_the_whole_url_is_asked_for_and_by_whom_is_said() -> None:
    asked: list[str] = []

    async def noted(request: web.Request) -> web.StreamResponse:
        asked.append(request.raw_path)
        return web.Response(status=204)

    async with receiving(noted) as receiver:
        assert await post(f"{receiver.url}/警?key=a%26b&of=c#part") == Sent("sent")
    assert asked == ["/hook/%E8%AD%A6?key=a%26b&of=c"]
    assert receiver.requests[0].headers["User-Agent"] == USER_AGENT


async def test_who_the_url_names_is_told_as_basic_authorization() -> None:
    async with receiving() as receiver:
        assert await post(receiver.url.replace("://", "://guard:s%40y@")) == Sent("sent")
    assert receiver.requests[0].headers["Authorization"] == "Basic Z3VhcmQ6c0B5"


async def test_an_endpoint_whose_certificate_nobody_vouches_for_hears_nothing(tmp_path: Path) -> None:
    async with receiving(tls=_served_with(write_certificate(tmp_path))) as receiver:
        assert await post(receiver.url) == Sent("failed", "its certificate is not valid")
        assert not receiver.requests


async def test_one_whose_certificate_is_valid_is_rung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = write_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", trusting)
    async with receiving(tls=_served_with(certificate)) as receiver:
        assert await post(receiver.url) == Sent("sent")


def _served_with(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


async def test_a_header_with_a_line_break_is_not_sent() -> None:
    async with receiving() as receiver, Poster(guarded=False) as poster:
        assert (await poster.post(receiver.url, b"{}", {"webhook-id": "a\r\nX-Evil: 1"})).outcome == "failed"
        assert not receiver.requests
        assert await poster.post(receiver.url, b"{}", {"webhook-id": "a"}) == Sent("sent")


async def test_redirects_are_not_followed() -> None:
    async with receiving() as target, receiving(status(307, headers={"Location": target.url})) as receiver:
        assert await post(receiver.url) == Sent("failed", "HTTP 307: redirects are not followed")
        assert not target.requests


@pytest.mark.parametrize("url", ["", "ftp://x.example/", "http://", "file:///etc/passwd", "http://[::1"])
async def test_what_is_no_url_fails_in_words(url: str) -> None:
    assert (await post(url)).outcome == "failed"


@pytest.mark.parametrize(
    "url",
    [
        "http://push.example/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://localhost/",
    ],
)
async def test_a_phone_cannot_point_into_our_network(url: str) -> None:
    sent = await post(url, guarded=True)
    assert sent.outcome == "failed"
    assert sent.reason in {"the endpoint is not https", "the endpoint is not on a public address"}


@pytest.mark.parametrize("url", ["https://127.1/", "https://2130706433/", "https://0/", "https://0x7f000001/"])
async def test_nor_by_an_address_in_disguise(url: str) -> None:
    sent = await post(url, guarded=True)
    assert sent.outcome == "failed"
    assert sent.reason in {"the endpoint is no URL to post to", "the endpoint is not on a public address"}


async def test_a_name_with_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.168.1.1", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert await post("https://push.example/", guarded=True) == Sent(
        "failed", "the endpoint is not on a public address"
    )


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104  (an address to refuse)
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:8.8.8.8", True),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::8.8.8.8", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
    ],
)
def test_which_addresses_are_public(address: str, *, public: bool) -> None:
    assert is_public(address) is public


@asynccontextmanager
async def lane_to_receivers(limits: Limits | None = None) -> AsyncIterator[Callable[..., Awaitable[Sent]]]:
    """A way to post over one lane: `to(url, another=…)`."""
    lane = Lane("webhook", limits or Limits())
    async with Poster(guarded=False) as poster:

        async def to(url: str, *, another: bool = False) -> Sent:
            return await lane.send(origin_of(url), FIRST, lambda: poster.post(url, b"", {}), another=another)

        yield to


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


def test_retry_after_in_seconds_dates_and_nonsense() -> None:
    assert seconds_of("7") == 7
    assert seconds_of("9" * 5000) == 86_400
    assert seconds_of(None) == seconds_of("") == seconds_of("-5") == seconds_of("soon") == seconds_of("²") == 0
    assert 25 < seconds_of(format_datetime(now() + timedelta(seconds=30), usegmt=True)) <= 30
    assert seconds_of(format_datetime(now() - timedelta(days=1))) == 0
