"""The ring: what a phone or an endpoint gets when its owner is called."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Literal

import msgspec
from msgspec.structs import replace

from dispatch.cases import Call, Case
from dispatch.events import Kind, Role
from dispatch.identifiers import AreaId, CaseId, NotificationId, PersonId, notification_id
from dispatch.roster import Area, Household

KINDS: Mapping[Kind, tuple[str, str]] = {
    "help": ("求助", "Help"),
    "intrusion": ("入室", "Intrusion"),
    "medical": ("急病", "Medical"),
    "fire": ("火警", "Fire"),
}
ROLES: Mapping[Role, tuple[str, str]] = {
    "group_leader": ("联防组长", "group leader"),
    "member": ("联防组员", "group member"),
    "police_assistant": ("警务助理", "police assistant"),
    "auxiliary_officer": ("辅警", "auxiliary officer"),
    "community_police_officer": ("社区民警", "community police officer"),
    "station": ("派出所", "station"),
    "command_centre": ("指挥中心", "command centre"),
    "emergency_centre": ("110指挥中心", "110 centre"),
    "asked": ("指挥中心点名", "asked for by the command centre"),
}
CHINA = timezone(timedelta(hours=8))
DRILL = "【演练 DRILL】"
DURESS = "【胁迫 DURESS】"
AGAIN = "【同一户 SAME HOME】"

Word = Literal["called", "stood_down", "over"]
"""What a ring says: come; no need to; the case is over. The last two replace the first on the phone."""
WORDS: Mapping[Word, tuple[str, str]] = {
    "stood_down": ("已有足够人手，感谢您，不用前往。", "Enough help is there. Thank you; you need not come."),
    "over": ("警情已结束，感谢您，不用前往。", "The case is over. Thank you; nobody needs to come any more."),
}
NO_NEED = ("您不用前往，感谢您。", "You need not come. Thank you.")
"""In the place of `stood_down` where fewer are going or on scene than the policy asks for: “enough” would be untrue."""

NAME_CHARACTERS, ADDRESS_CHARACTERS, NOTE_CHARACTERS = 60, 160, 400
"""A roster may hold more; with these every ring but its body fits one Web Push message."""


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Where help must come to, as responders are told."""

    area: str
    name: str
    address: str
    note: str = ""
    phone: str = ""

    @property
    def place(self) -> str:
        return " ".join(filter(None, (self.area, self.name)))


