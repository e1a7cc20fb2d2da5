"""Posting to strangers: every way in which an endpoint can misbehave, on real sockets."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email.utils import format_datetime
from time import monotonic

import pytest
from aiohttp import web

from dispatch.clock import now
from dispatch.fanout.channels import Sent
from dispatch.fanout.channels.retry_after import seconds_of
from tests.posting import post
from tests.receivers import Reserved, raw_server, receiving, status


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


async def test_redirects_are_not_followed() -> None:
    async with receiving() as target, receiving(status(307, headers={"Location": target.url})) as receiver:
        assert await post(receiver.url) == Sent("failed", "HTTP 307: redirects are not followed")
        assert not target.requests


def test_retry_after_in_seconds_dates_and_nonsense() -> None:
    assert seconds_of("7") == 7
    assert seconds_of("9" * 5000) == 86_400
    assert seconds_of(None) == seconds_of("") == seconds_of("-5") == seconds_of("soon") == seconds_of("²") == 0
    assert 25 < seconds_of(format_datetime(now() + timedelta(seconds=30), usegmt=True)) <= 30
    assert seconds_of(format_datetime(now() - timedelta(days=1))) == 0
