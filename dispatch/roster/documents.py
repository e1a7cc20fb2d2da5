"""What the roster holds: whole documents, each under its own key in the bucket `ROSTER`.

This is the only place where people have names, phones and addresses.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, get_args

import msgspec

from dispatch.errors import Malformed
from dispatch.events import AtOnce, FallbackSeconds, Kind, Moment, PolicyStep, Quorum, Role
from dispatch.identifiers import AreaId, GroupId, HouseholdId, PersonId, PostId

MAX_BOUND_NUMBERS = 10
"""At most ten numbers are bound into one joint-defence group, the leader's among them."""


class _Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class EscalationPolicy(_Document, frozen=True, kw_only=True):
    """升级: how a case widens while too few answer, for `kinds` of case (all when none is named).

    The first of `steps` is the call that goes out at once; the last is repeated until it is enough. Of a person's
    channels the best `at_once` ring first; each of the others follows after `fallback_seconds` without delivery or
    answer, and at once where all that rang have failed.
    """

    name: str
    kinds: tuple[Kind, ...] = ()
    quorum: Quorum = Quorum()
    steps: Annotated[tuple[PolicyStep, ...], msgspec.Meta(min_length=1, max_length=20)]
    at_once: AtOnce = 1
    fallback_seconds: FallbackSeconds = 15


class Area(_Document, frozen=True, kw_only=True):
    """辖区: a node of the tree county, township, village or community, grid.

    `neighbours` are the areas whose auxiliary officers come to its aid (邻村联勤).
    """

    id: AreaId
    name: str
    kind: Literal["county", "township", "village", "grid"]
    parent: AreaId | None = None
    response_target_seconds: int | None = None
    neighbours: tuple[AreaId, ...] = ()
    policies: tuple[EscalationPolicy, ...] = ()


class Group(_Document, frozen=True, kw_only=True):
    """联防组: its members' ids, the leader's among them, and the groups whose leaders come to its aid."""

    id: GroupId
    name: str
    area: AreaId
    members: tuple[PersonId, ...]
    leader: PersonId | None = None
    neighbours: tuple[GroupId, ...] = ()


class LeftOut(_Document, frozen=True, kw_only=True):
    """Somebody who has no part in the calls for a household (a violent relative, say); who said so, when and why."""

    person: PersonId
    by: str
    at: Moment
    reason: str


class Household(_Document, frozen=True, kw_only=True):
    """户: where help must come to. `note` is what responders should know (an old man alone, a dog).

    `pin` and `duress_pin` are argon2 hashes (see `pins.py`). `residents` are those who live there and can be called:
    their phones are at the scene, and do not ring while nothing may be heard there.
    """

    id: HouseholdId
    name: str
    address: str
    area: AreaId
    group: GroupId | None = None
    phone: str | None = None
    note: str = ""
    pin: str | None = None
    duress_pin: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    residents: tuple[PersonId, ...] = ()


class WebPushPoint(_Document, frozen=True, kw_only=True, tag_field="kind", tag="webpush"):
    """A browser's push subscription (Push API, `PushSubscription.toJSON()`)."""

    endpoint: str
    p256dh: str
    auth: str
    retired: str | None = None
    """Why it is not used any more (the push service said it is gone), or None."""


class WebhookPoint(_Document, frozen=True, kw_only=True, tag_field="kind", tag="webhook"):
    """An HTTP endpoint that takes calls, signed with `secret` (`whsec_` and base64, Standard Webhooks)."""

    url: str
    secret: str
    retired: str | None = None


class SmsPoint(_Document, frozen=True, kw_only=True, tag_field="kind", tag="sms"):
    """A number that takes text messages, as E.164 writes it (`+86…`)."""

    number: str
    retired: str | None = None


class ApprisePoint(_Document, frozen=True, kw_only=True, tag_field="kind", tag="apprise"):
    """An Apprise URL (ntfy, Bark, WeCom, DingTalk, Feishu, e-mail, …). It holds secrets and is shown nowhere."""

    url: str
    retired: str | None = None


ContactPoint = WebPushPoint | WebhookPoint | SmsPoint | ApprisePoint


class Person(_Document, frozen=True, kw_only=True):
    """Somebody who can be called. The first contact point that is not retired is their best."""

    id: PersonId
    name: str
    phone: str | None = None
    contact_points: tuple[ContactPoint, ...] = ()


class Duty(_Document, frozen=True, kw_only=True):
    """Who stands at a post, always or within [start, end)."""

    person: PersonId
    start: Moment | None = None
    end: Moment | None = None

    def covers(self, at: datetime) -> bool:
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)


class Post(_Document, frozen=True, kw_only=True):
    """A post of an area (its auxiliary officer's, say) and who is on duty there."""

    id: PostId
    area: AreaId
    role: Role
    name: str
    duty: tuple[Duty, ...] = ()

    def on_duty(self, at: datetime) -> tuple[PersonId, ...]:
        """Who stands here at `at`, each once."""
        return tuple(dict.fromkeys(duty.person for duty in self.duty if duty.covers(at)))

    def everyone(self) -> tuple[PersonId, ...]:
        """Everyone who ever stands here, each once."""
        return tuple(dict.fromkeys(duty.person for duty in self.duty))


def left_out_of(household: Household | None) -> frozenset[PersonId]:
    """Who has no part in the calls for `household`."""
    return frozenset(one.person for one in household.left_out) if household is not None else frozenset()


Document = Area | Group | Household | Person | Post
DocumentKind = Literal["area", "group", "household", "person", "post"]

KINDS: dict[DocumentKind, type[Document]] = {
    "area": Area,
    "group": Group,
    "household": Household,
    "person": Person,
    "post": Post,
}


def document_kind(value: str) -> DocumentKind:
    """`value` as a kind of document. Raises `Malformed` when there is no such kind."""
    for kind in get_args(DocumentKind):
        if value == kind:
            return kind  # type: ignore[no-any-return]
    raise Malformed(f"kind {value[:80]!r} is none of {', '.join(KINDS)}", field="kind")
