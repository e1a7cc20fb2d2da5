"""Who is not to be called for a case, but by an operator who insists, and who not even then. Pure."""

from __future__ import annotations

from dispatch.cases.case import Case
from dispatch.cases.commands import CallOne
from dispatch.errors import Refused
from dispatch.identifiers import PersonId


class NotToBeCalled(Refused):
    """They are left out of the calls for the household, or live where nothing may be heard."""

    type, title, status = "left-out", "Left out / 不得呼叫", 409


class OverAtHome(Refused):
    """They live where the case seems to be over: a ring would show there that it goes on."""

    type, title, status = "over-at-home", "Over to those at home / 对住户已取消", 409


def is_not_to_be_called(case: Case, person: PersonId) -> bool:
    """Whether `person` is left out of `case`, or lives where nothing may be heard."""
    return person in case.left_out or (case.silent and person in case.residents)


def require_callable(case: Case, command: CallOne) -> None:
    """Raises `NotToBeCalled` for somebody who is not to be called, unless the operator insists.

    Raises `OverAtHome` under duress for who lives there, whatever the operator says: they could neither see nor answer
    what rings.
    """
    person = command.call.responder
    if not case.as_known_by(person).is_open:
        raise OverAtHome(
            f"responder: {person!r} lives in the household, to which this case was cancelled (胁迫，同住): a ring "
            "would show that it goes on, and could not be answered. Call somebody else (请呼叫他人); "
            "telephone them yourself only where you know that nobody there can hear it (确知现场无人能听到，方可致电)",
            field="responder",
        )
    if command.even_left_out:
        return
    if person in case.left_out or person in command.left_out:
        raise NotToBeCalled(
            f"responder: {person!r} is left out of the calls for this household (不得呼叫); "
            "send `even_left_out` to call them all the same",
            field="responder",
        )
    if is_not_to_be_called(case, person):
        raise NotToBeCalled(
            f"responder: {person!r} lives in the household, where nothing may be heard (同住，静默警情); "
            "send `even_left_out` to call them all the same",
            field="responder",
        )
