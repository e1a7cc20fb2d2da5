"""A part of the log is loaded by a process that says what it has done, line by line, to whoever waits for it."""

from __future__ import annotations

import asyncio
import sys

import msgspec

from dispatch.identifiers import Site
from dispatch.projections.part import Done, Part

LOADING = """
import structlog
from dispatch.projections import part

async def load(_, say):
    structlog.get_logger().warning("nats.disconnected")
    say(part.Done(messages=3, events=5))

part.load = load
part.main()
"""


async def test_what_the_log_says_meanwhile_is_not_taken_for_what_was_done() -> None:
    whole = Part(nats_url="", dsn="", site=Site("s"), schema="", projections=(), after=0, until=3)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LOADING),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(msgspec.json.encode(whole) + b"\n")  # and it stays open, for the result is wanted
    said, complained = await asyncio.gather(process.stdout.read(), process.stderr.read())
    assert [msgspec.json.decode(line, type=Done) for line in said.splitlines()] == [Done(messages=3, events=5)]
    assert "nats.disconnected" in complained.decode()
    assert await process.wait() == 0
