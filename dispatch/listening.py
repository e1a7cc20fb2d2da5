"""Why a server cannot have the port that it was given, in words for whoever gave it."""

from __future__ import annotations

import errno
import socket

_REASONS = {
    errno.EADDRINUSE: "is taken by another program",
    errno.EACCES: "is not ours to open: only root may use ports below 1024",
}


def why_not(port: int, host: str = "127.0.0.1") -> str | None:
    """What keeps a server from listening on `port` now, or None when nothing does."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return why_refused(error, host)
    return None


def why_refused(error: OSError, host: str) -> str:
    """What the system said when a port of `host` was to be opened."""
    return _REASONS.get(error.errno or 0, f"cannot be opened on {host} ({error.strerror or error})")
