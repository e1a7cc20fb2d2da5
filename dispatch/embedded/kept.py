"""What is chosen on the first run and kept in the data folder: secrets and ports."""

from __future__ import annotations

import json
import os
import random
import secrets
from collections.abc import Callable
from pathlib import Path

from dispatch.errors import SetupError
from dispatch.listening import why_not

PORTS = range(20000, 32000)
"""Below the range that systems give to outgoing connections, so that a kept port is not borrowed meanwhile."""


def write_private(file: Path, content: str) -> None:
    """Write `content` so that only its owner may read it, whole or not at all."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    draft.replace(file)


def kept_secret(file: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(24)) -> str:
    """The secret in `file`; the first time it is made."""
    try:
        secret = file.read_text().strip()
    except FileNotFoundError:
        secret = ""
    if not secret:
        secret = make()
        write_private(file, secret)
    return secret


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on `port` now."""
    return why_not(port, host) is None


class KeptPorts:
    """Ports by name, kept in one JSON file; `say` is told when a kept port had to be given up."""

    def __init__(self, file: Path, say: Callable[[str], None]) -> None:
        self._file = file
        self._say = say

    def port(self, name: str, wanted: int | None = None) -> int:
        """The port for `name`: `wanted` if given, else the kept one, else a free one, which is then kept.

        Raises `SetupError` when `wanted` cannot be had.
        """
        if wanted is not None:
            return self._exactly(name, wanted)
        kept = self._read()
        port = kept.get(name)
        if port is not None and is_free(port):
            return port
        chosen = _free_port(set(kept.values()))
        if port is not None:
            self._say(f"port {port} for {name} is taken by another program: {name} now listens on {chosen}")
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps({**kept, name: chosen}))
        return chosen

    @staticmethod
    def _exactly(name: str, wanted: int) -> int:
        if (reason := why_not(wanted)) is not None:
            raise SetupError(f"port {wanted} for {name} {reason}: choose another with DISPATCH_{name.upper()}_PORT")
        return wanted

    def _read(self) -> dict[str, int]:
        try:
            return {str(name): int(port) for name, port in json.loads(self._file.read_text()).items()}
        except (OSError, ValueError, AttributeError):
            return {}


def _free_port(but: set[int]) -> int:
    for port in random.sample(PORTS, 200):
        if port not in but and is_free(port):
            return port
    raise SetupError(f"no free port between {PORTS.start} and {PORTS.stop} on 127.0.0.1")
