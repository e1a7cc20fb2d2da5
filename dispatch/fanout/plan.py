"""From the roster's call list to the plan that is written on the case: whom, why, and over what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import get_args

from dispatch.cases import FIRST_QUORUM, FIRST_STEPS, Case, Plan, Policy, at_110, goes_to_110, is_to_hand_over, step_at
from dispatch.events import Because, Gap, Kind, PlannedCall, Reason, Target
from dispatch.identifiers import PersonId
from dispatch.roster import (
    Area,
    Called,
    CallList,
    EscalationPolicy,
    Person,
    Roster,
    aid_list,
    channels_after,
    channels_of,
    every_channel_of,
)

STANDARD = Policy(id="standard", quorum=FIRST_QUORUM, steps=FIRST_STEPS)
"""How a case widens where no area above the household has a policy of its own."""


def plan_of(listed: CallList, kind: Kind = "help") -> Plan:
    """The plan for a call list. Someone without any contact point is called too: a page may be open."""
    policy = policy_of(listed.areas, kind)
    return Plan(
        policy=policy,
        group=listed.group.id if listed.group else None,
        areas=tuple(area.id for area in listed.areas),
        calls=tuple(_in_order(called, policy.at_once) for called in listed.called),
        gaps=listed.gaps,
        residents=listed.household.residents if listed.household else (),
        response_target_seconds=target_of(listed.areas),
    )


def target_of(areas: Sequence[Area]) -> int | None:
    """The response target (见警时限) in seconds of the nearest of `areas` (smallest first) that has one."""
    targets = (area.response_target_seconds for area in areas)
    return next((seconds for seconds in targets if seconds is not None), None)


def policy_of(areas: Sequence[Area], kind: Kind) -> Policy:
    """The policy for `kind` of the nearest of `areas` (smallest first) that has one."""
    found = (policy_among(area.policies, kind, of=area.id) for area in areas)
    return next((policy for policy in found if policy is not None), STANDARD)


def policies_by_kind(areas: Sequence[Area]) -> dict[Kind, tuple[Area | None, EscalationPolicy]]:
    """For each kind of case what `policy_of` chooses in `areas` (smallest first), with the area that has it.

    The standard policy, which no area has, is written as one of an area's own would be.
    """
    standard = EscalationPolicy(
        name=STANDARD.id,
        quorum=STANDARD.quorum,
        steps=STANDARD.steps,
        at_once=STANDARD.at_once,
        fallback_seconds=STANDARD.fallback_seconds,
    )
    return {
        kind: next(
            ((area, found) for area in areas if (found := _first_for(kind, area.policies)) is not None),
            (None, standard),
        )
        for kind in get_args(Kind)
    }


def policy_among(policies: Iterable[EscalationPolicy], kind: Kind, *, of: str) -> Policy | None:
    """The first of `policies` that is for `kind`, named as one `of` an area; None where none is."""
    policy = _first_for(kind, policies)
    if policy is None:
        return None
    return Policy(
        id=f"{of}/{policy.name}",
        quorum=policy.quorum,
        steps=policy.steps,
        at_once=policy.at_once,
        fallback_seconds=policy.fallback_seconds,
    )


def _first_for(kind: Kind, policies: Iterable[EscalationPolicy]) -> EscalationPolicy | None:
    return next((policy for policy in policies if not policy.kinds or kind in policy.kinds), None)


def targets_of(
    case: Case, position: int, because: Because, *, instead_of_drill: Policy | None = None
) -> tuple[Target, ...]:
    """Whom the step at `position` of the case's policy calls when it is due `because` of something.

    Where a drill has become real, `instead_of_drill` is what the case keeps to from here on: all whom the drill passed
    over are called.
    """
    targets = step_at(case, position).call
    if instead_of_drill is not None:
        steps = instead_of_drill.steps[1 : position + 1]
        targets = tuple(dict.fromkeys(target for step in steps for target in step.call))
    if because == "duress":  # everybody must know of it
        targets = (*targets, "again")
    if because == "pointless":  # those called cannot be enough; ringing them once more this second helps nobody
        targets = tuple(target for target in targets if target != "again")
    if not is_to_hand_over(case):
        targets = tuple(target for target in targets if target != "hand_over")
    return targets


async def due_step(
    roster: Roster, case: Case, targets: Sequence[Target], at: datetime, left_out: Collection[PersonId] = ()
) -> Plan:
    """The plan of a step that calls `targets`, from the roster as it is `at`. Raises `Unavailable`."""
    alarm = case.alarm
    aid, gaps = await aid_list(roster, targets, alarm.group, alarm.areas, at, left_out=left_out)
    return step_plan(case, targets, aid, gaps, await roster.people(case.called()))


def step_plan(
    case: Case, targets: Sequence[Target], aid: Sequence[Called], gaps: Sequence[Gap], people: Mapping[PersonId, Person]
) -> Plan:
    """The plan of a step of `case`: those who come to its aid, and with `again` whoever was called and did not answer.

    Who is called again is called over every channel they have, and so is 110. Who was stood down is called again as
    well: that the call widens means that it is not enough any more; but for those whom an operator stood down by name
    (`take_step` leaves them out). 110 is not called again, for it knows; but of a duress it is told.
    """
    at_once = case.policy.at_once if case.policy is not None else STANDARD.at_once
    calls = {called.person.id: planned(called, at_once) for called in aid}
    knows = frozenset() if case.owes_word_of_duress else at_110(case)
    again = case.called() - knows if "again" in targets else case.stood_down
    for person in sorted(again - case.left_out):
        calls[person] = PlannedCall(
            responder=person, reasons=_reasons(case, person), channels=every_channel_of(people.get(person))
        )
    return Plan(group=case.alarm.group, areas=case.alarm.areas, calls=tuple(calls.values()), gaps=tuple(gaps))


def planned(called: Called, at_once: int) -> PlannedCall:
    """The call of somebody who comes to the aid of a case: whoever stands at the post of 110 over all they have."""
    if any(reason.role == "emergency_centre" for reason in called.reasons):
        return PlannedCall(responder=called.person.id, reasons=called.reasons, channels=every_channel_of(called.person))
    return _in_order(called, at_once)


def _in_order(called: Called, at_once: int) -> PlannedCall:
    return PlannedCall(
        responder=called.person.id,
        reasons=called.reasons,
        channels=channels_of(called.person, at_once),
        then=channels_after(called.person, at_once),
    )


def _reasons(case: Case, person: PersonId) -> tuple[Reason, ...]:
    calls = [call for call in case.calls.values() if call.responder == person]
    return next((call.reasons for call in calls if goes_to_110(call)), calls[0].reasons)
