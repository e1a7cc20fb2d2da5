"""Telephone numbers as SMSCs write them: with and without `+`, with `00`, or as one dials them at home."""

from __future__ import annotations

import phonenumbers

from dispatch.fanout.sms import pdu

HOME = "CN"
LONGEST = 20


def e164(address: str, ton: int = pdu.UNKNOWN) -> str | None:
    """`address` of the given type of number (SMPP 3.4, 5.2.5) as E.164; None when it is no valid number of a phone."""
    if len(address) > LONGEST:
        return None
    written = [address]
    if ton == pdu.INTERNATIONAL and not address.startswith(("+", "00")):
        written.insert(0, f"+{address}")  # or at home's, where the type is not to be believed
    for text in written:
        try:
            number = phonenumbers.parse(text, HOME)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return None


def sender_type(sender: str) -> tuple[int, int, str]:
    """Type of number, numbering plan and address of our sender: `+86…`, a service number, or a name."""
    if sender.startswith("+"):
        return pdu.INTERNATIONAL, pdu.ISDN, sender[1:]
    return (pdu.UNKNOWN, pdu.UNKNOWN, sender) if sender.isdigit() else (pdu.ALPHANUMERIC, pdu.UNKNOWN, sender)
