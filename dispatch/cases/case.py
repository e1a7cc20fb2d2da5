"""The case: what is known of it after its events. Pure; how each event changes it is in `evolving.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Literal

import msgspec

from dispatch.cases.parts import Call, Closing, Firsts, Heard, Note, Reply
from dispatch.events import (
    AlarmRaised,
    Because,
    DuressSignalled,
    EscalationPaused,
    Gap,
    HandedOver,
    Kind,
    PolicyStamped,
    WideningAsked,
)
from dispatch.identifiers import CaseId, CommitId, PersonId, PressId

Status = Literal["none", "raised", "under_way", "on_scene", "resolved", "cancelled"]
"""`none` before the first event; `raised` while nobody comes; the last two are final."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A case as its events left it. `Case()` is one that has not begun."""

    raised: AlarmRaised | None = None
    presses: tuple[PressId, ...] = ()
    heard: Mapping[PressId, Heard] = MappingProxyType({})
    """Each press; of an id that was used again, the last."""
    last_pressed_at: datetime | None = None
    silenced: bool = False
    """Whether a later press was silent."""
    pressed_kind: Kind | None = None
    calls: Mapping[tuple[int, PersonId], Call] = MappingProxyType({})
    gaps: tuple[Gap, ...] = ()
    replies: Mapping[PersonId, Reply] = MappingProxyType({})
    reply_ids: frozenset[str] = frozenset()
    notes: tuple[Note, ...] = ()
    closing: Closing | None = None
    policy: PolicyStamped | None = None
    position: int = 0
    """How many steps of the policy were taken after the first call."""
    escalated_at: datetime | None = None
    """When the newest of those steps was taken."""
    escalated_because: Because | None = None
    called_late: frozenset[PersonId] = frozenset()
    """Those whom a step called because those who were coming were late, and whom nothing else has called since."""
    paused: EscalationPaused | None = None
    """The pause, until a step is taken or it is taken back."""
    resumed_at: datetime | None = None
    """When one was taken back, until a step is taken or it is paused anew: what fell due in it was not due before."""
    held_until: datetime | None = None
    """Before that nothing is due, for it came back from a backup; until somebody says anything new of it."""
    asked: WideningAsked | None = None
    """An operator's wish that the call widen, until it does."""
    awaited: frozenset[PersonId] = frozenset()
    """Those who, since they were called last, have neither answered nor been stood down."""
    stood_down: frozenset[PersonId] = frozenset()
    dismissed: frozenset[PersonId] = frozenset()
    """Those of them whom an operator stood down by name, and who have not answered: no step calls them again."""
    thanked: bool = False
    """Whether the others were told, since the newest step, that it is enough."""
    given_up_at: datetime | None = None
    """When the last of those who came gave up after that."""
    left_out: frozenset[PersonId] = frozenset()
    """Those who have no part in it any more, called or not: what they did stands on the log and counts for nothing."""
    residents: frozenset[PersonId] = frozenset()
    """Who of those that can be called lives in the household."""
    spared: frozenset[PersonId] = frozenset()
    """Those of them who were not called because nothing may be heard there."""
    beside: CaseId | None = None
    """The household's case that went on under duress when this one was opened."""
    duress: DuressSignalled | None = None
    """That the one who pressed is under duress."""
    duress_heeded: bool = False
    """Whether the call has widened for it."""
    pretended: Case | None = None
    """What the one who pressed and then cancelled is shown, for good, whether they were under duress or not."""
    handed_over: HandedOver | None = None
    """The newest hand-over to 110."""
    reached: Mapping[PersonId, Firsts] = MappingProxyType({})
    """When each responder was first called, reached, and heard of."""
    seq: int = 0
    """The log's sequence of the newest commit folded in; 0 before the first."""
    commits: frozenset[CommitId] = frozenset()
    unseen: int = 0
    """How many of these told only of those who were left out by then."""

    @property
    def id(self) -> CaseId:
        return self.alarm.case

    @property
    def alarm(self) -> AlarmRaised:
        """How it began. Only for a case that has."""
        if self.raised is None:
            raise ValueError("this case has not begun")
        return self.raised

    @property
    def kind(self) -> Kind:
        """What it is about: the kind of the alarm, or of a later press that knew more."""
        return self.pressed_kind or self.alarm.kind

    @property
    def stepped_at(self) -> datetime:
        """When the first call or the newest step was; who is called by hand meanwhile puts off no step.

        Only for a case that has begun.
        """
        return self.escalated_at or self.alarm.at

    @property
    def paused_until(self) -> datetime | None:
        """When the pause ends by itself, or None without one."""
        return self.paused.until if self.paused is not None else None

    @property
    def silent(self) -> bool:
        """Whether nothing may be heard or seen at the scene: one press at least was silent."""
        return self.alarm.silent or self.silenced

    @property
    def drill(self) -> bool:
        """Whether it is but a drill: one is real from the moment at which duress was signalled."""
        return self.alarm.drill and self.duress is None

    @property
    def is_under_duress(self) -> bool:
        """Whether it was signalled on this case, or on one beside which the household pressed again."""
        return self.duress is not None or self.beside is not None

    @property
    def owes_word_of_duress(self) -> bool:
        """Whether duress was signalled, and the step is not taken yet that tells everybody of it."""
        return self.duress is not None and not self.duress_heeded

    @property
    def last_step(self) -> int:
        """The newest step in which anybody was called; -1 when nobody was."""
        return max((step for step, _ in self.calls), default=-1)

    @property
    def status(self) -> Status:
        if self.raised is None:
            return "none"
        if self.closing is not None:
            return "cancelled" if self.closing.resolution is None else "resolved"
        answers = {reply.answer for reply in self.replies.values()}
        if "on_scene" in answers:
            return "on_scene"
        return "under_way" if "going" in answers else "raised"

    @property
    def is_open(self) -> bool:
        return self.raised is not None and self.closing is None and not self.is_imported

    @property
    def is_imported(self) -> bool:
        """Whether an older system had it: it is over, closed or not, and nobody is owed a call."""
        return self.raised is not None and self.raised.source == "import"

    @property
    def firsts(self) -> Firsts:
        """When each thing happened for the first time on this case, to anybody who was not left out."""
        counted = [firsts for person, firsts in self.reached.items() if person not in self.left_out]
        return Firsts(
            called=_earliest([firsts.called for firsts in counted]),
            delivered=_earliest([firsts.delivered for firsts in counted]),
            answered=_earliest([firsts.answered for firsts in counted]),
            going=_earliest([firsts.going for firsts in counted]),
            on_scene=_earliest([firsts.on_scene for firsts in counted]),
            cleared=_earliest([firsts.cleared for firsts in counted]),
        )

    @property
    def nearest_eta_at(self) -> datetime | None:
        """When the first of those who are coming said they will be there, or None when nobody said."""
        return min(filter(None, (reply.eta_at for reply in self.replies.values())), default=None)

    @property
    def as_pressed(self) -> Case:
        """The case as those who pressed may know it: under duress it was cancelled, and nothing came after."""
        return self.pretended or self

    def as_known_by(self, person: PersonId) -> Case:
        """The case as `person` may know it: in the household they know what those who pressed know, and no more."""
        return self.as_pressed if person in self.residents else self

    def taking_part(self) -> list[Call]:
        """The calls, but for those of people who were left out afterwards."""
        return [call for call in self.calls.values() if call.responder not in self.left_out]

    def asked_by_name(self) -> set[PersonId]:
        """Those whom an operator called by name: they come even where the roster leaves them out."""
        return {c.responder for c in self.taking_part() if any(reason.role == "asked" for reason in c.reasons)}

    def called(self) -> set[PersonId]:
        """Everybody who was called, in any step, and was not left out."""
        return {call.responder for call in self.taking_part()}

    def owed(self) -> list[Call]:
        """Calls that still have a channel without an outcome."""
        return [call for call in self.taking_part() if call.owed()]


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min(filter(None, moments), default=None)
