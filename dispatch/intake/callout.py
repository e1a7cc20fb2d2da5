"""Who may sign in over MQTT: the NATS auth callout for buttons.

nats-server asks here about everybody whom its configuration does not name. A button gives its bearer token
as the password (the user name is not looked at) and may then publish presses of its own household and hear
their answers, and nothing else. The permission ends after `lifetime` at the latest: the server closes the
connection and the button signs in anew, so a revoked token works for no longer than that.

Sites may share a server, and each site's gate is asked about everybody. So a gate that does not know a token says
nothing: it may be another site's. A token that nobody knows is refused by the server when its patience ends.

Client ids in MQTT are shared by all: whoever connects under one throws out who had it before. So an id that
has a `/` must begin with the button's own household (`h-0012/gate`); name buttons like that.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

import msgspec
import nkeys
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from dispatch.clock import now
from dispatch.errors import DispatchError, Forbidden, Malformed, NotSignedIn
from dispatch.events import answer_subject, press_subject
from dispatch.identifiers import Site
from dispatch.intake.expelling import signed_in_as
from dispatch.intake.holds import Holds
from dispatch.intake.nkey_jwt import sign, verified

log = structlog.get_logger()

REQUESTS = "$SYS.REQ.USER.AUTH"
AUDIENCE = "nats-authorization-request"
ACCOUNT = "$G"
"""The account in which buttons and the rest of us meet."""
LIFETIME = timedelta(hours=1)
MOST_SUBSCRIPTIONS, MOST_BYTES = 16, 256 * 1024
"""More than a button needs; less than a stolen one could do harm with."""
_MAX_SECRET = 512


class Principal(Protocol):
    """Whom a token belongs to. A device's subject is its household."""

    @property
    def role(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def token_id(self) -> str: ...


Check = Callable[[str], Awaitable[Principal]]
"""Whom a secret token belongs to; raises a `DispatchError` when to nobody."""


class _Server(msgspec.Struct):
    id: str


class _Client(msgspec.Struct):
    kind: str = ""
    type: str = ""
    mqtt_id: str = ""
    host: str = ""


class _Given(msgspec.Struct):
    secret: str = msgspec.field(default="", name="pass")


class _Request(msgspec.Struct):
    server_id: _Server
    user_nkey: str
    client_info: _Client
    connect_opts: _Given


class ButtonGate:
    """Answers nats-server's questions for one site. `seed` is that of the issuer in the server's configuration.

    Whose token is in `holds` is refused until its time is over.
    """

    def __init__(
        self,
        nc: Client,
        site: Site | str,
        seed: str,
        check: Check,
        *,
        lifetime: timedelta = LIFETIME,
        holds: Holds | None = None,
    ) -> None:
        self._nc, self._site, self._check, self._lifetime = nc, Site(site), check, lifetime
        self._holds = holds or Holds()
        self._key = nkeys.from_seed(bytearray(seed.encode()))

    async def run(self) -> None:
        """Answer until cancelled. Several processes of a site may; each question goes to one of them."""
        async with asyncio.TaskGroup() as answers:

            async def take(message: Msg) -> None:  # in a task, so that a slow check keeps nobody else waiting
                answers.create_task(self._answer(message))

            subscription = await self._nc.subscribe(REQUESTS, queue=f"button-gate-{self._site}", cb=take)
            try:
                await asyncio.Event().wait()
            finally:
                with contextlib.suppress(NatsError):
                    await subscription.unsubscribe()

    async def _answer(self, message: Msg) -> None:
        try:
            request = _read(message.data)
            if (outcome := await self._judge(request)) is not None:
                await message.respond(self._reply(request, **outcome).encode())
        except Malformed as error:
            log.warning("gate.unreadable", reason=error.detail)
        except NatsError as error:
            log.warning("gate.unanswered", error=repr(error))

    async def _judge(self, request: _Request) -> dict[str, str] | None:
        client = request.client_info
        try:
            button = await self._button(request)
        except NotSignedIn as error:
            log.warning("gate.unknown", client=client.mqtt_id, host=client.host, reason=error.detail)
            return None
        except DispatchError as error:
            log.warning("gate.refused", client=client.mqtt_id, host=client.host, reason=error.detail)
            return {"error": error.detail}
        except Exception:
            log.exception("gate.failed", client=client.mqtt_id, host=client.host)
            return {"error": "sign-in is not possible at the moment; try again"}
        log.info("gate.admitted", household=button.subject, client=client.mqtt_id, host=client.host)
        return {"jwt": self._permission(request.user_nkey, button)}

    async def _button(self, request: _Request) -> Principal:
        client, secret = request.client_info, request.connect_opts.secret
        if (client.kind.lower(), client.type.lower()) != ("client", "mqtt"):
            raise Forbidden("only buttons sign in with a token, and only over MQTT; services use their own login")
        if not secret or len(secret) > _MAX_SECRET:
            raise Forbidden("no token: give the button's bearer token as the MQTT password")
        principal = await self._check(secret)
        if principal.role != "device":
            raise Forbidden(f"a token of role {principal.role!r} is not for buttons; make one of role 'device'")
        owner, slash, _ = client.mqtt_id.partition("/")
        if slash and owner != principal.subject:
            raise Forbidden(f"client id {client.mqtt_id!r} is not of household {principal.subject!r}", field="client")
        if wait := self._holds.wait(principal.token_id, now()):
            raise Forbidden(f"a button with this token sent without end: it may sign in again in {wait:.0f} s")
        return principal

    def _permission(self, user: str, button: Principal) -> str:
        # Not all at the same moment, or all buttons that a restart brought back would come back together for ever.
        seconds = int(self._lifetime.total_seconds() * (0.75 + secrets.randbelow(256) / 1024))
        return sign(
            self._key,
            {
                "sub": user,
                "aud": ACCOUNT,
                "name": signed_in_as(self._site, button.subject, button.token_id),
                "exp": int(now().timestamp()) + max(1, seconds),
                "nats": {
                    "type": "user",
                    "version": 2,
                    "subs": MOST_SUBSCRIPTIONS,
                    "data": -1,
                    "payload": MOST_BYTES,
                    "allowed_connection_types": ["MQTT"],
                    "pub": {"allow": [press_subject(self._site, button.subject)]},
                    "sub": {"allow": [answer_subject(self._site, button.subject)]},
                },
            },
        )

    def _reply(self, request: _Request, **outcome: str) -> str:
        nats = {"type": "authorization_response", "version": 2, **outcome}
        return sign(self._key, {"sub": request.user_nkey, "aud": request.server_id.id, "nats": nats})


def _read(data: bytes) -> _Request:
    """The question, if a server signed it itself. Its own expiry is not checked: late answers are not used."""
    claims = verified(data.decode("ascii", "replace"))
    try:
        request = msgspec.convert(claims.get("nats"), _Request)
    except msgspec.ValidationError as error:
        raise Malformed(f"not a question about a login: {error}") from None
    if (
        claims.get("aud") != AUDIENCE
        or not request.server_id.id.startswith("N")
        or claims["iss"] != request.server_id.id
    ):
        raise Malformed("a question about a login that is not from a server")
    return request
