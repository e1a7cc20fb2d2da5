"""The desk on a real nats-server: which case a press belongs to, and what several desks do to one case."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest
from nats.aio.client import Client

from dispatch.cases import (
    AddNote,
    Cancel,
    CaseDesk,
    GiveAnswer,
    Handled,
    Plan,
    RaiseAlarm,
    RecordCalls,
    Resolve,
    SignalDuress,
)
from dispatch.clock import now
from dispatch.events import (
    CallOutcome,
    CaseLog,
    Commit,
    PlannedCall,
    Press,
    Reason,
    RespondersCalled,
)
from dispatch.identifiers import AreaId, CaseId, CommitId, GroupId, HouseholdId, PersonId, PressId

pytestmark = pytest.mark.embedded

HOUSEHOLD = HouseholdId("h-1")


async def plan(_press: Press) -> Plan:
    call = PlannedCall(responder=PersonId("anna"), reasons=(Reason("member", "g"),), channels=("live",))
    return Plan(group=GroupId("g"), areas=(AreaId("v"),), calls=(call,))


def press(name: str, *, drill: bool = False) -> RaiseAlarm:
    at = now()
    pressed = Press(press=PressId(name), household=HOUSEHOLD, device="key", source="http", pressed_at=at, drill=drill)
    return RaiseAlarm(id=CommitId(f"press-{name}"), at=at, accepted_at=at, press=pressed)


async def test_what_another_carried_out_meanwhile_is_known_with_all_that_came_before_it(
    nc: Client, log: CaseLog
) -> None:
    """Else the process goes on with a case in which that never happened, and decides it once more."""
    desk, other = CaseDesk(log), CaseDesk(CaseLog(nc, log.site))
    case = (await desk.press(press("p"), plan)).case.id
    first, second = (AddNote(id=CommitId(name), at=now(), author="op", text=name) for name in ("first", "second"))
    await other.handle(case, first)
    await other.handle(case, second)
    assert [note.text for note in (await desk.handle(case, second)).case.notes] == ["first", "second"]
    remembered = desk.remembered(case)
    assert remembered is not None
    assert [note.text for note in remembered.notes] == ["first", "second"]


@pytest.mark.parametrize("body", [b"garbage", b'{"events":[]}', b'{"events":[{"type":"case_paused.v1"}]}'])
async def test_a_message_that_is_no_commit_stops_nobody(log: CaseLog, nc: Client, body: bytes) -> None:
    desk = CaseDesk(log)
    case = (await desk.press(press("p"), plan)).case.id
    await nc.jetstream().publish(f"cases.{log.site}.{HOUSEHOLD}.{case}", body, headers={"ce-id": "x"})
    for somebody in (desk, CaseDesk(log)):
        note = AddNote(id=CommitId(f"n{id(somebody)}"), at=now(), author="op", text="x")
        await somebody.handle(case, note)
    await nc.jetstream().publish(f"cases.{log.site}.{HOUSEHOLD}.{case}", body, headers={"ce-id": "y"})
    assert (await desk.press(press("again"), plan)).case.id == case
    assert len((await CaseDesk(log).load(case)).notes) == 2


async def test_many_presses_at_once_by_several_workers_open_one_case(log: CaseLog, nc: Client) -> None:
    workers = [CaseDesk(CaseLog(nc, log.site)) for _ in range(4)]
    handled = await asyncio.gather(*(workers[n % 4].press(press(f"p{n}"), plan) for n in range(12)))
    assert len({h.case.id for h in handled}) == 1
    case = await CaseDesk(log).load(handled[0].case.id)
    assert sorted(case.presses) == sorted(f"p{n}" for n in range(12))
    assert len(case.calls) == 1, "everybody was called once"


async def test_a_button_with_a_poor_memory_is_heard_again(log: CaseLog) -> None:
    desk = CaseDesk(log)
    first = await desk.press(press("b7f3"), plan)
    await desk.handle(first.case.id, Resolve(id=CommitId("over"), at=now(), by="op", resolution="helped"))
    assert (await desk.press(press("b7f3"), plan)).events == (), "soon after, it is the same press sent again"
    later = press("b7f3")
    later = msgspec.structs.replace(later, id=CommitId("later"), accepted_at=later.accepted_at + timedelta(hours=1))
    second = await desk.press(later, plan)
    assert second.case.id != first.case.id
    assert second.case.is_open
    assert (await CaseDesk(log).press(later, plan)).events == (), "delivered again it opens no third"


async def test_a_press_of_an_older_case_sent_again_opens_none(log: CaseLog) -> None:
    desk = CaseDesk(log)
    first = (await desk.press(press("first"), plan)).case.id
    await desk.press(press("again"), plan)
    await desk.handle(first, Resolve(id=CommitId("over"), at=now(), by="op", resolution="helped"))
    second = (await desk.press(press("second"), plan)).case.id
    await desk.handle(second, Resolve(id=CommitId("over"), at=now(), by="op", resolution="helped"))
    for name in ("first", "again", "second"):
        retried = msgspec.structs.replace(press(name), id=CommitId(f"retried-{name}"))
        assert (await CaseDesk(log).press(retried, plan)).events == ()
    assert await log.cases_since(HOUSEHOLD, now() - timedelta(minutes=1)) == [first, second]


async def test_an_id_used_again_on_a_case_that_nobody_closed_is_heard(log: CaseLog) -> None:
    desk = CaseDesk(log)
    case = (await desk.press(press("b7f3"), plan)).case.id
    later = press("b7f3")
    later = msgspec.structs.replace(later, id=CommitId("later"), accepted_at=later.accepted_at + timedelta(days=1))
    handled = await desk.press(later, plan)
    assert (handled.case.id, handled.case.last_step) == (case, 1), "everybody is called again"


async def test_a_command_that_another_process_carried_out_is_told_as_it_was(log: CaseLog, nc: Client) -> None:
    one, other = CaseDesk(log), CaseDesk(CaseLog(nc, log.site))
    case = (await one.press(press("p"), plan)).case.id
    await other.load(case)
    for text in ("first", "between"):
        await one.handle(case, AddNote(id=CommitId(text), at=now(), author="op", text=text))
    handled = await other.handle(case, AddNote(id=CommitId("first"), at=now(), author="op", text="second"))
    assert handled.events == ()
    for seen in (handled.case, await other.load(case)):
        assert [note.text for note in seen.notes] == ["first", "between"]


async def test_a_real_press_under_the_id_of_a_drill_is_heard(log: CaseLog) -> None:
    desk = CaseDesk(log)
    drill = (await desk.press(press("d1", drill=True), plan)).case.id
    real = (await desk.press(press("d1"), plan)).case
    assert real.id != drill
    assert (real.is_open, real.alarm.drill) == (True, False)


async def test_after_the_end_a_new_press_opens_a_new_case_and_an_old_one_nothing(log: CaseLog) -> None:
    desk = CaseDesk(log)
    first = (await desk.press(press("first"), plan)).case.id
    await desk.handle(first, Resolve(id=CommitId("over"), at=now(), by="op", resolution="helped"))
    second = (await desk.press(press("second"), plan)).case.id
    assert second != first
    assert (await desk.load(second)).is_open
    await desk.handle(second, Resolve(id=CommitId("over"), at=now(), by="op", resolution="helped"))
    for again in ("first", "second"):
        handled: Handled = await CaseDesk(log).press(press(again), plan)
        assert handled.events == ()
        assert handled.case.status == "resolved"


async def test_the_last_words_on_a_case_that_is_over_do_not_hide_the_open_one(log: CaseLog, nc: Client) -> None:
    """A receipt or a note that comes late must not make the household look as if it had no open case."""
    desk, other = CaseDesk(log), CaseDesk(CaseLog(nc, log.site))
    first = (await desk.press(press("first"), plan)).case.id
    await desk.handle(first, Resolve(id=CommitId("over"), at=now(), by="op", resolution="helped"))
    second = (await desk.press(press("second"), plan)).case.id
    late = [AddNote(id=CommitId(f"late-{number}"), at=now(), author="op", text="late") for number in range(6)]
    await asyncio.gather(*((desk, other)[number % 2].handle(first, note) for number, note in enumerate(late)))
    assert len((await CaseDesk(log).load(first)).notes) == len(late)
    for somebody, name in ((desk, "third"), (other, "fourth"), (CaseDesk(log), "fifth")):
        assert (await somebody.press(press(name), plan)).case.id == second
        await desk.handle(first, AddNote(id=CommitId(f"after-{name}"), at=now(), author="op", text="late"))
    head = await log.head(HOUSEHOLD)
    assert head is not None
    assert head.case == second


async def test_what_goes_on_under_duress_does_not_hide_the_case_that_was_opened_beside_it(
    log: CaseLog, nc: Client
) -> None:
    """Two processes go on writing on the first case; the household's next press belongs to the second."""
    desk, other = CaseDesk(log), CaseDesk(CaseLog(nc, log.site))
    first = (await desk.press(press("first"), plan)).case.id
    await other.load(first)
    await desk.handle(first, SignalDuress(id=CommitId("duress"), at=now(), by=f"device:{HOUSEHOLD}"))
    second = (await desk.press(press("second"), plan)).case
    assert (second.id != first, second.beside) == (True, first)
    late = [AddNote(id=CommitId(f"late-{number}"), at=now(), author="op", text="late") for number in range(6)]
    await asyncio.gather(*((desk, other)[number % 2].handle(first, note) for number, note in enumerate(late)))
    assert len((await CaseDesk(log).load(first)).notes) == len(late)
    for somebody, name in ((desk, "third"), (other, "fourth"), (CaseDesk(log), "fifth")):
        assert (await somebody.press(press(name), plan)).case.id == second.id
        await desk.handle(first, AddNote(id=CommitId(f"after-{name}"), at=now(), author="op", text="late"))
    await desk.handle(second.id, Cancel(id=CommitId("over"), at=now(), by=f"device:{HOUSEHOLD}"))
    assert (await desk.press(press("first"), plan)).events == (), "a press that the first case has opens nothing"
    assert (await desk.press(press("sixth"), plan)).case.beside == first, "which still goes on"
    await desk.handle(first, Resolve(id=CommitId("over"), at=now(), by="op", resolution="helped"))


