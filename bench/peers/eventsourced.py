"""The case of `one_case` as an aggregate of the library `eventsourcing`, kept by its own recorders."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from bench.one_case import PLAN, commands_of
from dispatch.cases import AddNote, Command, GiveAnswer, RaiseAlarm, RecordCalls, Resolve
from dispatch.identifiers import HouseholdId

_NAMES = UUID("7d3c5a52-6f0e-4c5b-9a2f-0d1f5a3f6f11")
Calls = list[dict[str, object]]
CALLS: Calls = [
    {"responder": call.responder, "reasons": [[why.role, why.of] for why in call.reasons], "channels": [*call.channels]}
    for call in PLAN.calls
]


class Refused(Exception):
    """As our decisions refuse: what is said of a case that is over, or by somebody who was not called."""


class PeerCase(Aggregate):
    @event("Raised")
    def __init__(self, press: str, household: str, calls: Calls) -> None:
        self.household, self.presses = household, [press]
        self.calls = {str(call["responder"]): call for call in calls}
        self.outcomes: dict[str, str] = {}
        self.answers: dict[str, tuple[str, int | None]] = {}
        self.notes: list[str] = []
        self.closing: tuple[str, str] | None = None

    @staticmethod
    def create_id(press: str, household: str) -> UUID:
        return uuid5(_NAMES, f"{household}/{press}")

    def press_again(self, press: str) -> None:
        if self.closing is None and press not in self.presses:
            self._pressed(press)

    @event("Pressed")
    def _pressed(self, press: str) -> None:
        self.presses.append(press)

    @event("CallsRecorded")
    def record(self, outcomes: dict[str, str]) -> None:
        self.outcomes.update(outcomes)

    def answer(self, responder: str, answer: str, eta_minutes: int | None = None) -> None:
        if responder not in self.calls:
            raise Refused(f"{responder} was not called")
        if self.answers.get(responder) != (answer, eta_minutes):
            self._answered(responder, answer, eta_minutes)

    @event("Answered")
    def _answered(self, responder: str, answer: str, eta_minutes: int | None) -> None:
        self.answers[responder] = (answer, eta_minutes)

    @event("Noted")
    def note(self, author: str, text: str) -> None:
        self.notes.append(f"{author}: {text}")

    def resolve(self, by: str, resolution: str) -> None:
        if self.closing is not None:
            raise Refused("it is over")
        self._resolved(by, resolution)

    @event("Resolved")
    def _resolved(self, by: str, resolution: str) -> None:
        self.closing = (by, resolution)


class PeerDesk:
    """Loads, decides and appends with the library's application, in Postgres with a `dsn`, else in memory."""

    def __init__(self, dsn: str | None) -> None:
        self._app: Application[UUID] = Application(env=_postgres(dsn) if dsn else {})

    def play(self, household: HouseholdId, began: datetime) -> list[float]:
        """The whole case of `household`; milliseconds of each command, for each of which the case is loaded anew."""
        took, case = [], None
        for command in commands_of(household, began):
            started = time.perf_counter_ns()
            case = _carry_out(self._app.repository.get(case.id) if case is not None else None, command)
            self._app.save(case)
            took.append((time.perf_counter_ns() - started) / 1e6)
        return took

    def play_at_once(self, households: Iterable[HouseholdId], began: datetime, workers: int) -> None:
        """As `play` for many, by `workers` threads."""
        with ThreadPoolExecutor(workers) as pool:
            for played in [pool.submit(self.play, household, began) for household in households]:
                played.result()

    def close(self) -> None:
        self._app.close()


def _carry_out(case: PeerCase | None, command: Command) -> PeerCase:
    if case is None:
        assert isinstance(command, RaiseAlarm)
        return PeerCase(press=command.press.press, household=command.press.household, calls=CALLS)
    match command:
        case RaiseAlarm():
            case.press_again(command.press.press)
        case RecordCalls():
            case.record({outcome.responder: outcome.outcome for outcome in command.outcomes})
        case GiveAnswer():
            case.answer(command.responder, command.answer, command.eta_minutes)
        case AddNote():
            case.note(command.author, command.text)
        case Resolve():
            case.resolve(command.by, command.resolution)
        case _:
            raise TypeError(f"no benchmark plays {type(command).__name__}")
    return case


def _postgres(dsn: str) -> dict[str, str]:
    parts = urlsplit(dsn)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_HOST": str(parts.hostname),
        "POSTGRES_PORT": str(parts.port),
        "POSTGRES_USER": str(parts.username),
        "POSTGRES_PASSWORD": unquote(str(parts.password)),
        "POSTGRES_DBNAME": parts.path.removeprefix("/"),
    }
