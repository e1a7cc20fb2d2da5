"""Discarding a session in the way MQTT has for it: sign in under its client id for a clean session, and sign out.

The one thing that we say in MQTT ourselves: CONNECT, and DISCONNECT (MQTT 3.1.1, 3.1 and 3.14). The server then forgets
all that it keeps of the session, on disk and in memory, and who is connected under that id is thrown out.
"""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import unquote, urlsplit

from dispatch.errors import SetupError, Unavailable

PORTS = {"mqtt": 1883, "mqtts": 8883}
SECONDS = 10.0
KEEP_ALIVE = 60
LOGIN_AND_CLEAN_SESSION = 0b1100_0010
CONNECT, ACCEPTED, DISCONNECT = 0x10, b"\x20\x02\x00\x00", b"\xe0\x00"


class CleanSession:
    """Discards sessions at the listener `url` (`mqtts://user:password@host:8883`, without TLS `mqtt://`)."""

    def __init__(self, url: str) -> None:
        """Raises `SetupError` for a URL that is not like that."""
        try:
            at = urlsplit(url)
            usual = PORTS[at.scheme]
            self._host, self._port = at.hostname, at.port or usual
        except (ValueError, KeyError):
            raise SetupError("DISPATCH_MQTT_URL must look like mqtts://dispatch:<password>@<host>:8883") from None
        self._tls = ssl.create_default_context() if at.scheme == "mqtts" else None
        self._user, self._password = unquote(at.username or ""), unquote(at.password or "")

    async def discard(self, client: str) -> None:
        """Discard the session of `client`, if there is one. Raises `Unavailable` where that cannot be done now."""
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self._sign_in_and_out(client)
        except (OSError, EOFError, TimeoutError) as error:
            raise Unavailable(f"MQTT at {self._host}:{self._port} does not answer: {error!r}") from None
        if answer != ACCEPTED:
            raise Unavailable(f"MQTT at {self._host}:{self._port} refuses to discard a session: {answer.hex()}")

    async def _sign_in_and_out(self, client: str) -> bytes:
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        try:
            writer.write(_connect(client, self._user, self._password))
            answer = await reader.readexactly(len(ACCEPTED))
            if answer == ACCEPTED:
                writer.write(DISCONNECT)
                await reader.read()  # until the server has closed
            return answer
        finally:
            writer.close()


def _connect(client: str, user: str, password: str) -> bytes:
    head = _text("MQTT") + bytes([4, LOGIN_AND_CLEAN_SESSION]) + KEEP_ALIVE.to_bytes(2, "big")
    body = head + _text(client) + _text(user) + _text(password)
    return bytes([CONNECT]) + _length(len(body)) + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def _length(length: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have the eighth set (MQTT 3.1.1, 2.2.3)."""
    encoded = bytearray()
    while length > 127:
        encoded.append(length % 128 | 128)
        length //= 128
    return bytes([*encoded, length])
