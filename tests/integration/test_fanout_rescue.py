"""The fan-out is away and nobody starts it: the watchdog rings what is owed itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import pytest
from msgspec.structs import replace
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from dispatch.access import Links, load_keys
from dispatch.cases import (
    CallOne,
    Case,
    CaseDesk,
    Command,
    GiveAnswer,
    Handled,
    RaiseAlarm,
    RecordCalls,
    StandDown,
    follows,
)
from dispatch.clock import Clock, now
from dispatch.drills import Drill, DrillBook, case_of
from dispatch.errors import Unavailable
from dispatch.events import (
    CASES,
    INTAKE,
    Answer,
    CallOutcome,
    Incident,
    PlannedCall,
    Press,
    Reason,
    decode_press,
    work_consumer,
)
from dispatch.fanout import Watchdog, rescue, stand_in, standing_in, watchdog, work
from dispatch.fanout.directory import Directory
from dispatch.fanout.drills import Drills
from dispatch.fanout.lanes import Limits
from dispatch.fanout.presses import Presses
from dispatch.fanout.reasons import AT_HOME, NOT_WANTED
from dispatch.fanout.turns import Turns
from dispatch.fanout.untaken import Untaken
from dispatch.identifiers import AreaId, CaseId, CommitId, GroupId, HouseholdId, PersonId, PressId
from dispatch.roles import looked_subject, ping_subject
from dispatch.roster import ApprisePoint, Household, LeftOut, Roster, WebhookPoint
from dispatch.settings import Settings
from tests.fanout_streams import all_acknowledged
from tests.integration.test_fanout_fallback import PATIENT, agree
from tests.integration.test_fanout_watchdog import hurry, settle_up
from tests.messengers import messenger
from tests.phones import Phone
from tests.receivers import status
from tests.village import HOUSEHOLD, SECRET, Village, opened, outcomes, until, village_of
from tests.workers import on_watch, working


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> AsyncIterator[Village]:
    async with village_of(nc, nats_settings.site, 4) as made:
        yield made


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """All time limits of the watchdog much shorter, for tests that wait for them."""
    for name in ("OWED", "WAITING", "SILENT", "LATE", "UNTAKEN", "AWAY"):
        monkeypatch.setattr(watchdog, name, timedelta(seconds=0.5))
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(rescue, "AFTER", timedelta(seconds=1))


@asynccontextmanager
async def watching(village: Village, settings: Settings, clock: Clock = now) -> AsyncIterator[None]:
    keys = await load_keys(village.nc, village.site)
    links = Links(keys.link_secret, "https://dispatch.example")
    desk = CaseDesk(village.log)
    own = standing_in(village.nc, desk=desk, roster=village.roster, links=links, keys=keys, settings=settings)
    async with own as stand_in, on_watch(village, settings, stand_in=stand_in, clock=clock):
        yield


Hand = Callable[[Village, Settings], AbstractAsyncContextManager[object]]


def silent_press() -> RaiseAlarm:
    at = now()
    pressed = Press(
        press=PressId("silent"), household=HOUSEHOLD, device="key", source="http", pressed_at=at, silent=True
    )
    return RaiseAlarm(id=CommitId("press-silent"), at=at, accepted_at=at, press=pressed)


async def handled(village: Village, stream: str, job: str) -> bool:
    """Whether a fan-out has dealt with everything, once it is there."""
    with contextlib.suppress(NotFoundError):
        return await all_acknowledged(village.nc, stream, f"{job}-{village.site}")
    return False


def be_away_for(time: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long the fan-out must be away: longer than a busy machine keeps an answer back, where there is one."""
    for name in ("UNTAKEN", "AWAY"):
        monkeypatch.setattr(watchdog, name, time)


async def everybody_here(village: Village) -> None:
    """Every role answers, whatever else it does."""

    async def here(message: Msg) -> None:
        await message.respond(b"{}")

    for role in ("fanout", "serve", "project"):
        await village.nc.subscribe(ping_subject(village.site, role), cb=here)


