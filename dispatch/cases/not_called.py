"""Who is not to be called for a case, but by an operator who insists. Pure."""

from __future__ import annotations

from dispatch.cases.case import Case
from dispatch.cases.commands import CallOne
from dispatch.errors import Refused
from dispatch.identifiers import PersonId


class NotToBeCalled(Refused):
    """They are left out of the calls for the household, or live where nothing may be heard."""

    type, title, status = "left-out", "Left out / 不得呼叫", 409


def is_not_to_be_called(case: Case, person: PersonId) -> bool:
    """Whether `person` is left out of `case`, or lives where nothing may be heard."""
    return person in case.left_out or (case.silent and person in case.residents)


def require_callable(case: Case, command: CallOne) -> None:
    """Raises `NotToBeCalled` for somebody who is not to be called, unless the operator insists."""
    person = command.call.responder
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
