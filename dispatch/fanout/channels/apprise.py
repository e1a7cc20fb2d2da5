"""Messengers and e-mail by Apprise (ntfy, Bark, WeCom, DingTalk, Feishu, …), which blocks, so in threads.

The URL of a contact point holds secrets, and the library's own words may repeat them. So nothing of either leaves this
file: what came of a ring is said in our words, and of the library's the status of HTTP alone.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

import structlog

from dispatch.fanout.channels.guard import NotAllowed, is_public
from dispatch.fanout.channels.http import judge_status, temporary
from dispatch.fanout.channels.sender import Sent, failed
from dispatch.fanout.channels.threads import Threads
from dispatch.fanout.ring import Ring
from dispatch.roster import ApprisePoint
from dispatch.roster.apprise_urls import NotUsable, load, usable

if TYPE_CHECKING:
    from apprise.plugins import NotifyBase

log = structlog.get_logger()

CONNECT_SECONDS, READ_SECONDS = 3.0, 5.0
TRY_SECONDS = 9.9
"""A service may need several requests; one that trickles is not waited for any longer."""
LOAD_SECONDS = 30.0

LOUDEST: Mapping[str, Mapping[str, str]] = {
    "bark": {"level": "critical", "volume": "10"},
    "gotify": {"priority": "emergency"},
    "ntfy": {"priority": "max"},
    "pover": {"priority": "high"},
}
"""What makes a phone ring even when it is silenced, by the schema without the `s` of TLS. A URL that says it itself
is left as it is."""

# ntfy has codes of five digits, of which the first three are the status.
_STATUS = re.compile(r"\berror=(\d{3})")
_CONNECTION = re.compile(r"connection error", re.IGNORECASE)


class AppriseSender:
    """Sends rings through Apprise. With `guarded` no service on a loopback or private address is spoken to."""

    def __init__(
        self,
        *,
        guarded: bool,
        threads: Threads | None = None,
        try_seconds: float = TRY_SECONDS,
    ) -> None:
        self._guarded, self._threads = guarded, threads or Threads()
        self._try_seconds = try_seconds
        self._loaded = False

    def provider(self, point: ApprisePoint) -> str:
        """The service and its host, without what the URL says in secret."""
        return _provider(point.url) if self._loaded else "apprise"

    async def load(self) -> None:
        """Load the library's catalogue (half a second), so that the first ring does not wait for it."""
        await self._threads.run("catalogue", load, LOAD_SECONDS)
        self._loaded = True

    async def send(self, ring: Ring, point: ApprisePoint) -> Sent:
        """Send title, text and link."""
        try:
            if not self._loaded:
                await self.load()
            service = usable(with_call(point.url, ring))
        except NotUsable as error:
            return failed(f"the Apprise URL {error.detail}")
        except TimeoutError:
            return failed("Apprise could not be loaded in time")

        def work() -> Sent:
            try:
                if self._guarded:
                    require_public(service)
                return notify(service, ring)
            except NotAllowed as error:
                return failed(str(error))

        try:
            return await self._threads.run(_place(service), work, self._try_seconds)
        except TimeoutError:
            return temporary("no answer in time; it may have arrived")
        except Exception as error:  # noqa: BLE001  (a library of a hundred and more services may raise anything)
            return failed(f"an error of the library: {type(error).__name__}")


@lru_cache(maxsize=4096)
def _provider(url: str) -> str:
    try:
        return _place(usable(url))
    except NotUsable:
        return "apprise"


def with_call(url: str, ring: Ring) -> str:
    """`url` with what the service can do for a call: the highest priority, the link to open, the id it replaces."""
    schema, _, rest = url.partition("://")
    kind = schema.lower().removesuffix("s")
    calling = ring.word == "called"
    wanted = dict(LOUDEST.get(kind, {})) if calling else {}
    if kind in {"bark", "ntfy"} and ring.link:
        wanted["click"] = ring.link
    if kind == "bark":
        wanted["id"] = ring.notification
    said = {name.lower() for name, _ in parse_qsl(rest.partition("?")[2], keep_blank_values=True)}
    more = urlencode({name: value for name, value in wanted.items() if name not in said})
    return url if not more else f"{url}{'&' if '?' in rest else '?'}{more}"


def notify(service: NotifyBase, ring: Ring) -> Sent:
    """Send, waiting for each answer for `READ_SECONDS` at most. Blocks.

    The service is asked itself, for `Apprise.notify` has threads of its own that outlive its time limit.
    """
    from apprise.common import NotifyFormat, NotifyType

    service.socket_connect_timeout = min(service.socket_connect_timeout, CONNECT_SECONDS)
    service.socket_read_timeout = min(service.socket_read_timeout, READ_SECONDS)
    service.request_rate_per_sec = 0
    with _Overheard() as words:
        sent = service.notify(
            title=ring.title,
            body=f"{ring.body}\n{ring.link}".rstrip(),
            body_format=NotifyFormat.TEXT,
            notify_type=NotifyType.FAILURE if ring.word == "called" else NotifyType.INFO,
        )
    return Sent("sent") if sent else _judge(words)


def require_public(service: NotifyBase) -> None:
    """Raise `NotAllowed` when the host in the service's URL is on a loopback or private address. Blocks for DNS.

    The address is looked up once more when the service connects; only operators set these URLs.
    """
    for host in _hosts(service):
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError:
            continue  # it cannot be connected to either
        if not all(is_public(str(address[0])) for *_, address in found):
            raise NotAllowed("the service is not on a public address")


def _hosts(service: NotifyBase) -> list[str]:
    """The hosts that its URL names; those of a public service are its own, and what looks like one is a secret."""
    if "host" not in service.template_tokens or getattr(service, "mode", None) == "cloud":
        return []
    named = (getattr(service, "smtp_host", None) or service.host, getattr(service, "host", None))
    return [host.strip("[]") for host in dict.fromkeys(named) if host]


def _place(service: NotifyBase) -> str:
    """Whose turns a send takes: those of the server that its URL names, or of the provider."""
    return f"{type(service).__name__} {' '.join(_hosts(service))} {service.port or ''}"


def _judge(words: list[str]) -> Sent:
    """Why it was not sent. A refusal by the service is final; an error of the connection or of the service is not."""
    statuses = [int(found[1]) for line in words if (found := _STATUS.search(line))]
    if statuses:
        judged = judge_status(statuses[-1], None)
        return judged if judged != Sent("sent") else failed("the service did not take it")
    if any(_CONNECTION.search(line) for line in words):
        return temporary("no connection, or no answer in time; it may have arrived")
    return failed("the service did not take it")


class _Overheard(logging.Handler):
    """What the library says in this thread while it sends; it goes nowhere else."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread, self._words = threading.get_ident(), list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._words.append(record.getMessage())

    def __enter__(self) -> list[str]:
        logging.getLogger("apprise").addHandler(self)
        return self._words

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)