class Looks:
    """Counts how often the watchdog has looked."""

    def __init__(self) -> None:
        self.count = 0

    async def heard(self, _message: Msg) -> None:
        self.count += 1

    async def some_more(self, number: int = 6) -> None:
        enough = self.count + number

        async def seen() -> bool:
            return self.count >= enough

        await until(seen, "some looks")


async def looks_at(village: Village) -> Looks:
    looks = Looks()
    await village.nc.subscribe(looked_subject(village.site), cb=looks.heard)
    return looks


async def test_what_is_owed_rings_once_and_a_fan_out_that_comes_back_adds_nothing(
    village: Village, nats_settings: Settings
) -> None:
    case_id = await opened(village)
    async with watching(village, nats_settings):
        case = await village.finished(case_id)
        assert {key: value[0] for key, value in outcomes(case).items() if key[1] == "webhook"} == {
            (f"p-{n}", "webhook"): "sent" for n in range(4)
        }
        async with working(village, nats_settings):
            other = await village.press(household=HOUSEHOLD)  # joins the case; the fan-out is at work again
            await village.case_where(case_id, lambda c: len(c.presses) == 2, f"the press {other} on the case")
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]
    ring = json.loads(village.receivers[0].requests[0].body)["data"]
    assert (ring["case"], ring["word"]) == (case_id, "called")
    assert ring["link"]


async def test_while_the_fan_out_is_there_its_calls_are_its_own(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_away_for(timedelta(seconds=2), monkeypatch)
    await everybody_here(village)
    case_id, looks = await opened(village), await looks_at(village)
    await in_hand(village)
    async with watching(village, nats_settings):
        await looks.some_more(15)  # it is owed for three seconds
    assert village.rings() == [[], [], [], []]
    assert (await village.case(case_id)).owed()


async def test_what_the_fan_out_says_nothing_of_for_very_long_is_rung_though_it_answers(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue, "HANGS", timedelta(seconds=2))
    await everybody_here(village)
    case_id = await opened(village)
    await in_hand(village)
    async with watching(village, nats_settings):
        await village.finished(case_id)
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]


