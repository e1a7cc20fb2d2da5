"""What can happen in a case: the events, as they are today.

Events carry ids, never people: names, phones and addresses live in the roster alone. Every
event has `at`, the moment it was decided, in UTC. A change of a published event makes a new
version (`….v2`) here and an upcaster for the old one in `upcasting.py`; nothing is edited.

What a log holds by the million has its fields in the order of a `jsonb` (the shorter name first, then by the alphabet:
lengthCompareJsonbString, src/backend/utils/adt/jsonb_util.c), so that Postgres has nothing to sort in a rebuild.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from dispatch.identifiers import AreaId, CaseId, GroupId, HouseholdId, PersonId, PressId

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time that says its zone; one that does not is neither before nor after another."""

Kind = Literal["help", "intrusion", "medical", "fire"]
"""Kind of case: 求助, 入室, 急病, 火警. A device with one key and nothing else says `help`."""

Source = Literal["http", "mqtt", "cli", "desk", "import"]
"""By what way a press came in; `desk`: an operator raised the alarm for somebody who telephoned; `import`: a call of an
older system, of which there was no press here.
"""
Channel = Literal["live", "webpush", "webhook", "sms", "apprise"]
Outcome = Literal["unknown", "failed", "sent", "delivered", "seen"]
"""What came of one call over one channel, from worst to best.

`sent`: the provider has it. `delivered`: the phone said so. `seen`: a person did something with
it. `unknown`: a crash came between the sending and the record, so it is made again.
"""

Answer = Literal["going", "cannot", "on_scene"]
Via = Literal["page", "link", "operator", "sms", "import"]
"""By what way an answer came in."""

Resolution = Literal["helped", "false_alarm", "handed_over", "other"]
Role = Literal[
    "group_leader",
    "member",
    "police_assistant",
    "auxiliary_officer",
    "community_police_officer",
    "station",
    "command_centre",
    "emergency_centre",
    "asked",
]
"""In which role somebody is called; `emergency_centre`: the command centre of 110; `asked`: an operator called them by
name."""

Target = Literal[
    "group", "officers", "again", "neighbour_leaders", "neighbour_officers", "station", "command_centre", "hand_over"
]
"""Whom a step of an escalation policy calls: `group` and `officers` are the first call; `again` everybody who was
called and has not answered; the leaders of the neighbouring groups; the auxiliary officers of the neighbouring
villages (neighbour aid); the station's duty desk; the command centre; `hand_over`: the case goes to 110, once."""

Because = Literal["no_answer", "pointless", "late", "pause_over", "operator", "duress"]
"""Why a call widens: too few answered in time; those called cannot be enough any more; nobody arrived when they were
expected; an operator's pause ran out; an operator asked for it; the one who pressed is under duress."""


NextBecause = Literal["failed", "not_delivered"]
"""Why somebody's next channel rings: all that rang failed; nothing was delivered and they did not answer in time."""


class Reason(msgspec.Struct, frozen=True):
    """Why somebody is called: in which `role`, and of what (`of`, the id of a group or an area)."""

    role: Role
    of: str


class PlannedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is owed: whom, why, and over which channels, all at once; `then` follow one by one while they are
    not reached.
    """

    then: tuple[Channel, ...] = ()
    reasons: tuple[Reason, ...]
    channels: tuple[Channel, ...]
    responder: PersonId


class NextCall(msgspec.Struct, frozen=True, kw_only=True):
    """The next channel of a call that did not reach its responder, and why it rings."""

    step: int
    responder: PersonId
    channel: Channel
    because: NextBecause


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody or some post that should have been called and could not be, and why."""

    what: str
    reason: str


class CallOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one call over one channel. `reason` is given when it failed; `at` is when it was known."""

    at: Moment
    step: int
    reason: str | None = None
    attempt: int = 1
    channel: Channel
    outcome: Outcome
    responder: PersonId


class Quorum(msgspec.Struct, frozen=True, kw_only=True):
    """How many must be going or on scene to be enough: neighbours, officers, and `anyone` in all (1 at least)."""

    neighbours: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    officers: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    anyone: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


AtOnce = Annotated[int, msgspec.Meta(ge=1, le=10)]
"""How many of a person's channels ring at once, besides their open page."""
FallbackSeconds = Annotated[int, msgspec.Meta(ge=1, le=3600)]
"""How long to wait for a ring to be delivered, or answered, before the person's next channel rings."""


