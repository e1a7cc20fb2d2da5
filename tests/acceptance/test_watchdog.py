"""The process that calls people hangs. Nobody ends it, nobody starts another, and a key is pressed."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator

import pytest

from dispatch.cases import Case
from dispatch.events import CASES, INTAKE
from dispatch.identifiers import PersonId
from tests.live import LiveSystem, Phones
from tests.system import until


@pytest.fixture
async def stuck(live_system: LiveSystem) -> AsyncIterator[int]:
    """The fan-out's process, which does nothing at all until it is woken, here or by the test."""
    pid = await until(lambda: live_system.system.pid("fanout"), "the fan-out")
    os.kill(pid, signal.SIGSTOP)
    yield pid
    os.kill(pid, signal.SIGCONT)


async def test_everybody_is_called_and_hears_at_most_one_ring_too_many_when_it_wakes(
    live_system: LiveSystem, phones: Phones, stuck: int
) -> None:
    case_id = await live_system.press(kind="fire")
    case = await live_system.finished(case_id)
    assert phones.rung() == dict.fromkeys(phones.of, 1)
    assert {reached(case, person) for person in phones.of} == {True}

    os.kill(stuck, signal.SIGCONT)
    for stream, job in ((INTAKE, "fanout"), (CASES, "calls")):
        await until(lambda s=stream, j=job: has_done(live_system, s, j), f"{job} to be done")  # type: ignore[misc]
    for person in phones.of:
        rings = [ring["notification"] for ring in phones.rings(person)]
        assert 1 <= len(rings) <= 2
        assert len(set(rings)) == 1, "and it shows as one alert"
    await live_system.close(case_id)


def reached(case: Case, person: PersonId) -> bool:
    calls = [call for call in case.calls.values() if call.responder == person]
    return any(outcome.outcome == "sent" for call in calls for outcome in call.outcomes.values())


async def has_done(live_system: LiveSystem, stream: str, job: str) -> bool:
    """Whether the fan-out has dealt with everything that it had and that came meanwhile."""
    consumer = f"{job}-{live_system.system.settings.site}"
    info = await live_system.system.nc.jetstream().consumer_info(stream, consumer)
    return not info.num_pending and not info.num_ack_pending
