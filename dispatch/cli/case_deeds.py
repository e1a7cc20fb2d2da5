"""`dispatch case …`: what an operator does about who comes to an open case, as at the desk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer

from dispatch.cases import CallOne, Case, Command, GiveAnswer, HandOver, Pause, Resume, StandDown, Widen
from dispatch.cases.not_called import NotToBeCalled
from dispatch.cli.case_tools import AsJson, By, CaseArgument, Tools, at_once, carry_out, new_id
from dispatch.cli.operator import operator_here
from dispatch.cli.times import date_and_time
from dispatch.clock import now
from dispatch.errors import Conflict, Malformed, NotFound, Refused
from dispatch.events import Answer
from dispatch.identifiers import PersonId
from dispatch.roster import left_out_of
from dispatch.web.by_hand import (
    LONGEST_ETA_MINUTES,
    LONGEST_PAUSE_MINUTES,
    PAUSE_MINUTES,
    call_by_name,
    calls_to_110,
    require_called,
)

_Person = Annotated[str, typer.Argument(metavar="PERSON", help="Their id, as `dispatch roster list person` shows it.")]


def register(group: typer.Typer) -> None:
    group.command("widen")(widen)
    group.command("pause")(pause)
    group.command("resume")(resume)
    group.command("stand-down")(stand_down)
    group.command("call")(call)
    group.command("answer")(answer)
    group.command("hand-over")(hand_over)


def widen(case: CaseArgument, by: By = None, as_json: AsJson = False) -> None:
    """Widen the call now: the next step of the policy is taken at once, and more people are rung.

    Examples:

      dispatch case widen h-0002-7K3M9QXZ
    """
    author = operator_here(by)
    asked = at_once(lambda: Widen(id=new_id(), at=now(), by=author))
    carry_out(case, asked, as_json=as_json, then=f"正在升级 it widens now; who is rung: dispatch case show {case}")


def pause(
    case: CaseArgument,
    minutes: Annotated[
        int, typer.Option(help="When it ends by itself.", min=1, max=LONGEST_PAUSE_MINUTES)
    ] = PAUSE_MINUTES,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Hold the escalation back for some minutes; then the next step is taken. `resume` takes it back.

    Examples:

      dispatch case pause h-0002-7K3M9QXZ

      dispatch case pause h-0002-7K3M9QXZ --minutes 10
    """
    author, lasts = operator_here(by), timedelta(minutes=minutes)
    carry_out(case, at_once(lambda: Pause(id=new_id(), at=(at := now()), by=author, until=at + lasts)), as_json=as_json)


def resume(case: CaseArgument, by: By = None, as_json: AsJson = False) -> None:
    """Take a pause back: a step that fell due meanwhile is taken at once, any other at its time.

    Changes nothing where the case is not paused. Exit code 1 for a case that came back from a backup and is held:
    it may be over, so look first; `widen` lets it go on.

    Examples:

      dispatch case resume h-0002-7K3M9QXZ
    """
    author = operator_here(by)
    carry_out(case, at_once(lambda: Resume(id=new_id(), at=now(), by=author)), as_json=as_json)


