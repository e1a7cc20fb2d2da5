"""Connections to the servers of others: used again where that is safe, and never for another's answer."""

from __future__ import annotations

import asyncio
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dispatch.clock import now
from dispatch.fanout.channels import Poster, Sent, connections
from dispatch.fanout.channels.guard import Names
from dispatch.fanout.channels.http import endpoint_of, request_of
from tests.receivers import receiving
from tests.village import until

SENT = Sent("sent")
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers every request as `answer` does, and counts its connections."""

    def __init__(self, answer: Write, tls: ssl.SSLContext | None = None) -> None:
        self._answer, self._tls = answer, tls
        self.connections, self.open, self.requests = 0, 0, list[bytes]()

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        port = self._server.sockets[0].getsockname()[1]
        return f"http{'s' if self._tls else ''}://127.0.0.1:{port}/hook"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections, self.open = self.connections + 1, self.open + 1
        try:
            while not writer.is_closing():
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                await self._answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


def says(*parts: bytes) -> Write:
    """An answer in so many segments."""

    async def write(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02 if len(parts) > 1 else 0)

    return write


async def each_after_the_other(url: str, times: int = 3) -> list[Sent]:
    async with Poster(guarded=False) as poster:
        sent = []
        for _ in range(times):
            sent.append(await poster.post(url, b"", {}))
            await asyncio.sleep(0.1)
        return sent


@pytest.mark.parametrize(
    "answer",
    [
        [EMPTY],
        [CHUNKED],
        [CHUNKED[:-7], CHUNKED[-7:]],
        [b"HTTP/1.1 204 No Content\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok"],
        [b"HTTP/1.1 103 Early Hints\r\n\r\n", EMPTY],
    ],
)
async def test_a_connection_is_used_again(answer: Sequence[bytes]) -> None:
    server = Server(says(*answer))
    async with server as url:
        assert await each_after_the_other(url) == [SENT] * 3
    assert (server.connections, len(server.requests)) == (1, 3)


@pytest.mark.parametrize(
    "answer",
    [
        EMPTY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        EMPTY + EMPTY,
        EMPTY + b"nonsense",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100_000,
    ],
)
async def test_or_closed_where_the_next_answer_could_be_another_s(answer: bytes) -> None:
    server = Server(says(answer))
    async with server as url:
        assert await each_after_the_other(url) == [SENT] * 3
    assert server.connections == 3


async def test_a_body_that_does_not_end_gives_the_connection_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.05)
    server = Server(says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"))

    async def closed() -> bool:
        return server.open == 0

    async with server as url, Poster(guarded=False) as poster:
        assert await poster.post(url, b"", {}) == SENT
        await until(closed, "the connection to be closed")


async def test_a_connection_without_work_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "KEEP_SECONDS", 0.05)
    server = Server(says(EMPTY))

    async def closed() -> bool:
        return server.open == 0

    async with server as url, Poster(guarded=False) as poster:
        assert await poster.post(url, b"", {}) == SENT
        await until(closed, "the idle connection to be closed")


async def test_a_head_without_end_is_no_answer() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(connections.MOST_BYTES // 1000 + 10):
            writer.write(b"X-A: " + b"b" * 1000 + b"\r\n")
            await writer.drain()

    async with Server(endless) as url, Poster(guarded=False) as poster:
        assert await poster.post(url, b"", {}) == Sent("failed", "no proper answer: a head without end")


async def test_who_gives_up_takes_the_connection_along() -> None:
    async def nothing(_writer: asyncio.StreamWriter) -> None:
        return

    server = Server(nothing)

    async def asked() -> bool:
        return len(server.requests) == 1

    async def closed() -> bool:
        return server.open == 0

    async with server as url, Poster(guarded=False) as poster:
        posting = asyncio.create_task(poster.post(url, b"", {}))
        await until(asked, "the request to arrive")
        posting.cancel()
        await until(closed, "the connection to be closed")


async def test_a_name_and_password_in_the_url_are_sent() -> None:
    async with receiving() as receiver, Poster(guarded=False) as poster:
        url = receiver.url.replace("http://", "http://li:p%40ss@")
        assert await poster.post(url, b"", {}) == SENT
    assert receiver.requests[0].headers["Authorization"] == "Basic " + b64encode(b"li:p@ss").decode()


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nX: y", "a\rX: y"])
async def test_no_header_brings_another(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        request_of(endpoint_of("http://x.example/"), {"webhook-id": value}, b"")


def test_no_url_brings_a_header() -> None:
    endpoint = endpoint_of("http://x.example/a b\r\nX: y?c=一\r\n")
    assert endpoint.head.startswith("POST /a%20bX:%20y?c=%E4%B8%80 HTTP/1.1\r\nHost: x.example\r\n")
    assert endpoint.head.count("\n") == 4


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, and its key, in one file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now() - timedelta(hours=1))
        .not_valid_after(now() + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(private + made.public_bytes(pem))
    return folder / "both.pem"


@asynccontextmanager
async def https(folder: Path, answer: Write) -> AsyncIterator[tuple[str, Path]]:
    pem = certificate(folder)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem)
    async with Server(answer, tls) as url:
        yield url, pem


async def test_https_is_spoken_with_whom_an_authority_vouches_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with https(tmp_path, says(EMPTY)) as (url, pem):
        async with Poster(guarded=False) as poster:
            assert await poster.post(url, b"", {}) == Sent("failed", "its certificate is not valid")
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        assert await each_after_the_other(url) == [SENT] * 3


def test_all_this_on_the_event_loop_that_we_run_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with Server(says(EMPTY)) as url:
            assert await each_after_the_other(url) == [SENT] * 3
        async with https(tmp_path, says(EMPTY)) as (url, pem):
            async with Poster(guarded=False) as poster:
                assert await poster.post(url, b"", {}) == Sent("failed", "its certificate is not valid")
            monkeypatch.setenv("SSL_CERT_FILE", str(pem))
            assert await each_after_the_other(url) == [SENT] * 3

    uvloop.run(run())


async def test_a_name_is_looked_up_once_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def answer(host: object, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    names = Names(guarded=True)
    many = await asyncio.gather(*(names.addresses("push.example", 443) for _ in range(10)))
    assert await names.addresses("push.example", 443) == many[0]
    assert asked == ["push.example"]
    names.close()
