"""The shape in which a case is shown: what the API, the live stream and the pages say of one."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired

from typing_extensions import TypedDict

from dispatch.cases import Status
from dispatch.events import Answer, Because, Channel, Kind, Resolution, Role, Source, Target

State = Literal["owed", "unknown", "failed", "sent", "delivered", "seen"]


class Named(TypedDict):
    id: str
    name: str


class HouseholdView(Named):
    address: str
    phone: NotRequired[str | None]
    note: NotRequired[str]


class RoleView(TypedDict):
    role: Role
    of: str
    of_name: str


class ChannelView(TypedDict):
    channel: Channel
    outcome: State
    reason: str | None
    at: datetime | None


class NextChannelView(TypedDict):
    """The channel that rings next unless they are reached before `at`."""

    channel: Channel
    at: datetime


class ResponderView(TypedDict):
    id: str
    name: str
    phone: NotRequired[str | None]
    step: int
    roles: list[RoleView]
    state: State
    called_at: datetime
    channels: NotRequired[list[ChannelView]]
    next_channel: NotRequired[NextChannelView | None]
    answer: Answer | None
    eta_minutes: int | None
    eta_at: datetime | None
    answered_at: datetime | None
    stood_down: bool


class WaitView(TypedDict):
    what: Literal["answers", "arrival", "operator", "closing"]
    until: datetime | None
    because: Because


class NextCallView(TypedDict):
    targets: list[Target]
    at: datetime


class EscalationView(TypedDict):
    policy: str | None
    position: int
    steps: int
    enough: bool
    lacking: int
    """How many more, at least, must be going or on scene to be enough; 0 where the case is closed."""
    paused_until: datetime | None
    paused_by: NotRequired[str | None]
    """Whose pause it is; null where a restore holds the case back, which nobody can resume. For operators."""
    waits_for: WaitView | None
    next_call: NotRequired[NextCallView | None]
    """Whom the next step that rings anybody calls, and when; null when none does any more. For a device, where the
    roster can be asked."""


class HandOverView(TypedDict):
    """When, by whom, and whether 110 was reached: None while it is being called."""

    at: datetime
    by: str
    reached: bool | None


class GapView(TypedDict):
    what: str
    reason: str


class FirstsView(TypedDict):
    called: datetime | None
    delivered: datetime | None
    answered: datetime | None
    going: datetime | None
    on_scene: datetime | None


class LeftOutView(TypedDict):
    person: str
    name: str
    by: NotRequired[str]
    at: NotRequired[datetime]
    reason: NotRequired[str]


class NoteView(TypedDict):
    id: str
    author: str
    text: str
    at: datetime


class ClosingView(TypedDict):
    by: str
    at: datetime
    resolution: Resolution | None
    text: str


class CaseView(TypedDict):
    id: str
    seq: NotRequired[int]
    """Where in the log, which is everybody's; of others' commits nobody but an operator may draw conclusions."""
    version: int
    """Grows with each change of the case that the viewer may know of."""
    status: Status
    kind: Kind
    silent: bool
    drill: bool
    source: Source
    pressed_at: datetime
    accepted_at: datetime
    raised_at: datetime
    presses: int
    last_pressed_at: datetime | None
    household: HouseholdView
    areas: list[Named]
    group: Named | None
    responders: list[ResponderView]
    gaps: list[GapView]
    coming: int
    on_scene: int
    nearest_eta_at: datetime | None
    firsts: FirstsView
    escalation: EscalationView
    handed_over: HandOverView | None
    notes: NotRequired[list[NoteView]]
    closing: ClosingView | None
    duress: NotRequired[bool]
    beside: NotRequired[str | None]
    """The household's case that went on under duress when this one was opened."""
    left_out: NotRequired[list[LeftOutView]]
    attended: NotRequired[bool]
    """Whether an operator has done anything about it."""
    you: NotRequired[str]
    notification: NotRequired[str]
