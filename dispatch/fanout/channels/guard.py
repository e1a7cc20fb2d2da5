"""Keeping what phones register from pointing into our own network (server-side request forgery).

Both the address in a URL and every answer of DNS are checked, and the connection is made to the very
address that was checked.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohappyeyeballs import AddrInfoType as Address
from yarl import URL

DNS_THREADS = 64
"""A name server that does not answer holds a thread for many seconds; the event loop's own are a handful."""
NAME_SECONDS, REMEMBERED_NAMES = 60.0, 4096

NAT64 = IPv6Network("64:ff9b::/96")


class NotAllowed(OSError):
    """The endpoint is none that we speak to; the text says why."""

    def __str__(self) -> str:
        return str(self.args[0])


def is_public(address: str) -> bool:
    """Whether `address` is reachable from the open internet, whatever IPv6 wraps around it."""
    ip: IPv4Address | IPv6Address | None = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip in NAT64 or ip.teredo is not None:
            return False
        ip = ip.ipv4_mapped or ip.sixtofour or ip
    return ip is not None and ip.is_global and not ip.is_multicast


def require_allowed(url: URL, *, guarded: bool) -> None:
    """Raise `NotAllowed` unless `url` is one to post to: http(s) with a host, and with `guarded` https and public."""
    if url.scheme not in {"http", "https"} or not url.host:
        raise NotAllowed("the endpoint is no http or https URL")
    if not guarded:
        return
    if url.scheme != "https":
        raise NotAllowed("the endpoint is not https")
    if _is_literal(url.host) and not is_public(url.host):
        raise NotAllowed("the endpoint is not on a public address")


def _is_literal(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


class Names:
    """DNS in threads of its own, each answer used for a minute; with `guarded` private addresses do not exist."""

    def __init__(self, *, guarded: bool) -> None:
        self._guarded = guarded
        self._threads = ThreadPoolExecutor(DNS_THREADS, thread_name_prefix="dns")
        self._known: dict[tuple[str, int], tuple[float, list[Address]]] = {}
        self._looking: dict[tuple[str, int], asyncio.Future[list[Address]]] = {}

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Where to connect to. Raises `OSError` when there is no such place, `NotAllowed` when none is public."""
        key, loop = (host, port), asyncio.get_running_loop()
        until, found = self._known.get(key, (0.0, []))
        if loop.time() < until:
            return found
        if key not in self._looking:  # who asks meanwhile gets the same answer
            self._looking[key] = loop.run_in_executor(self._threads, _look_up, host, port)
            self._looking[key].add_done_callback(lambda _: self._looking.pop(key, None))
        found = await asyncio.shield(self._looking[key])
        allowed = [address for address in found if not self._guarded or is_public(str(address[4][0]))]
        if not allowed:
            raise NotAllowed("the endpoint is not on a public address")
        if len(self._known) >= REMEMBERED_NAMES:
            self._known.clear()
        self._known[key] = (loop.time() + NAME_SECONDS, allowed)
        return allowed

    def close(self) -> None:
        """Let the threads go; those that still wait for a name server end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[Address]:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG))
