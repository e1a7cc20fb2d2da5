"""A case as it is shown: to an operator all of it, to others only what is theirs to know. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from dispatch.access import Principal
from dispatch.cases import (
    OUTCOME_RANK,
    RESTORE,
    Call,
    Case,
    Firsts,
    Follows,
    enough,
    follows,
    lacking,
    steps_of,
    waits_for,
)
from dispatch.events import CallOutcome, Channel, Reason
from dispatch.identifiers import AreaId, HouseholdId, PersonId, notification_id
from dispatch.roster import Household
from dispatch.web.ahead import ahead
from dispatch.web.case_view import (
    CaseView,
    ChannelView,
    ClosingView,
    EscalationView,
    FirstsView,
    HandOverView,
    HouseholdView,
    LeftOutView,
    ResponderView,
    RoleView,
    State,
)
from dispatch.web.names import Names

Audience = Literal["operator", "responder", "device"]


class Viewer(msgspec.Struct, frozen=True):
    """Who looks: `subject` is a person's id, a household's id or an operator's name."""

    role: Audience
    subject: str


LIVES_THERE = "住在该户，静默警情不呼叫 / lives in the household; silent, so not called"


def viewer_of(principal: Principal) -> Viewer:
    """How `principal` sees cases. Fails for a monitor, who sees none."""
    if principal.role == "monitor":
        raise ValueError("a monitor sees no case")
    return Viewer(principal.role, principal.subject)


def view(case: Case, names: Names, viewer: Viewer) -> CaseView:
    """`case`, which has begun, as `viewer` may see it.

    Under duress the household's device and those who live there see it cancelled. Of who was left out or spared an
    operator alone is told.
    """
    case = known_to(viewer, case)
    alarm = case.alarm
    at_home = viewer.role == "device" or (viewer.role == "responder" and viewer.subject in case.residents)
    duress = case.is_under_duress and not at_home
    answers = [reply.answer for reply in case.replies.values()]
    next_ones = {one.responder: one for one in follows(case)}
    shown: CaseView = {
        "id": case.id,
        "version": version_for(viewer, case),
        "status": case.status,
        "kind": case.kind,
        "silent": case.silent or duress,
        "drill": case.drill,
        "source": alarm.source,
        "pressed_at": alarm.pressed_at,
        "accepted_at": alarm.accepted_at,
        "raised_at": alarm.at,
        "presses": len(case.presses),
        "last_pressed_at": case.last_pressed_at,
        "household": _household(alarm.household, names, viewer),
        "areas": [{"id": area, "name": names.of(area)} for area in alarm.areas],
        "group": {"id": alarm.group, "name": names.of(alarm.group)} if alarm.group else None,
        "responders": [_responder(calls, case, names, viewer, next_ones) for calls in _by_responder(case, viewer)],
        "gaps": [{"what": gap.what, "reason": gap.reason} for gap in dict.fromkeys(case.gaps)],
        "coming": answers.count("going"),
        "on_scene": answers.count("on_scene"),
        "nearest_eta_at": case.nearest_eta_at,
        "firsts": _firsts(case.firsts),
        "escalation": _escalation(case, names, viewer),
        "handed_over": _handed_over(case, names),
        "closing": _closing(case, names),
    }
    if viewer.role != "device":
        hidden = {f"responder:{person}" for person in case.left_out} if viewer.role == "responder" else set()
        shown["notes"] = [
            {"id": note.id, "author": names.who(note.author), "text": note.text, "at": note.at}
            for note in case.notes
            if note.author not in hidden
        ]
        shown["duress"], shown["beside"] = duress, None if at_home else case.beside
    if viewer.role == "operator":
        shown["seq"] = case.seq
        shown["gaps"] += [{"what": names.person(person), "reason": LIVES_THERE} for person in sorted(case.spared)]
        shown["left_out"] = _left_out(case, names)
        shown["attended"] = _attended(case)
    if viewer.role == "responder":
        shown["you"] = viewer.subject
        shown["notification"] = notification_id(case.id, PersonId(viewer.subject))
    return shown