async def test_where_a_channel_has_a_queue_a_ring_waits_in_it_however_long(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_away_for(timedelta(minutes=5), monkeypatch)
    monkeypatch.setattr(rescue, "HANGS", timedelta(seconds=2))
    monkeypatch.setattr(watchdog, "QUEUES", timedelta(minutes=5))
    await everybody_here(village)
    case_id, looks = await opened(village), await looks_at(village)
    await in_hand(village)
    await village.case_where(case_id, lambda case: case.alarm.at < now() - rescue.AFTER, "the first to have waited")
    first = CallOutcome(step=0, responder=PersonId("p-0"), channel="webhook", outcome="sent", at=now())
    await CaseDesk(village.log).handle(case_id, RecordCalls(id=CommitId("first"), at=now(), outcomes=(first,)))
    async with watching(village, nats_settings):

        def asked(case: Case) -> bool:
            return all((f"p-{n}", "live") in outcomes(case) for n in range(4))

        await village.case_where(case_id, asked, "the open pages, which no queue holds back, to be asked")
        await looks.some_more()
    assert village.rings() == [[], [], [], []]


async def test_of_a_fan_out_that_takes_nothing_more_what_it_took_is_its_own(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_away_for(timedelta(seconds=2), monkeypatch)
    await everybody_here(village)
    home = await village.roster.household(HOUSEHOLD)
    assert home is not None
    await village.roster.put(replace(home, id=HouseholdId("h-2")), by="test")
    taken = await opened(village)
    await in_hand(village)
    lies = await opened(village, HouseholdId("h-2"))
    looks = await looks_at(village)
    async with watching(village, nats_settings):
        await village.finished(lies)
        await looks.some_more()
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]
    assert not (await village.case(taken)).calls[0, PersonId("p-0")].outcomes


async def test_looks_that_fail_now_and_then_do_not_put_it_off_for_ever(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_away_for(timedelta(seconds=1), monkeypatch)
    seeing, looks = Watchdog._found, 0

    async def found(self: Watchdog) -> list[Incident]:
        nonlocal looks
        looks += 1
        if looks % 3 == 0:
            raise Unavailable("slow for a moment")
        return await seeing(self)

    monkeypatch.setattr(Watchdog, "_found", found)
    case_id = await opened(village)
    await in_hand(village)
    async with watching(village, nats_settings):
        await village.finished(case_id)
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]


async def test_a_ring_that_hangs_holds_back_no_later_ring_of_its_case(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_in, "LIMITS", {"webhook": Limits(seconds=600, budget=600)})
    hanging = village.receivers[0]
    hanging.answer = hanging.hang
    await hurry(village, 1)
    async with watching(village, nats_settings):
        case_id = await village.press()

        def rung_again(case: Case) -> bool:
            return all((1, f"p-{n}") in case.calls and not case.calls[1, PersonId(f"p-{n}")].owed() for n in (1, 2, 3))

        case = await village.case_where(case_id, rung_again, "the second rings of the others")
        assert "webhook" in case.calls[0, PersonId("p-0")].owed()


async def test_a_drill_rings_after_what_is_in_earnest(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are behind one provider with one turn, which a ring of the drill holds; three more wait before the alarm."""
    monkeypatch.setattr(rescue, "AT_ONCE", 2)
    busy = village.receivers[0]
    busy.answer = busy.hang
    await village.settle([(WebhookPoint(url=busy.url, secret=SECRET),)] * 4)
    home = await village.roster.household(HOUSEHOLD)
    assert home is not None
    await village.roster.put(replace(home, id=HouseholdId("h-2")), by="test")

    def waits(case: Case) -> bool:
        return all((f"p-{n}", "live") in outcomes(case) for n in range(4))

    async with watching(village, nats_settings):
        drill = await village.press(drill=True)
        await village.case_where(drill, waits, "the rings of the drill to wait")
        alarm = await village.press(household=HouseholdId("h-2"))
        await village.case_where(alarm, waits, "the rings of the alarm to wait")
        busy.released.set()
        await village.finished(drill)
    assert [json.loads(r.body)["data"]["case"] for r in busy.requests] == [drill, *[alarm] * 4, *[drill] * 3]


async def test_a_subscription_that_is_gone_is_retired(village: Village, nats_settings: Settings) -> None:
    village.receivers[0].answer = status(410)
    await village.settle([(Phone().subscription(village.receivers[0].url),)])
    case_id = await opened(village)
    async with watching(village, nats_settings):
        await village.finished(case_id)
    person = (await village.roster.people([PersonId("p-0")]))[PersonId("p-0")]
    assert [point.retired for point in person.contact_points] == ["subscription gone (HTTP 410)"]


async def test_a_drill_whose_time_is_over_is_ended(village: Village, nats_settings: Settings) -> None:
    at = now()
    drill = Drill(id="d-1", by="op", at=at, until=at + timedelta(seconds=2), kind="help", households=(HOUSEHOLD,))
    await DrillBook(village.nc, village.site).begin(drill)
    press = Press(
        press=PressId(drill.id),
        household=HOUSEHOLD,
        device=f"drill:{drill.id}",
        source="http",
        pressed_at=at,
        drill=True,
    )
    alarm = RaiseAlarm(id=CommitId("press"), at=at, accepted_at=at, press=press)
    case_id = (await CaseDesk(village.log).press(alarm, village.plan)).case.id
    assert case_id == case_of(drill.id, HOUSEHOLD)
    async with watching(village, nats_settings):
        await village.case_where(case_id, lambda case: not case.is_open, "the drill to be over")


async def in_hand(village: Village) -> None:
    """A fan-out that is slow takes the calls in hand."""
    consumed = await village.nc.jetstream().pull_subscribe(
        f"cases.{village.site}.*.*", durable=f"calls-{village.site}", stream=CASES
    )
    await consumed.fetch(1, timeout=5)


async def test_who_is_left_out_is_not_rung(village: Village, nats_settings: Settings) -> None:
    case_id = await opened(village)
    home = await village.roster.household(HOUSEHOLD)
    assert home is not None
    out = LeftOut(person=PersonId("p-0"), by="operator:wang", at=now(), reason="test")
    await village.roster.put(replace(home, left_out=(out,)), by="test")
    async with watching(village, nats_settings):
        await village.case_where(case_id, lambda c: len(outcomes(c)) >= 6, "three to be called")
    assert [len(rings) for rings in village.rings()] == [0, 1, 1, 1]


async def test_who_was_called_by_name_is_rung_though_they_are_left_out(
    village: Village, nats_settings: Settings
) -> None:
    home = await village.roster.household(HOUSEHOLD)
    assert home is not None
    out = LeftOut(person=PersonId("p-0"), by="operator:wang", at=now(), reason="test")
    await village.roster.put(replace(home, left_out=(out,)), by="test")
    case_id = await opened(village)
    asked = PlannedCall(responder=PersonId("p-0"), reasons=(Reason("asked", "operator:wang"),), channels=("webhook",))
    await CaseDesk(village.log).handle(case_id, CallOne(id=CommitId("ask"), at=now(), by="operator:wang", call=asked))
    async with watching(village, nats_settings):
        await village.finished(case_id)
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]


async def test_a_press_that_nobody_takes_becomes_a_case_and_rings_once(
    village: Village, nats_settings: Settings
) -> None:
    pressed = await village.nc.jetstream().pull_subscribe(
        f"intake.press.{village.site}.*", durable=f"test-{village.site}", stream=INTAKE
    )
    async with watching(village, nats_settings):
        case = await village.finished(await village.press())
        (message,) = await pressed.fetch(1, timeout=5)
        press = decode_press(message.subject, message.headers, message.data, message.metadata.timestamp)
        as_the_fan_out = f"press-{press.press}-{message.metadata.timestamp.timestamp():.6f}"
        assert as_the_fan_out in case.commits
        async with working(village, nats_settings):
            await until(lambda: handled(village, INTAKE, "fanout"), "the press")
            await until(lambda: handled(village, CASES, "calls"), "the calls")
    after = await village.case(case.id)
    assert (after.presses, len(after.calls)) == (case.presses, 4)
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]


async def test_what_a_fan_out_had_in_hand_when_it_died_is_taken_and_what_it_had_done_is_not(
    village: Village, nats_settings: Settings
) -> None:
    for number in (2, 3):
        home = Household(
            id=HouseholdId(f"h-{number}"), name="王家", address="14 号", area=AreaId("a-1"), group=GroupId("g-1")
        )
        await village.roster.put(home, by="test")
    done = await village.press()
    config = work_consumer(
        f"fanout-{village.site}", f"intake.press.{village.site}.*", ack_wait=work.ACK_WAIT, max_ack_pending=16
    )
    await village.nc.jetstream().add_consumer(INTAKE, config)
    dead = await village.nc.jetstream().pull_subscribe_bind(f"fanout-{village.site}", stream=INTAKE)
    in_hand = await village.press(household=HouseholdId("h-2"))
    first, _ = await dead.fetch(2, timeout=5)
    await first.ack_sync()  # and there is no case of it: whatever it was, it was dealt with
    behind = await village.press(household=HouseholdId("h-3"))
    async with watching(village, nats_settings):
        await village.finished(in_hand)
        await village.finished(behind)
    assert (await village.case(done)).raised is None
    assert [len(rings) for rings in village.rings()] == [2, 2, 2, 2]


async def test_of_a_fan_out_and_a_watchdog_that_take_a_press_in_the_same_moment_one_opens_the_case(
    village: Village,
) -> None:
    both = asyncio.Barrier(2)

    class Together(Roster):
        """Lets nobody read before both have looked whether there is a case."""

        async def household(self, household: HouseholdId) -> Household | None:
            await both.wait()
            return await super().household(household)

    pressed = await village.nc.jetstream().pull_subscribe(
        f"intake.press.{village.site}.*", durable=f"test-{village.site}", stream=INTAKE
    )
    case_id = await village.press()
    (message,) = await pressed.fetch(1, timeout=5)

    def presses() -> Presses:
        desk = CaseDesk(village.log)
        directory = Directory(Together(village.nc, village.site))
        return Presses(desk, directory, Turns(1), Drills(village.nc, village.site, desk))

    untaken = Untaken(village.nc, village.site, presses())
    async with asyncio.timeout(20):
        await asyncio.gather(presses().handle(message), untaken.take(0, now() + timedelta(seconds=5)))
    commits = await village.log.load(case_id)
    assert [len(commit.events) for commit in commits] == [3], "one commit: the alarm, its policy and the calls"


async def test_what_is_no_press_is_left_to_the_fan_out_and_stops_no_other(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bytes] = []
    taking = Presses.handle

    async def counted(self: Presses, message: Msg) -> None:
        tried.append(message.data)
        await taking(self, message)

    monkeypatch.setattr(Presses, "handle", counted)
    await village.nc.jetstream().publish(f"intake.press.{village.site}.h-1", b"{")
    async with watching(village, nats_settings):
        await village.finished(await village.press())
        later = await village.press(household=HouseholdId("h-9"))
        await village.case_where(later, lambda case: case.raised is not None, "a press that came later")
    assert tried.count(b"{") == 1


async def test_a_press_that_cannot_be_taken_now_is_taken_later(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0
    taking = Presses.handle

    async def later(self: Presses, message: Msg) -> None:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise Unavailable("a message server that changes its leader")
        await taking(self, message)

    monkeypatch.setattr(Presses, "handle", later)
    async with watching(village, nats_settings):
        await village.finished(await village.press())
    assert tried == 2, "once it is taken it is left alone"


async def test_a_provider_that_hangs_holds_back_neither_other_channels_nor_other_providers(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue, "AT_ONCE", 4)
    patient = Limits(seconds=600, budget=600)
    monkeypatch.setattr(stand_in, "LIMITS", {"webhook": patient, "apprise": patient})
    hanging, other = village.receivers[0], village.receivers[1]
    hanging.answer = hanging.hang
    async with messenger() as ntfy:
        of_hanging = WebhookPoint(url=hanging.url, secret=SECRET)
        await village.settle(
            [
                *[(of_hanging, ApprisePoint(url=f"ntfy://{ntfy.host}/topic-{n}")) for n in range(6)],
                (WebhookPoint(url=other.url, secret=SECRET),),
            ]
        )
        await agree(village, PATIENT, at_once=2)
        case_id = await opened(village)
        async with watching(village, nats_settings):

            def recorded(case: Case) -> bool:
                known = outcomes(case)
                return ("p-6", "webhook") in known and all((f"p-{n}", "apprise") in known for n in range(6))

            await village.case_where(case_id, recorded, "everybody but those of the provider that hangs")
            assert len(ntfy.messages) == 6
            assert len(hanging.requests) == 2, "half of the turns"
            hanging.released.set()
            await village.finished(case_id)
    assert len(hanging.requests) == 6


async def test_what_failed_for_now_is_tried_again_and_for_good_the_next_channel_follows(
    village: Village, nats_settings: Settings
) -> None:
    village.receivers[0].answer = status(503, 200)
    village.receivers[1].answer = status(410)
    async with messenger() as ntfy:
        await village.settle(
            [
                (WebhookPoint(url=receiver.url, secret=SECRET), ApprisePoint(url=f"ntfy://{ntfy.host}/topic-{n}"))
                for n, receiver in enumerate(village.receivers)
            ]
        )
        await agree(village, PATIENT)
        async with watching(village, nats_settings):
            case_id = await village.press()
            case = await village.case_where(case_id, lambda c: ("p-1", "apprise") in outcomes(c), "the next channel")
    assert outcomes(case)["p-0", "webhook"] == ("sent", None, 1)
    assert outcomes(case)["p-1", "webhook"] == ("failed", "HTTP 410", 1)
    assert [message.to for message in ntfy.messages] == ["topic-1"]
    assert [len(rings) for rings in village.rings()] == [2, 1, 1, 1]


async def test_what_came_of_a_ring_is_recorded_when_the_log_takes_it_and_the_ring_is_not_made_again(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = 0
    handling = CaseDesk.handle

    async def full(self: CaseDesk, case: CaseId, command: Command) -> Handled:
        nonlocal refused
        if isinstance(command, RecordCalls) and refused < 6:
            refused += 1
            raise Unavailable("the stream is full")
        return await handling(self, case, command)

    monkeypatch.setattr(CaseDesk, "handle", full)
    case_id = await opened(village)
    async with watching(village, nats_settings):
        case = await village.finished(case_id)
    assert refused == 6
    assert outcomes(case)["p-0", "webhook"] == ("sent", None, 1)
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]


async def test_the_call_widens_while_the_fan_out_is_away(village: Village, nats_settings: Settings) -> None:
    await hurry(village, 1)
    async with watching(village, nats_settings):
        case_id = await village.press()
        case = await village.case_where(case_id, lambda c: c.position == 1 and not c.owed(), "the next step")
    assert {step for step, _ in case.calls} == {0, 1}
    assert [len(rings) for rings in village.rings()] == [2, 2, 2, 2]


async def test_who_is_rung_are_those_who_have_not_answered_since_and_may_come(
    village: Village, nats_settings: Settings
) -> None:
    """p-0 answered and p-1 was stood down; p-2 could not come, and an operator called them again all the same."""
    case_id = await opened(village)
    desk = CaseDesk(village.log)
    answers: dict[str, Answer] = {"p-0": "going", "p-2": "cannot"}
    for person, answer in answers.items():
        id_ = CommitId(f"answer-{person}")
        reply = GiveAnswer(id=id_, at=now(), responder=PersonId(person), answer=answer, via="page")
        await desk.handle(case_id, reply)
    down = StandDown(id=CommitId("down"), at=now(), by="operator:wang", responders=(PersonId("p-1"),))
    await desk.handle(case_id, down)
    asked = PlannedCall(responder=PersonId("p-2"), reasons=(Reason("asked", "operator:wang"),), channels=("webhook",))
    await desk.handle(case_id, CallOne(id=CommitId("ask"), at=now(), by="operator:wang", call=asked))
    async with watching(village, nats_settings):
        case = await village.finished(case_id)
    assert [len(rings) for rings in village.rings()] == [0, 0, 1, 1]
    assert outcomes(case)["p-1", "webhook"] == ("failed", NOT_WANTED, 1)


async def test_every_contact_point_rings(village: Village, nats_settings: Settings) -> None:
    """The first may be an old machine's that takes everything."""
    old, new = village.receivers[:2]
    await village.settle([(WebhookPoint(url=old.url, secret=SECRET), WebhookPoint(url=new.url, secret=SECRET))])
    old.answer = status(410)
    case_id = await opened(village)
    async with watching(village, nats_settings):
        case = await village.finished(case_id)
    assert [len(rings) for rings in village.rings()[:2]] == [1, 1]
    assert outcomes(case)["p-0", "webhook"] == ("sent", None, 1)


async def test_who_could_not_hear_does_not_ring_at_once(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message server was away, and the fan-out, which is well, answers a moment later than the log."""
    away = timedelta(seconds=3)
    be_away_for(away, monkeypatch)
    hears, sees, over = True, True, False

    async def here(message: Msg) -> None:
        if hears:
            await message.respond(b"{}")

    async def looked(_message: Msg) -> None:
        nonlocal hears
        hears = hears or over

    for role in ("fanout", "serve", "project"):
        await village.nc.subscribe(ping_subject(nats_settings.site, role), cb=here)
    await village.nc.subscribe(looked_subject(nats_settings.site), cb=looked)
    case_id, looks = await opened(village), await looks_at(village)
    await in_hand(village)
    seeing = Watchdog._found

    async def found(self: Watchdog) -> list[Incident]:
        if not sees:
            raise Unavailable("the message server is away")
        return await seeing(self)

    monkeypatch.setattr(Watchdog, "_found", found)
    async with watching(village, nats_settings):
        await looks.some_more()
        hears = sees = False
        await asyncio.sleep(away.total_seconds() + 0.5)
        sees = over = True
        await looks.some_more()
    assert village.rings() == [[], [], [], []]
    assert (await village.case(case_id)).owed()


async def test_what_was_asked_for_after_the_fan_out_had_gone_is_rung_at_once_and_the_rest_when_it_would_be_done(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue, "AFTER", timedelta(hours=1))
    neighbours = Household(
        id=HouseholdId("h-2"), name="王家", address="14 号", area=AreaId("a-1"), group=GroupId("g-1")
    )
    await village.roster.put(neighbours, by="test")
    before = await opened(village)
    async with watching(village, nats_settings):
        await village.finished(await village.press(household=neighbours.id))
    assert (await village.case(before)).owed()
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]


async def test_a_fan_out_that_answers_and_does_nothing_is_stood_in_for(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_away_for(timedelta(seconds=2), monkeypatch)
    await everybody_here(village)
    async with watching(village, nats_settings):
        await village.finished(await village.press())
    assert [len(rings) for rings in village.rings()] == [1, 1, 1, 1]


async def test_work_that_is_old_when_all_come_back_is_left_to_the_fan_out_for_a_while(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_away_for(timedelta(minutes=5), monkeypatch)
    await everybody_here(village)
    case_id, looks = await opened(village), await looks_at(village)
    pressed = await village.press(household=HouseholdId("h-2"))
    await village.case_where(case_id, lambda case: case.alarm.at < now() - rescue.AFTER, "the calls to be overdue")

    async with watching(village, nats_settings, clock=lambda: now() + timedelta(hours=1)):
        await looks.some_more()
    assert village.rings() == [[], [], [], []]
    assert (await village.case(pressed)).raised is None


async def test_what_the_fan_out_has_made_meanwhile_is_not_rung(
    village: Village, nats_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue, "AT_ONCE", 2)
    busy = village.receivers[0]
    busy.answer = busy.hang
    await village.settle([(WebhookPoint(url=busy.url, secret=SECRET),)] * 4)
    case_id, looks = await opened(village), await looks_at(village)

    async def held() -> bool:
        return len(busy.requests) == 1

    async with watching(village, nats_settings):
        await until(held, "the first ring")
        await settle_up(village, case_id)
        busy.released.set()
        await looks.some_more()
    assert len(busy.requests) == 1


@pytest.mark.parametrize("hand", [watching, working], ids=["rescue", "fan-out"])
async def test_a_silent_press_before_the_calls_are_made_keeps_the_phones_at_home_silent(
    village: Village, nats_settings: Settings, hand: Hand
) -> None:
    """The loud press's plan, with whoever lives there, is on the log already; an operator calls one of them by name."""
    known = await village.roster.household(HOUSEHOLD)
    assert known is not None
    await village.roster.put(replace(known, residents=(PersonId("p-0"), PersonId("p-1"))), by="test")
    case_id, desk = await opened(village), CaseDesk(village.log)
    await desk.press(silent_press(), village.plan)
    named = PlannedCall(responder=PersonId("p-1"), reasons=(Reason("asked", "operator:wang"),), channels=("webhook",))
    await desk.handle(case_id, CallOne(id=CommitId("named"), at=now(), by="operator:wang", call=named))
    async with hand(village, nats_settings):
        case = await village.finished(case_id)
    calls = {key: call for key, call in case.calls.items() if key[0] in {0, 2}}
    assert {key: call.outcomes["webhook"].reason for key, call in calls.items()} == {
        (0, "p-0"): AT_HOME, (0, "p-1"): AT_HOME, (0, "p-2"): None, (0, "p-3"): None, (2, "p-1"): None,
    }  # fmt: skip
    assert [len(rings) for rings in village.rings()][:2] == [0, 1]
    assert not follows(case)
