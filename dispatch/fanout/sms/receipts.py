"""Delivery receipts: what the SMSC says, later, of a text that it took (SMPP 3.4, 5.2.12, 5.2.28, appendix B)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from dispatch.fanout.sms.pdu import TLV_MESSAGE_STATE, TLV_RECEIPTED_MESSAGE_ID, Deliver

MESSAGE_TYPE, IS_RECEIPT = 0x3C, 0x04
LONGEST_ID = 64

Came = Literal["delivered", "failed"]
STATES: Mapping[int, str] = {2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 8: "REJECTD"}
CAME_TO: Mapping[str, Came] = {
    "DELIVRD": "delivered", "EXPIRED": "failed", "DELETED": "failed", "UNDELIV": "failed", "REJECTD": "failed",
}  # fmt: skip

_ID = re.compile(r"\bid:\s*(\S{1,64})", re.IGNORECASE)
_STATE = re.compile(r"\bstat:\s*([A-Z]{1,10})", re.IGNORECASE)
_ERROR = re.compile(r"\berr:\s*(\w{1,8})", re.IGNORECASE)


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the text with the SMSC's `message_id`; `reason` says it in the SMSC's words."""

    message_id: str
    came: Came
    reason: str | None = None


def read_receipt(message: Deliver) -> Receipt | None:
    """The receipt in `message`; None when it says nothing final (accepted, on its way) or not of which text."""
    text = message.octets.decode("latin-1")
    told = message.tlvs.get(TLV_RECEIPTED_MESSAGE_ID, b"").split(b"\0", 1)[0].decode("latin-1")
    found, state = _ID.search(text), _STATE.search(text)
    message_id = (told or (found[1] if found else ""))[:LONGEST_ID]
    number = message.tlvs.get(TLV_MESSAGE_STATE, b"")
    name = STATES.get(number[0], "") if number else state[1].upper() if state else ""
    came = CAME_TO.get(name)
    if not message_id or came is None:
        return None
    error = _ERROR.search(text)
    reason = f"{name}, error {error[1]}" if error and error[1].strip("0") else name
    return Receipt(message_id=message_id, came=came, reason=reason if came == "failed" else None)


def is_receipt(message: Deliver) -> bool:
    """Whether the SMSC itself says so: the words of a receipt in a phone's text are but a text."""
    return message.esm_class & MESSAGE_TYPE == IS_RECEIPT


def spellings(message_id: str) -> tuple[str, ...]:
    """The ways in which an SMSC may write this id elsewhere, this one first.

    Some answer `submit_sm` with a hexadecimal number and write it as a decimal one in receipts, or with zeros in front.
    """
    bare = message_id.strip().lower().lstrip("0") or "0"
    found = [bare]
    if bare.isdecimal() and bare.isascii():
        found.append(f"{int(bare):x}")
    if re.fullmatch(r"[0-9a-f]{1,16}", bare):
        found.append(str(int(bare, 16)))
    return tuple(dict.fromkeys(found))