def known_to(who: Viewer | Principal, case: Case) -> Case:
    """`case` as `who` may know it: at home, under duress, it was cancelled and nothing came after."""
    if who.role == "responder":
        return case.as_known_by(PersonId(who.subject))
    return case.as_pressed if who.role == "device" else case


def version_for(who: Viewer | Principal, case: Case) -> int:
    """Grows with each change of `case` that `who` is shown, and by none that they are not.

    That somebody was left out is shown to all: that one stands there no more.
    """
    known = known_to(who, case)
    if who.role == "operator":
        return len(known.commits)
    return len(known.commits) - known.unseen - (len(known.notes) if who.role == "device" else 0)


def without_whereabouts(shown: CaseView) -> CaseView:
    """`shown` without whatever tells where the household is or how to reach anybody; what people wrote may tell it."""
    household, closing = shown["household"], shown["closing"]
    less: CaseView = {
        **shown,
        "household": {"id": household["id"], "name": household["name"], "address": ""},
        "responders": [_without_phone(one) for one in shown["responders"]],
        "closing": {**closing, "text": ""} if closing else None,
    }
    less.pop("notes", None)
    return less


def _without_phone(shown: ResponderView) -> ResponderView:
    less: ResponderView = {**shown}
    less.pop("phone", None)
    return less


def _household(id_: HouseholdId, names: Names, viewer: Viewer) -> HouseholdView:
    household = names.households.get(id_) or Household(id=id_, name=id_, address="", area=AreaId(""))
    shown: HouseholdView = {"id": id_, "name": household.name, "address": household.address}
    if viewer.role != "device":
        shown["phone"], shown["note"] = household.phone, household.note
    return shown


def _attended(case: Case) -> bool:
    """Whether an operator has done anything about it; of answers written down for others the case does not know."""
    authors = [note.author for note in case.notes] + ([case.handed_over.by] if case.handed_over else [])
    pauses = (_paused_by(case), case.resumed_at)
    wishes = (*pauses, case.asked, case.asked_by_name(), case.dismissed, case.escalated_because == "operator")
    return any(wishes) or any(author.startswith("operator:") for author in authors)


def _paused_by(case: Case) -> str | None:
    """Whose pause it is; None without one, and where a restore holds the case back or did."""
    return case.paused.by if case.paused is not None and case.paused.by != RESTORE else None


def _left_out(case: Case, names: Names) -> list[LeftOutView]:
    """Who is left out for the household, and who of those called was left out of this case and is let in again."""
    household = names.households.get(case.alarm.household)
    known = household.left_out if household else ()
    shown: list[LeftOutView] = [
        {"person": one.person, "name": names.person(one.person), "by": one.by, "at": one.at, "reason": one.reason}
        for one in known
        if one.person not in case.called()
    ]
    told = {one.person for one in known}
    return [*shown, *({"person": p, "name": names.person(p)} for p in sorted(case.left_out - told))]  # type: ignore[list-item]


def _by_responder(case: Case, viewer: Viewer) -> list[list[Call]]:
    """The calls of each responder, oldest step first, in the order in which they were first called."""
    calls: dict[PersonId, list[Call]] = {}
    seen = case.calls.values() if viewer.role == "operator" else case.taking_part()
    for call in sorted(seen, key=lambda call: call.step):
        calls.setdefault(call.responder, []).append(call)
    return list(calls.values())


