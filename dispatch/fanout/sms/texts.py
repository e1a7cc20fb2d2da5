"""What a text says, and how it is cut into the parts that a phone puts together again."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from dispatch.fanout.ring import Ring

SINGLE_UNITS, PART_UNITS = 70, 67
"""UTF-16 units in a text of its own, and in a part behind a header of six octets (3GPP TS 23.040, 9.2.3.24.1)."""
MOST_UNITS = 4 * PART_UNITS
"""More parts take longer to arrive, and one that is lost holds back the others."""

HOW_TO_ANSWER = "回复1前往 2不能 3到场"
SILENT = "静默报警，勿回拨。"
DURESS = "报警人受胁迫，勿回拨，勿让对方察觉。"
NO_CASE = "您目前没有待应答的警情。紧急情况请直接拨打110。"
UNREADABLE = f"未能识别您的回复。请{HOW_TO_ANSWER}，例如“1 10”表示10分钟后到。"

Header = bytes


def text_of(ring: Ring) -> str:
    """The text of `ring`, of at most four parts: the address is cut for that, and the link left out if it does not fit.

    What has to be known first stands first: a drill, what, and where; a link last, where nothing can be glued to it.
    """
    if ring.word != "called":
        return _cut(f"{ring.title}：{ring.body.splitlines()[0]}", MOST_UNITS)
    quiet = DURESS if ring.duress else SILENT if ring.silent else ""
    tail = f"。{quiet}{HOW_TO_ANSWER}"
    text = _cut(f"{ring.title}，{ring.household.address}", MOST_UNITS - _units(tail)) + tail
    linked = f"{text} {ring.link}"
    return linked if ring.link and _units(linked) <= MOST_UNITS else text


def parts_of(text: str, reference: int) -> list[tuple[Header, bytes]]:
    """`text` in UCS-2 (UTF-16, big end first): for each part its user data header, empty for a single one, and octets.

    `reference`, 0 to 255, is the same for all parts and another for the next text to the same phone. No character is
    cut in two. Raises `ValueError` for a text of more than 255 parts.
    """
    if _units(text) <= SINGLE_UNITS:
        return [(b"", _ucs2(text))]
    cut: list[str] = []
    part, units = "", 0
    for character in text:
        size = _units(character)
        if units + size > PART_UNITS:
            cut.append(part)
            part, units = "", 0
        part, units = part + character, units + size
    cut.append(part)
    # Information element 00: concatenated, an 8-bit reference, the number of parts, which one (TS 23.040, 9.2.3.24.1).
    try:
        headers = [struct.pack("6B", 5, 0, 3, reference, len(cut), n) for n in range(1, len(cut) + 1)]
    except struct.error as error:
        raise ValueError(f"a text of {len(cut)} parts, or the reference {reference}: {error}") from None
    return list(zip(headers, map(_ucs2, cut), strict=True))


def _ucs2(text: str) -> bytes:
    return text.encode("utf-16-be", "replace")


def _units(text: str) -> int:
    return len(_ucs2(text)) // 2


def _cut(text: str, most: int) -> str:
    """`text`, or as much of it as fits `most` units with a sign that it was cut."""
    if _units(text) <= most:
        return text
    while _units(text) > most - 1:
        text = text[:-1]
    return text + "…"


CHARSETS: Mapping[int, str] = {0x03: "latin-1", 0x04: "utf-8", 0x08: "utf-16-be", 0x0F: "gb18030"}
"""By data_coding (SMPP 3.4, 5.2.19); 15 is what Chinese SMSCs take over from CMPP. Of all others only digits matter."""


def read_text(octets: bytes, data_coding: int, *, headed: bool) -> str | None:
    """What a phone sent, or None for a later part of a long text: an answer stands at the beginning."""
    if headed and octets:
        header, octets = octets[1 : octets[0] + 1], octets[octets[0] + 1 :]
        if _part_number(header) > 1:
            return None
    if data_coding & 0xF0 == 0x00:
        charset = CHARSETS.get(data_coding, "latin-1")
    else:  # a general data coding group: its alphabet is in bits 2 and 3 (3GPP TS 23.038, 4)
        charset = "utf-16-be" if data_coding & 0x0C == 0x08 and data_coding < 0xF0 else "latin-1"
    return octets.decode(charset, "replace")


def _part_number(header: bytes) -> int:
    """Which part of a concatenated text this is; 1 when it is none."""
    at = 0
    while at + 2 <= len(header):
        element, length = header[at], header[at + 1]
        if element in {0x00, 0x08} and length >= 3 and at + 2 + length <= len(header):
            return header[at + 1 + length]
        at += 2 + length
    return 1
