"""Servers of messengers and of mail on loopback, as their documents describe them; they remember what they took.

ntfy: https://docs.ntfy.sh/publish/#publish-as-json · Bark: https://bark.day.app/#/en-us/tutorial (v2, POST /push)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

PRIORITIES = {"min": 1, "low": 2, "default": 3, "high": 4, "max": 5, "urgent": 5}


@dataclass(frozen=True)
class Message:
    """What a phone shows: `to` is the topic or the device."""

    to: str
    title: str
    body: str
    urgent: bool
    link: str | None = None
    id: str | None = None


@dataclass
class Messenger:
    """One server; `host` is host and port. While `deaf` it takes requests and never answers.

    With `answers` an ntfy answers as often as that is released, oldest request first.
    """

    host: str = ""
    token: str | None = None
    messages: list[Message] = field(default_factory=list)
    refuse: int | None = None
    deaf: bool = False
    answers: asyncio.Semaphore | None = None
    tried: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def ntfy(self, request: web.Request) -> web.StreamResponse:
        if (answer := await self._first(request)) is not None:
            return answer
        sent = json.loads(await request.read())
        if not isinstance(sent.get("topic"), str) or "/" in sent["topic"]:
            return _ntfy_error(400, 40009, "invalid request: topic invalid")
        priority = request.headers.get("X-Priority", sent.get("priority", "default"))
        self.messages.append(
            Message(
                to=sent["topic"],
                title=sent.get("title", ""),
                body=sent.get("message", "triggered"),
                urgent=PRIORITIES.get(str(priority), priority) == 5,
                link=request.headers.get("X-Click", sent.get("click")),
            )
        )
        if self.answers is not None:
            await self.answers.acquire()
        return web.json_response({"id": "xE73Iyuabi", "event": "message", "topic": sent["topic"]})

    async def bark(self, request: web.Request) -> web.StreamResponse:
        if (answer := await self._first(request)) is not None:
            return answer
        sent = json.loads(await request.read())
        keys = sent.get("device_keys") or [sent.get("device_key")]
        if not keys[0] or not sent.get("body"):
            return web.json_response({"code": 400, "message": "device key is empty"}, status=400)
        self.messages += [
            Message(
                to=key,
                title=sent.get("title", ""),
                body=sent["body"],
                urgent=sent.get("level") == "critical",
                link=sent.get("url"),
                id=sent.get("id"),
            )
            for key in keys
        ]
        return web.json_response({"code": 200, "message": "success", "timestamp": 1})

    async def _first(self, request: web.Request) -> web.StreamResponse | None:
        self.tried += 1
        if self.deaf:
            await self.released.wait()
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            return _ntfy_error(403, 40301, "forbidden")
        return None if self.refuse is None else web.Response(status=self.refuse)


def _ntfy_error(status: int, code: int, words: str) -> web.Response:
    return web.json_response({"code": code, "http": status, "error": words}, status=status)


@asynccontextmanager
async def messenger(port: int = 0) -> AsyncIterator[Messenger]:
    """A server that is an ntfy at `/` and a Bark at `/push`."""
    server = Messenger()
    application = web.Application()
    application.router.add_post("/", server.ntfy)
    application.router.add_post("/push", server.bark)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        server.host = f"127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        server.released.set()
        await runner.cleanup()


@dataclass
class Mailbox:
    """What a mail server took, and where it listens."""

    host: str = ""
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        mail = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


@asynccontextmanager
async def mailing() -> AsyncIterator[Mailbox]:
    """A mail server that takes everything."""
    mailbox = Mailbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(mailbox), "127.0.0.1", 0)
    try:
        mailbox.host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield mailbox
    finally:
        server.close()
