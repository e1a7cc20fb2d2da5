"""Lanes: turns, shares, tries again, rates. The providers here are functions; real ones are in test_fanout_http."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import REGISTRY

from dispatch.fanout import lanes
from dispatch.fanout.breaker import FAILURES, SPAN_SECONDS
from dispatch.fanout.channels import Sent
from dispatch.fanout.lanes import Lane, Limits
from dispatch.fanout.turns import Place, Rank
from tests.waiting import until

FIRST = Place(Rank.FIRST, drill=False, area="a")
SENT = Sent("sent")


async def sent() -> Sent:
    return SENT


async def hang() -> Sent:
    await asyncio.Event().wait()
    return SENT


def answers(*results: Sent) -> Callable[[], Awaitable[Sent]]:
    left = list(results)

    async def once() -> Sent:
        return left.pop(0) if len(left) > 1 else left[0]

    return once


class Gate:
    """A provider that answers when it is told to, and remembers who began, in order."""

    def __init__(self, lane: Lane, name: str = "p") -> None:
        self.lane, self.name, self.began = lane, name, list[str]()
        self._open = asyncio.Semaphore(0)

    def call(self, name: str, place: Place = FIRST, *, another: bool = False) -> asyncio.Task[Sent]:
        async def once() -> Sent:
            self.began.append(name)
            await self._open.acquire()
            return SENT

        return asyncio.create_task(self.lane.send(self.name, place, once, another=another))

    def let(self, calls: int) -> None:
        for _ in range(calls):
            self._open.release()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_where_nothing_is_in_the_way_it_sends_at_once() -> None:
    with pytest.raises(StopIteration) as ended:
        Lane("webhook", Limits()).send("p", FIRST, sent).send(None)
    assert ended.value.value == SENT


async def test_providers_that_hang_leave_turns_to_every_other() -> None:
    lane = Lane("webhook", Limits(at_once=16))
    hanging = [asyncio.create_task(lane.send(f"dead{n % 3}", FIRST, hang)) for n in range(300)]
    await settle()
    async with asyncio.timeout(5):
        assert await lane.send("alive", FIRST, sent) == SENT
    assert lane.waiting(Rank.FIRST) > 200
    for task in hanging:
        task.cancel()
    await asyncio.wait(hanging)
    assert lane.waiting(Rank.FIRST) == 0
    assert await lane.send("dead0", FIRST, sent) == SENT, "who gives up holds no turn"


async def test_first_rings_overtake_what_waits() -> None:
    gate = Gate(Lane("webhook", Limits(at_once=2)))
    tasks = [gate.call("busy")]
    await settle()
    tasks += [gate.call(f"word{n}", Place(Rank.NOTICE, drill=False, area="a")) for n in range(500)]
    await settle()
    tasks += [gate.call("again", Place(Rank.REPEATED, drill=False, area="a")), gate.call("first")]
    await settle()
    gate.let(1000)
    assert set(await asyncio.gather(*tasks)) == {SENT}
    assert gate.began[:4] == ["busy", "first", "again", "word0"]


async def test_two_areas_share_the_turns() -> None:
    gate = Gate(Lane("webhook", Limits(at_once=2)))
    tasks = [gate.call("busy")]
    await settle()
    tasks += [gate.call("storm", Place(Rank.FIRST, drill=False, area="storm")) for _ in range(50)]
    tasks += [gate.call("calm", Place(Rank.FIRST, drill=False, area="calm")) for _ in range(3)]
    await settle()
    gate.let(1000)
    await asyncio.gather(*tasks)
    assert gate.began[1:7] == ["storm", "calm"] * 3


async def test_a_rate_is_kept_and_nobody_is_lost() -> None:
    lane = Lane("sms", Limits(at_once=1000, per_second=20))
    loop = asyncio.get_running_loop()
    begun: list[float] = []

    async def once() -> Sent:
        begun.append(loop.time())
        return SENT

    assert set(await asyncio.gather(*(lane.send("smsc", FIRST, once) for _ in range(30)))) == {SENT}
    assert begun[20] - begun[0] < 0.5, "a second's worth may go at once"
    assert begun[29] - begun[0] > 0.35, "then one each twentieth of a second"


async def test_a_try_that_takes_too_long_is_cut_off_and_made_again() -> None:
    tries = 0

    async def once() -> Sent:
        nonlocal tries
        tries += 1
        return await (hang() if tries == 1 else sent())

    assert await Lane("webhook", Limits(seconds=0.05)).send("p", FIRST, once) == SENT
    assert tries == 2


async def test_what_is_final_is_not_tried_again() -> None:
    final = Sent("failed", "HTTP 403")
    assert await Lane("webhook", Limits()).send("p", FIRST, answers(final, SENT)) == final


async def open_breaker(lane: Lane, provider: str = "p") -> None:
    """Make calls that get no answer until the lane leaves the provider alone."""
    begun = asyncio.get_running_loop().time() - SPAN_SECONDS - 1
    for _ in range(FAILURES):
        of = lane._provider(provider)
        lane._learn(of, Sent("failed", "no answer", later=0.0), begun, first=True)
    assert REGISTRY.get_sample_value("dispatch_provider_held_back", {"channel": "webhook", "provider": provider}) == 1


async def test_who_has_another_way_is_told_at_once_while_the_provider_is_left_alone() -> None:
    lane = Lane("webhook", Limits())
    await open_breaker(lane)
    refused = await lane.send("p", FIRST, hang, another=True)
    assert refused == Sent("failed", "the provider is not called for a while: no answer")
    assert await lane.send("other", FIRST, sent, another=True) == SENT


async def test_who_has_no_other_way_waits_and_comes_through_when_the_provider_is_back() -> None:
    lane = Lane("webhook", Limits())
    await open_breaker(lane)
    async with asyncio.timeout(8):
        assert await asyncio.gather(*(lane.send("p", FIRST, sent) for _ in range(50))) == [SENT] * 50
    held_back = REGISTRY.get_sample_value("dispatch_provider_held_back", {"channel": "webhook", "provider": "p"})
    assert held_back == 0


def held_back(name: str) -> float | None:
    return REGISTRY.get_sample_value("dispatch_provider_held_back", {"channel": "webhook", "provider": name})


async def test_a_provider_that_is_called_no_more_is_forgotten_with_its_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "GONE_SECONDS", 0.05)
    lane = Lane("webhook", Limits())
    await open_breaker(lane, "gone.example")

    async def forgotten() -> bool:
        return held_back("gone.example") is None

    await until(forgotten, "the figure to go")
    assert "gone.example" not in lane._providers


async def test_a_provider_that_is_still_called_is_not_forgotten() -> None:
    lane, name = Lane("webhook", Limits()), "busy.example"
    await open_breaker(lane, name)
    of, now = lane._providers[name], asyncio.get_running_loop().time()
    of.in_hand, of.used = 1, now - 2 * lanes.GONE_SECONDS
    lane._forget(name)
    of.in_hand, of.used = 0, now
    lane._forget(name)
    assert (lane._providers[name], held_back(name)) == (of, 1)
    of.used = now - 2 * lanes.GONE_SECONDS
    lane._forget(name)
    assert (name in lane._providers, held_back(name)) == (False, None)


async def test_while_it_is_left_alone_calls_look_one_at_a_time_and_give_up_after_the_budget() -> None:
    lane = Lane("webhook", Limits(budget=2.5))
    await open_breaker(lane)
    looked = 0

    async def once() -> Sent:
        nonlocal looked
        looked += 1
        return Sent("failed", "HTTP 500", later=0.0)

    results = await asyncio.gather(*(lane.send("p", FIRST, once) for _ in range(50)))
    assert {result.outcome for result in results} == {"failed"}
    assert {result.later for result in results} == {None}
    assert 1 <= looked <= 4


async def test_a_call_that_waited_in_a_storm_for_longer_than_the_budget_is_made() -> None:
    budget = 0.05
    lane = Lane("webhook", Limits(at_once=2, budget=budget))
    gate = Gate(lane)
    tasks = [gate.call("busy"), gate.call("patient")]

    async def waited() -> bool:
        return lane.oldest() > 2 * budget

    await until(waited, "it to wait for longer than the budget")
    gate.let(2)
    assert await asyncio.gather(*tasks) == [SENT, SENT]


async def test_what_waits_is_a_metric() -> None:
    lane = Lane("webhook", Limits(at_once=2))
    gate = Gate(lane)
    tasks = [gate.call("busy"), gate.call("waits")]

    async def shown() -> bool:
        rank = {"channel": "webhook", "rank": "first"}
        return REGISTRY.get_sample_value("dispatch_lane_waiting", rank) == 1.0

    await until(shown, "one call to wait")

    async def older() -> float | None:
        return REGISTRY.get_sample_value("dispatch_lane_oldest_waiting_seconds", {"channel": "webhook"})

    assert 0 < await until(older, "it to wait for some time") < 20
    gate.let(2)
    await asyncio.gather(*tasks)
    assert lane.oldest() == 0


async def test_providers_that_are_well_are_not_remembered() -> None:
    lane = Lane("webhook", Limits())
    for n in range(100):
        await lane.send(f"p{n}", FIRST, sent)
    assert not lane._providers


def test_who_is_refused_for_a_throttle_has_been_waited_for() -> None:
    """A call without another way must see the end of the longest pause."""
    assert all(limits.budget >= lanes.Limits().budget for limits in lanes.LIMITS.values())