class BehindOnce(CaseLog):
    """A log of which the first load is answered by a replica that has nothing yet."""

    behind = True

    async def load(self, case: CaseId, *, after: int = 0) -> list[Commit]:
        behind, self.behind = self.behind, False
        return [] if behind else await super().load(case, after=after)


async def test_a_replica_that_is_behind_hides_no_open_case(log: CaseLog, nc: Client) -> None:
    opened = (await CaseDesk(log).press(press("first"), plan)).case.id
    handled = await CaseDesk(BehindOnce(nc, log.site)).press(press("second"), plan)
    assert handled.case.id == opened


async def test_a_real_press_during_a_drill_ends_it_and_opens_a_case_of_its_own(log: CaseLog) -> None:
    desk = CaseDesk(log)
    drill = (await desk.press(press("exercise", drill=True), plan)).case.id
    real = (await desk.press(press("real"), plan)).case
    assert real.id != drill
    assert (real.is_open, real.alarm.drill, len(real.calls)) == (True, False, 1)
    ended = await CaseDesk(log).load(drill)
    assert (ended.status, ended.closing.by) == ("cancelled", "system")  # type: ignore[union-attr]


async def test_two_desks_on_one_case_lose_no_command(log: CaseLog, nc: Client) -> None:
    desks = [CaseDesk(CaseLog(nc, log.site)) for _ in range(3)]
    case = (await desks[0].press(press("p"), plan)).case.id

    async def answer(number: int) -> None:
        command = GiveAnswer(
            id=CommitId(f"a{number}"), at=now(), responder=PersonId("anna"), answer="going", via="page",
            eta_minutes=number,
        )  # fmt: skip
        await desks[number % 3].handle(case, command)

    await asyncio.gather(*(answer(number) for number in range(15)))
    assert len((await desks[0].load(case)).reply_ids) == 15


async def test_a_desk_with_an_old_memory_refuses_nobody_and_drops_nothing(log: CaseLog, nc: Client) -> None:
    old, other = CaseDesk(log), CaseDesk(CaseLog(nc, log.site))
    case = (await old.press(press("p"), plan)).case.id
    late = PlannedCall(responder=PersonId("late"), reasons=(Reason("station", "v"),), channels=("webhook",))
    called = RespondersCalled(at=now(), step=1, calls=(late,))
    known = await other.load(case)
    await log.append(case, [called], commit=CommitId("step-1"), at=now(), after=known.seq)
    sent = CallOutcome(step=1, responder=PersonId("late"), channel="webhook", outcome="sent", at=now())
    await old.handle(case, RecordCalls(id=CommitId("sent"), at=now(), outcomes=(sent,)))
    going = GiveAnswer(id=CommitId("a"), at=now(), responder=PersonId("late"), answer="going", via="page")
    answered = await CaseDesk(log).handle(case, going)
    assert answered.case.calls[1, PersonId("late")].outcomes["webhook"] == sent
    assert (await old.load(case)).status == "under_way"
