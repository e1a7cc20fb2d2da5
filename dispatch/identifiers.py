"""Names of things. Every id is a token that can stand in a NATS subject, an MQTT topic and a URL."""

from __future__ import annotations

import hashlib
import re
from base64 import b32encode
from typing import NewType

from dispatch.errors import Malformed

Site = NewType("Site", str)
AreaId = NewType("AreaId", str)
HouseholdId = NewType("HouseholdId", str)
GroupId = NewType("GroupId", str)
PersonId = NewType("PersonId", str)
PostId = NewType("PostId", str)
PressId = NewType("PressId", str)
CaseId = NewType("CaseId", str)
CommitId = NewType("CommitId", str)
NotificationId = NewType("NotificationId", str)

NO_HOUSEHOLD = HouseholdId("imported")
"""What an imported case has in a household's place: older systems know of places, not of our households."""

_PAST_TAIL, _LONGEST_CALL = 26, 37
TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def token(value: str, field: str) -> str:
    """`value` if it can be an id.

    Raises `Malformed`, naming `field`, when it holds anything but 1 to 64 letters, digits,
    `-` and `_`, or begins with one of the last two.
    """
    if not TOKEN.fullmatch(value):
        raise Malformed(
            f"{field} {value[:80]!r} is not an id: use 1 to 64 letters, digits, '-' or '_', "
            "beginning with a letter or digit",
            field=field,
        )
    return value


def short_hash(*parts: str, length: int = 8) -> str:
    """A short name made of `parts`, the same each time; 5 bits for each of `length` characters.

    Characters are those of RFC 4648 base32, which reads well aloud.
    """
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    needed = -(-length // 8) * 5
    return b32encode(digest[:needed]).decode()[:length]


def case_id_for(household: HouseholdId, press: PressId) -> CaseId:
    """The case that `press` raises if it raises one.

    Made from the press, so that a press delivered twice raises the same case; begins with
    the household, so that the case can be found in the log by its id alone.
    """
    return CaseId(f"{household}-{short_hash(household, press)}")


def past_case_id(call: str) -> CaseId:
    """The case of `call`, the id that an older system had for it: the same each time, and no household's."""
    named = call if TOKEN.fullmatch(call) and len(call) <= _LONGEST_CALL else "call"
    return CaseId(f"{named}-{short_hash('past', call, length=_PAST_TAIL)}")


def is_past(case: CaseId) -> bool:
    """Whether `case` was imported: it belongs to the history and calls nobody."""
    return len(case.rpartition("-")[2]) == _PAST_TAIL and TOKEN.fullmatch(case) is not None


def household_of(case: CaseId) -> HouseholdId:
    """The household in a case's id, `NO_HOUSEHOLD` in an imported one's.

    Raises `Malformed` when `case` is no case id.
    """
    if is_past(case):
        return NO_HOUSEHOLD
    household, dash, tail = case.rpartition("-")
    if not dash or len(tail) != 8 or not TOKEN.fullmatch(household):
        raise Malformed(f"case {case[:80]!r} is not a case id", field="case")
    return HouseholdId(household)


def notification_id(case: CaseId, responder: PersonId) -> NotificationId:
    """What a responder's phone knows this case's alert by: the same over every channel and attempt.

    26 characters of base32, so that it fits the Web Push `Topic` header (RFC 8030, 5.4: 32 at most).
    """
    return NotificationId(short_hash(case, responder, length=26))