class RingHousehold(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    address: str


class Ring(msgspec.Struct, frozen=True, kw_only=True):
    """One responder's ring for one case; `notification` is the same over every channel and attempt."""

    notification: NotificationId
    case: CaseId
    step: int
    responder: PersonId
    kind: Kind
    drill: bool
    silent: bool
    title: str
    body: str
    household: RingHousehold
    reason: Role
    link: str
    raised_at: datetime
    word: Word = "called"
    duress: bool = False


def scene_of(case: Case, household: Household | None, areas: Mapping[AreaId, Area]) -> Scene:
    """The scene of `case`; what the roster does not know is said in words."""
    area = plain(next((areas[a].name for a in case.alarm.areas if a in areas), ""), NAME_CHARACTERS)
    if household is None:
        return Scene(area=area, name=case.alarm.household, address="地址未登记 address unknown")
    return Scene(
        area=area,
        name=plain(household.name, NAME_CHARACTERS),
        address=plain(household.address, ADDRESS_CHARACTERS),
        note=plain(household.note, NOTE_CHARACTERS),
        phone=plain(household.phone or "", NAME_CHARACTERS),
    )


def make_ring(case: Case, call: Call, scene: Scene, link: str) -> Ring:
    """The ring of one `call` of `case`; `link` is the responder's signed one-tap link.

    Who lives there is told nothing of duress: their phone is where it may be seen.
    """
    case, alarm = case.as_known_by(call.responder), case.alarm
    duress = case.is_under_duress and call.responder not in case.residents
    return Ring(
        notification=notification_id(case.id, call.responder),
        case=case.id,
        step=call.step,
        responder=call.responder,
        kind=case.kind,
        drill=case.drill,
        silent=case.silent or duress,
        title=f"{_mark(case, duress=duress)}{KINDS[case.kind][0]} · {scene.place}",
        body=_body(case, call.reasons[0].role, scene, duress=duress),
        household=RingHousehold(name=scene.name, address=scene.address),
        reason=call.reasons[0].role,
        link=link,
        raised_at=alarm.at,
        duress=duress,
    )


def for_another(ring: Ring, call: Call, link: str) -> Ring:
    """What `make_ring` makes for `call` of the same case, in the same role as that of `ring`.

    Only where both live in the household, or neither does: what they may know is the same.
    """
    who = notification_id(ring.case, call.responder)
    return replace(ring, notification=who, step=call.step, responder=call.responder, link=link)


def take_back(ring: Ring, word: Word, *, enough: bool) -> Ring:
    """The ring that replaces `ring` on the phone, to say that its owner need not come. It asks for no answer.

    The first line of its body says it by itself.
    """
    zh, en = NO_NEED if word == "stood_down" and not enough else WORDS[word]
    return replace(ring, word=word, body=f"{zh}\n{en}", link="")


def plain(text: str, most: int) -> str:
    """`text` on one line, without control characters, cut to `most` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _mark(case: Case, *, duress: bool) -> str:
    marks = (DURESS if duress else "", AGAIN if duress and case.beside is not None else "", DRILL if case.drill else "")
    return "".join(marks)


def _body(case: Case, role: Role, scene: Scene, *, duress: bool) -> str:
    zh_kind, en_kind = KINDS[case.kind]
    zh_role, en_role = ROLES[role]
    zh = f"{zh_kind}：{scene.place}，{scene.address}。您是{zh_role}，请回复能否前往。"
    en = f"{en_kind}: {scene.place}, {scene.address}. Called as {en_role}: please answer whether you can come."
    if role == "emergency_centre":
        zh, en = _to_110(case, scene, may_ring_back=not (case.silent or duress))
    if duress and case.beside is not None:
        zh = f"同一户再次报警：此前一起受胁迫的警情仍在处置，地点相同。{zh}"
        en = f"The same household pressed again: its case under duress still goes on, at the same place. {en}"
    if duress:
        zh = f"报警人受胁迫：请勿回拨电话，不要让对方看出您已知情。{zh}"
        en = f"Duress: do not ring back, do not show that you know. {en}"
    elif case.silent:
        zh, en = f"静默报警，请勿回拨电话。{zh}", f"Silent alarm: do not ring back. {en}"
    if case.alarm.drill and case.duress is not None:
        zh = f"演练中发生真实警情：这不是演练。{zh}"
        en = f"This is no drill any more: it has become real. {en}"
    elif case.drill:
        zh, en = f"这是演练，不是真实警情。{zh}", f"This is a drill, not a real alarm. {en}"
    note = f"注意：{scene.note}" if scene.note else ""
    return f"{zh}{note}\n{en}"


def _to_110(case: Case, scene: Scene, *, may_ring_back: bool) -> tuple[str, str]:
    """What 110 needs to take a case over: who, where, since when, who is coming, and whom it may ring back."""
    zh_kind, en_kind = KINDS[case.kind]
    since = f"{case.alarm.pressed_at.astimezone(CHINA):%H:%M:%S}"
    coming = sum(reply.answer == "going" for reply in case.replies.values())
    there = sum(reply.answer == "on_scene" for reply in case.replies.values())
    zh_phone, en_phone = "", ""
    if scene.phone and may_ring_back:
        zh_phone, en_phone = f"户主电话{scene.phone}。", f" Household's phone {scene.phone}."
    zh = (
        f"移交110：{zh_kind}，{scene.place}，{scene.address}，{since}报警，{coming}人正前往，{there}人在场。"
        f"{zh_phone}请派警处置并回复。"
    )
    en = (
        f"Handed over to 110. {en_kind}: {scene.place}, {scene.address}, alarm at {since}; {coming} on the way, "
        f"{there} on scene.{en_phone} Please send police, and answer."
    )
    return zh, en
