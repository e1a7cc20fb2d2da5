"""Load, decide, append: ours on NATS beside the library `eventsourcing` on Postgres, command for command."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec
from nats.aio.client import Client
from rich.progress import track

from bench.figures import Measured, percentile
from bench.one_case import commands_of, plan
from bench.results import Comparison
from bench.scene import connected, console
from dispatch.cases import CaseDesk, RaiseAlarm
from dispatch.clock import now
from dispatch.events import CASES, CaseLog, last_of_each
from dispatch.identifiers import HouseholdId

AT_ONCE = 8
WARM_UP = 3
"""Cases that are played and not counted."""


async def compare(url: str, dsn: str, cases: int) -> Comparison:
    """`cases` cases of nine commands, in turns case by case, so that a busy moment of the machine hits all alike."""
    from bench.peers.eventsourced import PeerDesk  # nobody else needs the library

    async with connected(url) as nc:
        log, kept = CaseLog(nc, "ours"), CaseDesk(CaseLog(nc, "kept"))
        peer, in_memory = await asyncio.to_thread(PeerDesk, dsn), PeerDesk(None)
        series: tuple[list[float], ...] = ([], [], [], [], [])
        homes = _homes("one", cases + WARM_UP)
        for number, home in enumerate(
            track(homes, description="load, decide, append", console=console, transient=True)
        ):
            began = now()
            took = (
                await _bare(nc, home, began),
                await play(lambda: CaseDesk(log), home, began),
                await asyncio.to_thread(peer.play, home, began),
                await play(lambda: kept, home, began),
                in_memory.play(home, began),
            )
            if number >= WARM_UP:
                for counted, new in zip(series, took, strict=True):
                    counted.extend(new)
        many = _homes("many", cases)
        ours_at_once = await _seconds(_at_once(log, many))
        peer_at_once = await _seconds(asyncio.to_thread(peer.play_at_once, many, now(), AT_ONCE))
        await asyncio.to_thread(peer.close)
    bare, loaded, of_peer, remembered, of_memory = series
    commands = len(many) * len(commands_of(many[0], now()))
    return Comparison(
        title="load, decide, append: one command on a case that is loaded from the store",
        bare=Measured("one direct get and one publish, fsynced", bare),
        ours=Measured("CaseDesk on NATS", loaded),
        peer=Measured("eventsourcing on Postgres", of_peer),
        facts={
            "p50_ms_with_the_case_remembered": round(percentile(remembered, 50), 3),
            "p50_ms_of_the_peer_in_memory_without_a_store": round(percentile(of_memory, 50), 3),
            f"commands_a_second_with_{AT_ONCE}_at_once": round(commands / ours_at_once),
            f"commands_a_second_with_{AT_ONCE}_at_once_of_the_peer": round(commands / peer_at_once),
        },
    )


async def play(desk: Callable[[], CaseDesk], household: HouseholdId, began: datetime) -> list[float]:
    """The whole case of `household`; milliseconds of each command. A new `desk` has to load the case."""
    took, opened = [], None
    for command in commands_of(household, began):
        at, started = desk(), time.perf_counter_ns()
        if isinstance(command, RaiseAlarm):
            handled = await at.press(command, plan)
        else:
            assert opened is not None
            handled = await at.handle(opened, command)
        took.append((time.perf_counter_ns() - started) / 1e6)
        assert handled.events, "a command that changes nothing is no work"
        opened = handled.case.id
    return took


async def _at_once(log: CaseLog, households: Sequence[HouseholdId]) -> None:
    left = list(households)

    async def worker() -> None:
        while left:
            await play(lambda: CaseDesk(log), left.pop(), now())

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(worker())


async def _bare(nc: Client, household: HouseholdId, began: datetime) -> list[float]:
    """As often as a case has commands: the last message of a subject, and one that expects to come behind it."""
    js, subject, took, last = nc.jetstream(), f"cases.bare.{household}.x", [], 0
    for command in commands_of(household, began):
        body, started = msgspec.json.encode(command), time.perf_counter_ns()
        if last:
            await last_of_each(nc, CASES, [subject])
        headers = {"Nats-Msg-Id": f"{household}:{command.id}", "Nats-Expected-Last-Subject-Sequence": str(last)}
        last = (await js.publish(subject, body, headers=headers)).seq
        took.append((time.perf_counter_ns() - started) / 1e6)
    return took


async def _seconds(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


def _homes(prefix: str, number: int) -> list[HouseholdId]:
    return [HouseholdId(f"{prefix}{each:05d}") for each in range(number)]
