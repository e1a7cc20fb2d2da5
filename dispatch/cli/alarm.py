"""`dispatch alarm`: press a household's key from the command line."""

from __future__ import annotations

import asyncio
import getpass
import os
import secrets
import shlex
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from difflib import get_close_matches
from typing import Annotated

import msgspec
import typer
from nats.aio.client import Client
from rich.console import Console

from dispatch.cases import Case
from dispatch.cli.following import Fact, answer, commits_of, facts, is_helped, line
from dispatch.cli.stopped import stopped
from dispatch.clock import now
from dispatch.errors import NotFound
from dispatch.events import AlarmRaised, Event, Kind, Press, PressedAgain, connect
from dispatch.identifiers import CaseId, HouseholdId, PersonId, PressId
from dispatch.intake import Accepted, IntakeDesk
from dispatch.roster import Household, Roster
from dispatch.settings import Settings, load_settings
from dispatch.telemetry import configure_command

NOBODY_CAME = 3
CASE_SECONDS = 5.0
"""How long one waits for the case of a press; a fan-out at work has it in a fraction of that."""
HINT_SECONDS = 5.0
NOT_YET = (
    "Stored, but not on a case yet: either no fan-out worker is running (`dispatch doctor` tells), "
    "or this was one of very many presses."
)
DRILL_PASSED_OVER = "A drill leaves no trace on a real case: `dispatch case list` tells whether this household has one."
LOOKED_THROUGH = 20_000
"""Households that are looked through for one that may have been meant."""


def register(app: typer.Typer) -> None:
    app.command("alarm")(alarm)


def alarm(
    household: Annotated[str, typer.Argument(help="The household's id, as in the roster.")],
    *,
    kind: Annotated[Kind, typer.Option(help="What it is about.")] = "help",
    silent: Annotated[bool, typer.Option("--silent", help="Whoever comes should come quietly.")] = False,
    drill: Annotated[bool, typer.Option("--drill", help="The real way of an alarm, marked as a drill.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Show what happens until somebody comes.")] = False,
    press_id: Annotated[
        str | None, typer.Option("--press", help="Send an earlier press again: it stays one press.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print for a machine; with --wait one object a line.")
    ] = False,
) -> None:
    """Press the key of a household / 一键报警.

    Says which case the press is on, when a fan-out worker has it within five seconds (with --json: `case`,
    null when not). The alarm is accepted in either event.

    Exit codes: 0 accepted (with --wait: somebody comes); 1 not accepted; 2 wrong usage;
    3 the case ended and nobody had said that they come.

    Examples:

      dispatch alarm h-0012 --kind fire

      dispatch alarm h-0012 --drill --wait

      dispatch alarm h-0012 --json
    """
    press = Press(
        press=PressId(press_id or secrets.token_hex(8)),
        household=HouseholdId(household),
        device=f"cli-{_user()}",
        source="cli",
        pressed_at=now(),
        kind=kind,
        silent=silent,
        drill=drill,
    )
    settings = load_settings()
    configure_command(settings)
    pressing = _Alarm(settings, press, as_json=as_json)
    with stopped(pressing.after_stop):
        code = asyncio.run(pressing.send(wait=wait))
    raise typer.Exit(code)