class PolicyStep(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to call, and how long to wait for enough answers before the next step."""

    call: tuple[Target, ...]
    within_seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)]


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    at: Moment


class AlarmRaised(_Event, frozen=True, kw_only=True, tag="alarm_raised.v1"):
    """A press opened a case. `pressed_at` is the key going down, `accepted_at` when the log of presses had it."""

    case: CaseId
    household: HouseholdId
    press: PressId
    device: str
    kind: Kind
    source: Source
    pressed_at: Moment
    accepted_at: Moment
    silent: bool = False
    drill: bool = False
    group: GroupId | None = None
    areas: tuple[AreaId, ...] = ()
    """The household's area and those above it, smallest first."""
    response_target_seconds: int | None = None
    """见警时限: within what time somebody should be there, as the nearest of `areas` that says so had it then."""


class PressedAgain(_Event, frozen=True, kw_only=True, tag="pressed_again.v1"):
    """One more press while the case was open."""

    press: PressId
    device: str
    kind: Kind
    source: Source
    pressed_at: Moment
    accepted_at: Moment
    silent: bool = False


class RespondersCalled(_Event, frozen=True, kw_only=True, tag="responders_called.v1"):
    """The plan of one step: from here on, these calls are owed."""

    step: int
    calls: tuple[PlannedCall, ...]
    gaps: tuple[Gap, ...] = ()


class CallsRecorded(_Event, frozen=True, kw_only=True, tag="calls_recorded.v1"):
    """What came of calls, several at once."""

    outcomes: tuple[CallOutcome, ...]


class ResponderReplied(_Event, frozen=True, kw_only=True, tag="responder_replied.v1"):
    """A responder answered: going (with minutes to arrival, if they said), cannot, or on scene."""

    via: Via
    reply: str
    answer: Answer
    responder: PersonId
    eta_minutes: int | None = None


class ResponderCleared(_Event, frozen=True, kw_only=True, tag="responder_cleared.v1"):
    """A responder was free again, as an older system had it."""

    responder: PersonId


class CaseNoted(_Event, frozen=True, kw_only=True, tag="case_noted.v1"):
    """Somebody wrote something down on the case."""

    note: str
    author: str
    text: str


class CaseResolved(_Event, frozen=True, kw_only=True, tag="case_resolved.v1"):
    """An operator closed the case."""

    by: str
    resolution: Resolution
    text: str = ""


class CaseCancelled(_Event, frozen=True, kw_only=True, tag="case_cancelled.v1"):
    """The one who pressed, or an operator, called it off. The record stays."""

    by: str
    reason: str = ""


class DuressSignalled(_Event, frozen=True, kw_only=True, tag="duress_signalled.v1"):
    """The one who pressed was made to cancel, and said so: to them the case is cancelled, to all others it goes on."""

    by: str
    reason: str = ""


class ResponderLeftOut(_Event, frozen=True, kw_only=True, tag="responder_left_out.v1"):
    """Somebody, called or not yet, is to have no part in this case any more, and is not to know it."""

    responder: PersonId
    by: str


class HouseholdStamped(_Event, frozen=True, kw_only=True, tag="household_stamped.v1"):
    """What was known of the household when the case was opened: who of those that can be called lives there, and its
    case that went on under duress, `beside` which this one is.
    """

    residents: tuple[PersonId, ...] = ()
    beside: CaseId | None = None


class ResidentsSpared(_Event, frozen=True, kw_only=True, tag="residents_spared.v1"):
    """These should have been called in `step` and were not: they live in the household, where nothing may be heard."""

    step: int
    people: tuple[PersonId, ...]


class PolicyStamped(_Event, frozen=True, kw_only=True, tag="policy_stamped.v1"):
    """The escalation policy that this case keeps to, as it was when the case was opened."""

    policy: str
    quorum: Quorum
    steps: tuple[PolicyStep, ...]
    at_once: AtOnce = 1
    fallback_seconds: FallbackSeconds = 15


class Escalated(_Event, frozen=True, kw_only=True, tag="escalated.v1"):
    """The call widens: step `position` of the policy is taken, by a timer (`by` is `system`) or an operator."""

    position: int
    because: Because
    by: str


class WideningAsked(_Event, frozen=True, kw_only=True, tag="widening_asked.v1"):
    """An operator wants the next step of the policy taken now."""

    by: str


class RespondersStoodDown(_Event, frozen=True, kw_only=True, tag="responders_stood_down.v1"):
    """It is enough, or an operator says so: these, who were called and had not answered, need not come.

    `by_name`: whoever comes.
    """

    responders: tuple[PersonId, ...]
    by: str
    by_name: bool = False


class EscalationPaused(_Event, frozen=True, kw_only=True, tag="escalation_paused.v1"):
    """An operator holds the escalation back until `until`; where that is `at`, they let it go on."""

    by: str
    until: Moment


class FellBack(_Event, frozen=True, kw_only=True, tag="fell_back.v1"):
    """Some who were called are not reached: from here on their next channels are owed."""

    calls: tuple[NextCall, ...]


class HandedOver(_Event, frozen=True, kw_only=True, tag="handed_over.v1"):
    """The case goes to 110: `to` are those who stand at its post, nobody when the roster has none."""

    by: str
    to: tuple[PersonId, ...]


Event = (
    AlarmRaised
    | PolicyStamped
    | WideningAsked
    | Escalated
    | RespondersStoodDown
    | EscalationPaused
    | FellBack
    | HandedOver
    | PressedAgain
    | RespondersCalled
    | CallsRecorded
    | ResponderReplied
    | ResponderCleared
    | CaseNoted
    | CaseResolved
    | CaseCancelled
    | DuressSignalled
    | HouseholdStamped
    | ResidentsSpared
    | ResponderLeftOut
)
