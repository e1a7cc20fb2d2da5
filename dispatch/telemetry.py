"""Logs: one JSON object (or one readable line) per event, with the role and whatever ids are bound to the context.

Bind ids where work on them begins: `structlog.contextvars.bound_contextvars(case=…, press=…)`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import nullcontext, suppress
from functools import lru_cache
from typing import Any, TextIO

import structlog

from dispatch.settings import Settings

SECRET_NAME = re.compile(r"password|secret|token|authorization|cookie|seed|private_key|\bauth\b|p256dh", re.IGNORECASE)
HIDDEN = "***"
IN_ADDRESSES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(\b\w+://[^\s:/@]*):[^\s/]+@"), rf"\1:{HIDDEN}@"),
    (re.compile(r"([?&](?:access_token|token|key|sign|secret|password)=)[^\s&#'\"]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (
        re.compile(
            r"(https?://(?:[\w-]+\.)*(?:api\.day\.app|open\.feishu\.cn|open\.larksuite\.com|hooks\.slack\.com"
            r"|discord(?:app)?\.com|api\.telegram\.org|sctapi\.ftqq\.com|fcm\.googleapis\.com"
            r"|push\.services\.mozilla\.com|push\.apple\.com|notify\.windows\.com)(?::\d+)?)/[^\s'\"]+",
            re.IGNORECASE,
        ),
        rf"\1/{HIDDEN}",
    ),
    (re.compile(r"(\bwith url: )[^\s'\"]+"), rf"\1{HIDDEN}"),
    (
        re.compile(
            r"\b(?!(?:https?|wss?|nats|tls|tcp|mqtts?|postgres|postgresql|file)://)([a-z]\w*)://[^\s'\"]+",
            re.IGNORECASE,
        ),
        rf"\1://{HIDDEN}",
    ),
)
"""Passwords; secrets in a query; push services and messengers whose path is the secret; what urllib3 says of such a
path; and Apprise's addresses (`barks://…`), which are known by a scheme that none of our servers has."""
MARKS = re.compile(r"://|=|with url: ")
"""One of these stands in whatever has such a secret in it. To look for more would cost a storm a second."""

QUIET = {
    "nats": logging.WARNING,
    "aiohttp.access": logging.WARNING,
    "asyncio": logging.WARNING,
    "urllib3": logging.ERROR,
}
"""Libraries that say at INFO what we say ourselves."""

LATE_SECONDS = 0.02

Event = MutableMapping[str, Any]


class LateLines(logging.StreamHandler[TextIO]):
    """Writes lines of ours that are no warnings 20 ms later, those of a moment together, where an event loop runs.

    To make and write a line takes longer than to ring a phone, and phones ring at the same moment. What waits is
    written before a warning, and when the process ends; who is killed does not write it.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: list[logging.LogRecord] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        """Which has been asked to write them."""

    def emit(self, record: logging.LogRecord) -> None:
        loop = _running_loop()
        # What libraries say gets its time and its context when it is written.
        if loop is None or record.levelno >= logging.WARNING or not isinstance(record.msg, dict):
            self.flush()
            super().emit(record)
            return
        self._waiting.append(record)
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(LATE_SECONDS, self.flush)

    def flush(self) -> None:
        with self.lock or nullcontext():
            waiting, self._waiting, self._loop = self._waiting, [], None
            lines = self._lines(waiting)
            with suppress(OSError, ValueError):  # whoever read it is gone: that stops nothing
                self.stream.write("".join(lines))
                super().flush()

    def _lines(self, records: Iterable[logging.LogRecord]) -> list[str]:
        lines: list[str] = []
        for record in records:
            try:
                lines.append(self.format(record) + self.terminator)
            except Exception:  # noqa: BLE001  (nor does a line that cannot be made)
                self.handleError(record)
        return lines


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def configure(role: str, settings: Settings) -> None:
    """Send structlog and the standard library's logging to stderr, in `settings.log_format`.

    Call it once, first thing in a process; `role` is on every line.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_role(role),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = LateLines(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(settings),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(max(level, root.level))


def configure_command(settings: Settings) -> None:
    """Logs of a command that tells people itself what it does: warnings alone, and on a terminal in lines for people.

    What the environment names (DISPATCH_LOG_LEVEL, DISPATCH_LOG_FORMAT) is as it says. Call it as `configure`.
    """
    quieter: dict[str, str] = {"log_level": "warning"}
    if sys.stderr.isatty():
        quieter["log_format"] = "console"
    unsaid = {name: value for name, value in quieter.items() if name not in settings.model_fields_set}
    configure("cli", settings.model_copy(update=unsaid))


def hide_secrets(_logger: object, _method: str, event: Event) -> Event:
    """Replace values under names that tell secrets, and secrets inside addresses, in the words of errors too."""
    for name, value in event.items():
        event[name] = HIDDEN if _tells_secrets(name) else _hidden(value)
    return event


@lru_cache(maxsize=1024)
def _tells_secrets(name: str) -> bool:
    return SECRET_NAME.search(name) is not None


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return _without_secrets(value)
    if isinstance(value, BaseException):
        return _without_secrets(repr(value))
    if isinstance(value, Mapping):
        return {
            _without_secrets(str(key)): HIDDEN if _tells_secrets(str(key)) else _hidden(of) for key, of in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_hidden(one) for one in value]
    # What is no plain value is written as its `repr`, which may say anything.
    return value if value is None or isinstance(value, int | float) else _without_secrets(repr(value))


def _without_secrets(said: str) -> str:
    if MARKS.search(said) is None:
        return said
    for secret, shown in IN_ADDRESSES:
        said = secret.sub(shown, said)
    return said


def _add_role(role: str) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, event: Event) -> Event:
        event["role"] = role
        return event

    return add


def _renderers(settings: Settings) -> list[structlog.typing.Processor]:
    # Tracebacks are text before secrets are hidden, so that theirs are too.
    hidden: list[structlog.typing.Processor] = [structlog.processors.format_exc_info, hide_secrets]
    if settings.log_format == "console":
        # Rich would show what every variable holds: names, telephone numbers, tokens.
        plain = structlog.dev.plain_traceback
        return [*hidden, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    return [
        *hidden,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