class _Alarm:
    def __init__(self, settings: Settings, press: Press, *, as_json: bool) -> None:
        self._settings, self._press, self._as_json = settings, press, as_json
        self._out, self._err = Console(highlight=False, soft_wrap=True), Console(stderr=True, soft_wrap=True)
        self._names: dict[PersonId, str] = {}
        self._accepted = False

    def after_stop(self) -> str:
        """What Ctrl-C has left: not the alarm was stopped, but this command."""
        if self._accepted:
            return "报警照常进行 The alarm goes on: `dispatch case list` shows it, `dispatch case cancel` ends it."
        again = _command(self._press)
        return f"不清楚是否已受理 Whether it was accepted is not known; `{again}` sends it again, as one press."

    async def send(self, *, wait: bool) -> int:
        nc = await connect(self._settings.require_nats(), "alarm")
        try:
            roster = Roster(nc, self._settings.site)
            household = await _find(roster, self._press.household)
            accepted = await IntakeDesk(nc, self._settings.site).accept(self._press)
            self._accepted = True
            if wait:
                self._say_accepted(household, accepted)
                return await self._wait(nc, roster)
            await self._say_accepted_and_case(nc, household, accepted)
            return 0
        finally:
            await nc.close()

    def _say_accepted(self, household: Household, accepted: Accepted) -> None:
        if self._as_json:
            self._print(msgspec.structs.asdict(accepted))
            return
        again = "，此前已收到 (received before)" if accepted.duplicate else ""
        drill = "【演练 DRILL】" if self._press.drill else ""
        self._out.print(f"{drill}已受理 Accepted: {household.name} ({household.id}){again}", markup=False)
        self._out.print(f"按键 press: {accepted.press}", markup=False)

    async def _say_accepted_and_case(self, nc: Client, household: Household, accepted: Accepted) -> None:
        if self._as_json:
            self._print({**msgspec.structs.asdict(accepted), "case": await self._case(nc)})
            return
        self._say_accepted(household, accepted)
        case = await self._case(nc)
        if case is None:
            self._err.print(_not_yet(self._press), style="yellow")
            self._out.print("跟进 follow it: dispatch case list")
        else:
            self._out.print(f"警情 case: {case}\n跟进 follow it: dispatch case show {case}", markup=False)

    async def _case(self, nc: Client) -> CaseId | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CASE_SECONDS):
                async for case, _ in commits_of(nc, self._settings.site, self._press):
                    return case.id
        return None

    async def _wait(self, nc: Client, roster: Roster) -> int:
        seen: Case | None = None
        async with self._hint() as found:
            async for case, commit in commits_of(nc, self._settings.site, self._press):
                if seen is None:
                    found.set()
                    await self._learn(roster, case)
                    self._say_case(case)
                for event in commit.events:
                    await self._say(roster, case, event)
                seen = case
                if is_helped(case) or not case.is_open:
                    return 0 if is_helped(case) else NOBODY_CAME
        raise AssertionError("the log is followed for ever")

    @asynccontextmanager
    async def _hint(self) -> AsyncIterator[asyncio.Event]:
        found = asyncio.Event()

        def tell() -> None:
            if not found.is_set():
                words = f"{_not_yet(self._press)} Still waiting; Ctrl-C ends the waiting, not the alarm."
                self._err.print(words, style="yellow")

        timer = asyncio.get_running_loop().call_later(HINT_SECONDS, tell)
        try:
            yield found
        finally:
            timer.cancel()

    def _say_case(self, case: Case) -> None:
        """What was known before this press: an alarm may have been running already."""
        if self._as_json:
            self._print({"event": "case", "case": case.id, "presses": len(case.presses)})
        else:
            self._out.print(f"警情 case: {case.id}", markup=False)
        if case.presses[0] != self._press.press:
            for responder, reply in case.replies.items():
                self._say_fact(answer(responder, reply.answer, reply.at, reply.eta_minutes))

    async def _say(self, roster: Roster, case: Case, event: Event) -> None:
        if isinstance(event, AlarmRaised | PressedAgain):
            return
        await self._learn(roster, case)
        for fact in facts(event):
            self._say_fact(fact)

    def _say_fact(self, fact: Fact) -> None:
        if self._as_json:
            self._print(fact)
        else:
            self._out.print(line(fact, self._names), markup=False)

    async def _learn(self, roster: Roster, case: Case) -> None:
        unknown = case.called() - self._names.keys()
        if unknown:
            people = await roster.people(unknown)
            self._names |= {id_: people[id_].name if id_ in people else "" for id_ in unknown}

    def _print(self, value: object) -> None:
        typer.echo(msgspec.json.encode(value).decode())


def _not_yet(press: Press) -> str:
    return f"{NOT_YET} {DRILL_PASSED_OVER}" if press.drill else NOT_YET


def _command(press: Press) -> str:
    """What is typed in a shell to send just this press."""
    words = ["dispatch", "alarm", press.household, "--press", press.press]
    if press.kind != "help":
        words += ["--kind", press.kind]
    words += [f"--{name}" for name, said in (("silent", press.silent), ("drill", press.drill)) if said]
    return shlex.join(words)


async def _find(roster: Roster, household: HouseholdId) -> Household:
    found = await roster.household(household)
    if found is not None:
        return found
    near = await _near(roster, household)
    meant = f"; did you mean {', '.join(near)}?" if near else "; `dispatch roster list household` shows those there are"
    raise NotFound(
        f"household {household[:80]!r} is not in the roster of site {roster.site!r}{meant}", field="household"
    )


async def _near(roster: Roster, wanted: str) -> list[str]:
    names: dict[str, str] = {}
    async with aclosing(roster.as_read("household")) as documents:
        async for document in documents:
            if isinstance(document, Household):
                names[document.id] = document.name
            if len(names) >= LOOKED_THROUGH:
                break
    called = [id_ for id_, name in names.items() if wanted and wanted in name]
    close = dict.fromkeys([*called[:3], *get_close_matches(wanted, names, n=3)])
    return [f"{id_} ({names[id_]})" for id_ in list(close)[:5]]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