def _responder(
    calls: list[Call], case: Case, names: Names, viewer: Viewer, next_ones: Mapping[PersonId, Follows]
) -> ResponderView:
    newest, person = calls[-1], calls[0].responder
    reply = case.replies.get(person)
    channels = _channels(calls)
    shown: ResponderView = {
        "id": person,
        "name": names.person(person),
        "step": newest.step,
        "roles": _roles(calls, names),
        "state": _state(channels),
        "called_at": newest.called_at,
        "answer": reply.answer if reply else None,
        "eta_minutes": reply.eta_minutes if reply else None,
        "eta_at": reply.eta_at if reply else None,
        "answered_at": reply.at if reply else None,
        "stood_down": person in case.stood_down,
    }
    if viewer.role != "device":
        shown["channels"] = channels
        following = next_ones.get(person)
        shown["next_channel"] = {"channel": following.channel, "at": following.at} if following else None
    if viewer.role == "operator" or (viewer.role == "responder" and viewer.subject == person):
        known = names.people.get(person)
        shown["phone"] = known.phone if known else None
    return shown


def _roles(calls: Iterable[Call], names: Names) -> list[RoleView]:
    reasons: dict[Reason, None] = dict.fromkeys(reason for call in calls for reason in call.reasons)
    return [{"role": reason.role, "of": reason.of, "of_name": names.of(reason.of)} for reason in reasons]


def _channels(calls: Iterable[Call]) -> list[ChannelView]:
    """What came of each channel: the best of all steps, `owed` where nothing has yet."""
    best: dict[Channel, CallOutcome | None] = {}
    for call in calls:
        for channel in (*call.channels, *call.outcomes):
            outcome, known = call.outcomes.get(channel), best.get(channel)
            better = outcome and (known is None or OUTCOME_RANK[outcome.outcome] >= OUTCOME_RANK[known.outcome])
            best[channel] = outcome if better else known
    return [_channel(channel, outcome) for channel, outcome in best.items()]


def _channel(channel: Channel, outcome: CallOutcome | None) -> ChannelView:
    if outcome is None:
        return {"channel": channel, "outcome": "owed", "reason": None, "at": None}
    return {"channel": channel, "outcome": outcome.outcome, "reason": outcome.reason, "at": outcome.at}


def _state(channels: Iterable[ChannelView]) -> State:
    """The best over all channels; while one has not been tried, the failure of another is not the last word."""
    rank = {**OUTCOME_RANK, "owed": OUTCOME_RANK["failed"] + 0.5}
    return max((channel["outcome"] for channel in channels), key=lambda state: rank[state], default="owed")


def _firsts(firsts: Firsts) -> FirstsView:
    return {
        "called": firsts.called,
        "delivered": firsts.delivered,
        "answered": firsts.answered,
        "going": firsts.going,
        "on_scene": firsts.on_scene,
    }


def _escalation(case: Case, names: Names, viewer: Viewer) -> EscalationView:
    wait = waits_for(case)
    shown: EscalationView = {
        "policy": case.policy.policy if case.policy else None,
        "position": case.position,
        "steps": len(steps_of(case)),
        "enough": case.is_open and enough(case),
        "lacking": lacking(case) if case.is_open else 0,
        "paused_until": case.paused_until if case.is_open else None,
        "waits_for": {"what": wait.what, "until": wait.until, "because": wait.because} if wait else None,
    }
    if viewer.role == "operator":
        by = _paused_by(case) if case.is_open else None
        shown["paused_by"] = names.who(by) if by else None
    if viewer.role == "device" and case.id in names.aid:
        known = ahead(case, names)
        shown["next_call"] = {"targets": list(known.targets), "at": known.at} if known else None
    return shown


def _handed_over(case: Case, names: Names) -> HandOverView | None:
    known = case.handed_over
    if known is None:
        return None
    calls = [call for call in case.calls.values() if call.responder in known.to]
    best = {outcome.outcome for call in calls if (outcome := call.best()) is not None}
    reached: bool | None = bool(best - {"failed", "unknown"}) or not case.replies.keys().isdisjoint(known.to)
    if not reached and any(call.may_ring() for call in calls):
        reached = None
    return {"at": known.at, "by": names.who(known.by), "reached": reached}


def _closing(case: Case, names: Names) -> ClosingView | None:
    closing = case.closing
    if closing is None:
        return None
    return {
        "by": names.who(closing.by),
        "at": closing.at,
        "resolution": closing.resolution,
        "text": closing.text,
    }
