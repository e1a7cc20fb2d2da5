"""How an endpoint is spoken to: which connections serve again, what is sent, and to whom nothing is."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import aiohttp.connector
import pytest
from aiohttp import web

from dispatch.fanout.channels import Poster, Sent
from dispatch.fanout.channels.guard import is_public
from dispatch.fanout.channels.http import USER_AGENT
from tests.certificates import write_certificate
from tests.posting import lane_to_receivers, post
from tests.receivers import raw_server, receiving


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


async def test_a_header_with_a_line_break_is_not_sent() -> None:
    async with receiving() as receiver, Poster(guarded=False) as poster:
        assert (await poster.post(receiver.url, b"{}", {"webhook-id": "a\r\nX-Evil: 1"})).outcome == "failed"
        assert not receiver.requests
        assert await poster.post(receiver.url, b"{}", {"webhook-id": "a"}) == Sent("sent")


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