def stand_down(
    case: CaseArgument,
    people: Annotated[
        list[str] | None, typer.Argument(metavar="PERSON", help="Whom; nobody named: all who have not answered.")
    ] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Tell those who have not answered that they need not come.

    Who is named is called by no later step; who is not named is, if the call widens later. Exit code 1, and nobody is
    told, where somebody named has answered: telephone them.

    Examples:

      dispatch case stand-down h-0002-7K3M9QXZ

      dispatch case stand-down h-0002-7K3M9QXZ p-0003 p-0004
    """
    author, named = operator_here(by), tuple(map(PersonId, people or ()))

    async def asked(_has: Tools, known: Case) -> Command:
        require_called(known, named)
        _require_unanswered(known, named)
        return StandDown(id=new_id(), at=now(), by=author, responders=named)

    carry_out(case, asked, as_json=as_json)


def call(
    case: CaseArgument,
    person: _Person,
    even_left_out: Annotated[
        bool, typer.Option("--even-left-out", help="Also who is left out, or lives where nothing may be heard.")
    ] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Call one more person, over every channel they have; also one who was called before.

    Examples:

      dispatch case call h-0002-7K3M9QXZ p-0003
    """
    author, wanted = operator_here(by), PersonId(person)

    async def asked(has: Tools, known: Case) -> Command:
        found = (await has.roster.people([wanted])).get(wanted)
        if found is None:
            raise NotFound(
                f"person {person[:80]!r} is not in the roster; `dispatch roster list person` shows those there are",
                field="person",
            )
        return CallOne(
            id=new_id(),
            at=now(),
            by=author,
            call=call_by_name(found, author),
            left_out=left_out_of(await has.roster.household(known.alarm.household)),
            even_left_out=even_left_out,
        )

    try:
        carry_out(case, asked, as_json=as_json)
    except NotToBeCalled as error:
        raise NotToBeCalled(_typed(error.detail, "--even-left-out calls them all the same")) from None


def answer(
    case: CaseArgument,
    person: _Person,
    said: Annotated[Answer, typer.Argument(metavar="ANSWER", help="going, cannot or on_scene.")],
    eta: Annotated[
        int | None, typer.Option(help="In how many minutes they are there.", min=0, max=LONGEST_ETA_MINUTES)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write down what somebody who was called told you by telephone.

    Examples:

      dispatch case answer h-0002-7K3M9QXZ p-0003 going --eta 5

      dispatch case answer h-0002-7K3M9QXZ p-0003 on_scene
    """
    if eta is not None and said != "going":
        raise Malformed("--eta goes with the answer `going` alone; leave it out", field="eta")
    who = PersonId(person)

    async def given(_has: Tools, known: Case) -> Command:
        if who not in known.called():
            raise Refused(
                f"only somebody who was called can answer, and {person[:80]!r} was not for case {known.id}; "
                "`dispatch case show` names those who were, `dispatch case call` calls one more",
                field="person",
            )
        return GiveAnswer(id=new_id(), at=now(), responder=who, answer=said, via="operator", eta_minutes=eta)

    carry_out(case, given, as_json=as_json)


def hand_over(
    case: CaseArgument,
    again: Annotated[bool, typer.Option("--again", help="Once more, although 110 was told before.")] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Hand a case over to 110: whoever stands at its post is called over every channel. The case stays open.

    Where the roster has no such post the case says so: telephone 110 yourself then.

    Examples:

      dispatch case hand-over h-0002-7K3M9QXZ
    """
    author = operator_here(by)

    async def asked(has: Tools, known: Case) -> Command:
        at = now()
        calls, gaps = await calls_to_110(has.roster, known, at)
        return HandOver(id=new_id(), at=at, by=author, calls=calls, gaps=gaps, again=again)

    try:
        carry_out(case, asked, as_json=as_json)
    except Conflict as error:
        if error.fields.get("field") != "again":
            raise
        at = str(error.fields["handed_over_at"])
        detail = error.detail.replace(at, date_and_time(datetime.fromisoformat(at)))
        raise Conflict(_typed(detail, "--again does it once more")) from None


def _require_unanswered(case: Case, people: Sequence[PersonId]) -> None:
    """Raises `Refused` where one of `people` has answered: they would be told nothing, and who types would not know.

    Of a case that is over deciding says so.
    """
    if case.is_open and (answered := [person for person in people if person in case.replies]):
        said = case.replies[answered[0]].answer
        raise Refused(
            f"{answered[0]} has answered ({said}) and is told nothing by this: telephone them", field="people"
        )


def _typed(detail: str, instead: str) -> str:
    """`detail`, which ends with what a program is to send, with what is to be typed `instead`."""
    return f"{detail.rpartition('; ')[0]}; {instead}"
