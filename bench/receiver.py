"""The responders' providers: a process of its own that takes posts and remembers when each arrived.

`POST /<anything>` is stamped with the machine's monotonic clock, which all processes share, under the
request's `webhook-id` header. `GET /arrivals` gives `{"<path>": [[webhook-id, nanoseconds], …]}` and forgets.
It is told how many providers there are, takes a free port for each and says which, on one line. After `PUT /` to one of
them, that one takes posts and never answers.

Providers have machines of their own; here they share ours, so that they must be light: a parser and nothing around it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from functools import partial
from typing import cast

import httptools
import msgspec
import uvloop

BACKLOG = 4096
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"

arrivals: dict[str, list[tuple[str, int]]] = defaultdict(list)


class Provider:
    """What listens at one port."""

    def __init__(self) -> None:
        self.hangs = False


class Connection(asyncio.Protocol):
    """One caller, who may send requests one after the other; the parser says what has come."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_begin(self) -> None:
        self._at = time.monotonic_ns()
        self._path, self._name = "", ""

    def on_url(self, url: bytes) -> None:
        self._path += url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"webhook-id":
            self._name = value.decode()

    def on_message_complete(self) -> None:
        match self._parser.get_method():
            case b"GET":
                body = msgspec.json.encode(arrivals)
                arrivals.clear()
                self._transport.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                    % (len(body), body)
                )
            case b"PUT":
                self._provider.hangs = True
                self._transport.write(NO_CONTENT)
            case _ if not self._provider.hangs:
                arrivals[self._path].append((self._name, self._at))
                self._transport.write(NO_CONTENT)


async def main(providers: int) -> None:
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(partial(Connection, Provider()), "127.0.0.1", 0, backlog=BACKLOG)
        for _ in range(providers)
    ]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
