"""`dispatch alarm` as a process of its own, on a real nats-server."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from dispatch.cases import CaseDesk, GiveAnswer, Plan, RaiseAlarm, RecordCalls, Resolve
from dispatch.clock import now
from dispatch.events import (
    INTAKE,
    Answer,
    CallOutcome,
    CaseLog,
    PlannedCall,
    Press,
    Reason,
    decode_press,
    follow,
    press_subject,
)
from dispatch.identifiers import AreaId, CaseId, CommitId, HouseholdId, PersonId
from dispatch.roster import Household, Person, Roster
from dispatch.settings import Settings
from tests import commands

HOME = Household(id=HouseholdId("h-0012"), name="茅州村 李家", address="12", area=AreaId("maozhou"))
NEIGHBOUR = PersonId("p-1")


Command = asyncio.Task[tuple[int, str, str]]
"""Its exit code, output and errors, in the end."""


class CommandLine:
    """`dispatch` on the servers and the site of one test."""

    def __init__(self, settings: Settings, data: Path, nc: Client) -> None:
        self.nc, self.site = nc, settings.site
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_")},
            "DISPATCH_SITE": settings.site,
            "DISPATCH_NATS_URL": settings.require_nats(),
            "DISPATCH_DATA": str(data),
            "TZ": "UTC",
        }

    def start(self, *arguments: str) -> Command:
        """A command that runs while the test goes on."""
        return asyncio.create_task(commands.dispatch(*arguments, env=self._environment))

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        code, out, err = await commands.dispatch(*arguments, env=self._environment)
        return code, out, " ".join(err.split())

    async def press(self) -> Press:
        """The next press of the household."""
        async for message in follow(self.nc, INTAKE, press_subject(self.site, HOME.id)):
            return decode_press(message.subject, message.headers, message.data, message.metadata.timestamp)
        raise AssertionError


@pytest.fixture
async def dispatch(nats_settings: Settings, nc: Client, tmp_path: Path) -> CommandLine:
    roster = Roster(nc, nats_settings.site)
    await roster.put(HOME, by="test")
    await roster.put(Person(id=NEIGHBOUR, name="李四"), by="test")
    return CommandLine(nats_settings, tmp_path, nc)


async def test_a_press_from_the_command_line_is_stored(dispatch: CommandLine) -> None:
    pressing = dispatch.start("alarm", "h-0012", "--kind", "fire", "--silent", "--drill", "--json")
    press = await dispatch.press()
    again = dispatch.start("alarm", "h-0012", "--drill", "--press", press.press)
    in_earnest = dispatch.start("alarm", "h-0012")
    (accepted,) = await told(pressing)
    assert (accepted["household"], accepted["duplicate"], accepted["case"]) == ("h-0012", False, None)
    assert press.press == accepted["press"]
    assert (press.kind, press.silent, press.drill, press.source) == ("fire", True, True, "cli")
    assert press.device.startswith("cli-")

    code, out, err = await again
    assert code == 0
    assert "not on a case yet" in " ".join(err.split())
    assert "A drill leaves no trace on a real case" in " ".join(err.split())
    assert "dispatch case list" in out
    assert "received before" in out
    assert "茅州村 李家" in out
    _, _, err = await in_earnest
    assert ("not on a case yet" in " ".join(err.split()), "drill" in err) == (True, False)


async def test_a_press_says_on_which_case_it_is_and_how_to_follow_it(dispatch: CommandLine) -> None:
    pressing = dispatch.start("alarm", "h-0012")
    case = await worked_on(dispatch)
    code, out, err = await pressing
    assert (code, err) == (0, "")
    assert f"警情 case: {case}\n" in out
    assert f"dispatch case show {case}\n" in out


async def test_a_press_that_joined_a_case_names_it_to_a_machine(dispatch: CommandLine) -> None:
    first = dispatch.start("alarm", "h-0012", "--press", "first")
    case = await worked_on(dispatch)
    await first
    joining = dispatch.start("alarm", "h-0012", "--json", "--press", "second")
    await joined(dispatch, "second")
    (told_once,) = await told(joining)
    assert (told_once["press"], told_once["case"]) == ("second", case)


@pytest.mark.parametrize(
    ("wanted", "near"), [("h-0021", "h-0012 (茅州村 李家)"), ("李家", "h-0012 (茅州村 李家)"), ("zz", "")]
)
async def test_a_household_that_is_not_there_is_named_with_those_near(
    dispatch: CommandLine, wanted: str, near: str
) -> None:
    code, out, err = await dispatch.run("alarm", wanted)
    assert (code, out) == (1, "")
    assert wanted in err
    assert ("did you mean" in err) == bool(near)
    assert near in err
    assert ("`dispatch roster list household`" in err) != bool(near)
    info = await dispatch.nc.jetstream().stream_info(INTAKE, subjects_filter=press_subject(dispatch.site, "*"))
    assert not info.state.subjects


async def test_waiting_shows_each_outcome_and_ends_when_somebody_comes(dispatch: CommandLine) -> None:
    waiting = dispatch.start("alarm", "h-0012", "--wait", "--json")
    case = await worked_on(dispatch, "cannot", "going")
    lines = await told(waiting)
    assert [line.get("event") for line in lines] == [None, "case", "called", "delivered", "cannot", "going"]
    assert lines[1]["case"] == case
    assert (lines[3]["responder"], lines[3]["channel"]) == (NEIGHBOUR, "webpush")
    assert lines[5]["eta_minutes"] == 5


async def test_waiting_on_a_case_that_is_closed_with_nobody_coming_says_so(dispatch: CommandLine) -> None:
    waiting = dispatch.start("alarm", "h-0012", "--wait")
    case = await worked_on(dispatch, "cannot")
    desk = CaseDesk(CaseLog(dispatch.nc, dispatch.site))
    await desk.handle(case, Resolve(id=CommitId("over"), at=now(), by="op-1", resolution="other"))
    code, shown, _ = await waiting
    assert code == 3
    for words in (case, "李四 (p-1)", "已送达", "webpush", "无法前往", "已结案", "op-1"):
        assert words in shown, words


async def test_a_press_on_a_case_to_which_somebody_comes_already_ends_at_once(dispatch: CommandLine) -> None:
    first = dispatch.start("alarm", "h-0012", "--press", "first")
    case = await worked_on(dispatch, "going")
    await first
    waiting = dispatch.start("alarm", "h-0012", "--wait", "--json", "--press", "second")
    await joined(dispatch, "second")
    lines = await told(waiting)
    assert (lines[1]["case"], lines[1]["presses"]) == (case, 2)
    assert lines[2]["event"] == "going"


async def told(waiting: Command) -> list[dict[str, Any]]:
    code, out, err = await waiting
    assert (code, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


async def worked_on(dispatch: CommandLine, *answers: Answer) -> CaseId:
    """What a worker and a responder would do with the next press: call, deliver, answer."""
    desk = CaseDesk(CaseLog(dispatch.nc, dispatch.site))
    press = await dispatch.press()
    case = (await desk.press(raised(press), plan)).case.id
    delivered = CallOutcome(step=0, responder=NEIGHBOUR, channel="webpush", outcome="delivered", at=now())
    await desk.handle(case, RecordCalls(id=CommitId("calls"), at=now(), outcomes=(delivered,)))
    for answer in answers:
        eta = 5 if answer == "going" else None
        given = GiveAnswer(
            id=CommitId(answer), at=now(), responder=NEIGHBOUR, answer=answer, via="page", eta_minutes=eta
        )
        await desk.handle(case, given)
    return case


async def joined(dispatch: CommandLine, press_id: str) -> None:
    """What a worker does with the press of that id."""
    async for message in follow(dispatch.nc, INTAKE, press_subject(dispatch.site, HOME.id)):
        press = decode_press(message.subject, message.headers, message.data, message.metadata.timestamp)
        if press.press == press_id:
            await CaseDesk(CaseLog(dispatch.nc, dispatch.site)).press(raised(press), plan)
            return


def raised(press: Press) -> RaiseAlarm:
    return RaiseAlarm(id=CommitId(f"press-{press.press}"), at=now(), press=press, accepted_at=now())


async def plan(_: Press) -> Plan:
    call = PlannedCall(responder=NEIGHBOUR, reasons=(Reason("member", "g-1"),), channels=("webpush",))
    return Plan(group=None, areas=(), calls=(call,))
