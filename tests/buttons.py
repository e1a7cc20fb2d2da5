"""Buttons for tests: `mosquitto_pub` and `mosquitto_sub`, MQTT clients that nobody here wrote."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from nats.aio.client import Client

from dispatch.access import Tokens
from dispatch.intake import ButtonGate
from dispatch.intake.callout import LIFETIME
from tests.servers import Servers

needs_mosquitto = pytest.mark.skipif(
    shutil.which("mosquitto_pub") is None, reason="mosquitto_pub is not installed (package mosquitto-clients)"
)

HEARD_SECONDS = 10.0
FLOOD = b'{"press_id":"m1"}\n'
REFUSALS = ("not authori", "all subscription requests were denied", ": 128")
"""What mosquitto_sub says when it may not sign in or not hear."""


class Button:
    """A button of `household` that signs in with `secret`; while it is entered it hears its answers.

    What waits for it raises `PermissionError` when the server refuses it.
    """

    def __init__(
        self,
        port: int,
        site: str,
        household: str,
        secret: str,
        *,
        client: str | None = None,
        authority: Path | None = None,
        keeps_session: bool = False,
    ) -> None:
        """`authority` is a file with the certificates to believe, when it should speak TLS.

        One that `keeps_session` leaves sessions behind when it no longer hears, and when it has pressed.
        """
        tls = ["--cafile", str(authority)] if authority else []
        self._login = ["-h", "127.0.0.1", "-p", str(port), "-u", household, "-P", secret, *tls]
        self._client = client or f"{household}/{id(self)}"
        self._site, self._household = site, household
        self._session = ["-c"] if keeps_session else []

    async def __aenter__(self) -> Self:
        topic = f"intake/answer/{self._site}/{self._household}"
        self._hearing = await asyncio.create_subprocess_exec(
            "stdbuf", "-oL", "mosquitto_sub", *self._login, "-i", f"{self._client}-ear", *self._session,
            "-q", "1", "-t", topic, "-d", stdout=PIPE, stderr=STDOUT,
        )  # fmt: skip
        await self._line("Subscribed")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._hearing.returncode is None:
            # Not terminate: told to end while it disconnects by itself, mosquitto_sub may wait for ever.
            self._hearing.kill()
        await self._hearing.wait()

    async def press(self, payload: bytes | str | dict[str, Any], *, household: str | None = None, qos: int = 1) -> str:
        """Publish `payload`; what mosquitto_pub said if it failed, "" once it is acknowledged."""
        raw = json.dumps(payload) if isinstance(payload, dict) else payload
        body = raw.encode() if isinstance(raw, str) else raw
        topic = f"intake/press/{self._site}/{household or self._household}"
        sending = await asyncio.create_subprocess_exec(
            "mosquitto_pub", *self._login, "-i", f"{self._client}-key", *self._session, "-q", str(qos),
            "-t", topic, "-s" if body else "-n", stdin=PIPE, stdout=PIPE, stderr=STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(sending.communicate(body), HEARD_SECONDS)
        return said.decode() if sending.returncode else ""

    @asynccontextmanager
    async def flood(self) -> AsyncIterator[None]:
        """The button presses as fast as it can, for as long as it is let; it may try to come back."""
        sending = await asyncio.create_subprocess_exec(
            "mosquitto_pub", *self._login, "-i", self._client, "-q", "0", "-l",
            "-t", f"intake/press/{self._site}/{self._household}", stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL,
        )  # fmt: skip
        feeding = asyncio.create_task(_feed(sending))
        try:
            yield
        finally:
            feeding.cancel()
            with contextlib.suppress(ProcessLookupError):
                sending.kill()
            await sending.wait()
            await asyncio.wait([feeding])

    async def answer(self, press: str | None = None) -> dict[str, Any]:
        """The next answer on the button's topic.

        With `press` the next that answers that press: word of who comes may be there before it, and after.
        """
        while True:
            answer: dict[str, Any] = json.loads(await self._line("{"))
            if press is None or answer.get("press_id") == press:
                return answer

    async def _line(self, start: str) -> str:
        assert self._hearing.stdout is not None
        async with asyncio.timeout(HEARD_SECONDS):
            while line := (await self._hearing.stdout.readline()).decode():
                if any(word in line.lower() for word in REFUSALS):
                    raise PermissionError(line)
                if line.startswith(start):
                    return line
        raise ConnectionError("the button hears nothing any more")


def mqtt_of(servers: Servers) -> tuple[int, str]:
    """The port of the MQTT listener and the seed that its auth callout trusts. Skips the test where there is none."""
    if servers.mqtt_port is None or servers.auth_callout_seed is None:
        pytest.skip("these servers have no MQTT listener with our auth callout")
    return servers.mqtt_port, servers.auth_callout_seed


@asynccontextmanager
async def gate(nc: Client, site: str, seed: str, lifetime: timedelta = LIFETIME) -> AsyncIterator[None]:
    """Somebody at the gate of `site`, who lets in whoever has a token there."""
    judging = asyncio.create_task(ButtonGate(nc, site, seed, Tokens(nc, site).check, lifetime=lifetime).run())
    await asyncio.sleep(0)  # it subscribes
    await nc.flush()
    try:
        yield
        assert not judging.done(), judging
    finally:
        judging.cancel()
        await asyncio.wait([judging])


async def is_cut_off(system: Client, client: str) -> bool:
    """Whether a server has no connection of that MQTT client; `system` is signed in to its system account."""
    asked = json.dumps({"mqtt_client": client}).encode()
    answer = await system.request("$SYS.REQ.SERVER.PING.CONNZ", asked, timeout=5)
    return not json.loads(answer.data)["data"]["connections"]


async def _feed(sending: asyncio.subprocess.Process) -> None:
    assert sending.stdin is not None
    with contextlib.suppress(ConnectionError):
        while True:
            sending.stdin.write(FLOOD * 100)
            await sending.stdin.drain()
            await asyncio.sleep(0.01)
