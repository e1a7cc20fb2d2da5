"""Keeping what phones register from pointing into our own network (server-side request forgery).

Both the address in a URL and every answer of DNS are checked, and the connection is made to the very
address that was checked.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

DNS_THREADS = 64
"""A name server that does not answer holds a thread for many seconds; the event loop's own are a handful."""

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


class Resolver(AbstractResolver):
    """DNS in threads of its own; with `guarded` private addresses do not exist."""

    def __init__(self, *, guarded: bool) -> None:
        self._guarded = guarded
        self._threads = ThreadPoolExecutor(DNS_THREADS, thread_name_prefix="dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host`. Raises `OSError` when there are none, `NotAllowed` when none is public."""
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port, family)
        allowed = [result for result in found if not self._guarded or is_public(result["host"])]
        if found and not allowed:
            raise NotAllowed("the endpoint is not on a public address")
        return allowed

    async def close(self) -> None:
        """Let the threads go; those that still wait for a name server end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    answers = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=port,
            family=kind,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, protocol, _, address in answers
    ]
