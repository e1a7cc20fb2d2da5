"""The PDUs of SMPP 3.4 that we speak, as bytes. Numbers are those of its specification (SMPP v3.4, Issue 1.2).

What comes from the other side is measured before it is read: a length that cannot be, or a field without its end,
is `Broken`, and nothing is ever read past the PDU.
"""

from __future__ import annotations

import asyncio
import struct

import msgspec

GENERIC_NACK = 0x80000000
SUBMIT_SM = 0x00000004
DELIVER_SM = 0x00000005
UNBIND = 0x00000006
BIND_TRANSCEIVER = 0x00000009
ENQUIRE_LINK = 0x00000015
RESPONSE = 0x80000000
"""The bit that makes a request's command id that of its response (5.1.2.1)."""

OK = 0x00000000
INVALID_COMMAND_LENGTH = 0x00000002
INVALID_COMMAND = 0x00000003
QUEUE_FULL = 0x00000014
THROTTLED = 0x00000058
INVALID_DESTINATION = 0x0000000B
TRY_AGAIN = 0x00000064
"""ESME_RX_T_APPN: we cannot take it now."""
NEVER_AGAIN = 0x00000065
"""ESME_RX_P_APPN: we can never take it."""

STATUSES = {
    0x01: "ESME_RINVMSGLEN", 0x02: "ESME_RINVCMDLEN", 0x03: "ESME_RINVCMDID", 0x04: "ESME_RINVBNDSTS",
    0x05: "ESME_RALYBND", 0x06: "ESME_RINVPRTFLG", 0x07: "ESME_RINVREGDLVFLG", 0x08: "ESME_RSYSERR",
    0x0A: "ESME_RINVSRCADR", 0x0B: "ESME_RINVDSTADR", 0x0C: "ESME_RINVMSGID", 0x0D: "ESME_RBINDFAIL",
    0x0E: "ESME_RINVPASWD", 0x0F: "ESME_RINVSYSID", 0x14: "ESME_RMSGQFUL", 0x15: "ESME_RINVSERTYP",
    0x43: "ESME_RINVESMCLASS", 0x45: "ESME_RSUBMITFAIL", 0x48: "ESME_RINVSRCTON", 0x49: "ESME_RINVSRCNPI",
    0x50: "ESME_RINVDSTTON", 0x51: "ESME_RINVDSTNPI", 0x53: "ESME_RINVSYSTYP", 0x58: "ESME_RTHROTTLED",
    0x61: "ESME_RINVSCHED", 0x62: "ESME_RINVEXPIRY", 0xFF: "ESME_RUNKNOWNERR",
}  # fmt: skip

INTERNATIONAL, ISDN = 1, 1
ALPHANUMERIC, UNKNOWN = 5, 0
UDH_INDICATOR = 0x40
UCS2 = 0x08

TLV_RECEIPTED_MESSAGE_ID = 0x001E
TLV_MESSAGE_PAYLOAD = 0x0424
TLV_MESSAGE_STATE = 0x0427

MAX_PDU_BYTES = 70_000
"""A `message_payload` has 64 KiB at most (5.3.2.32); nothing else comes near."""

_HEADER = struct.Struct(">IIII")
_INTERFACE_VERSION = 0x34


class Broken(ValueError):
    """These bytes are no PDU; the text says why."""


class Pdu(msgspec.Struct, frozen=True):
    """One PDU: header and body."""

    command: int
    status: int
    sequence: int
    body: bytes = b""

    def encode(self) -> bytes:
        return _HEADER.pack(_HEADER.size + len(self.body), self.command, self.status, self.sequence) + self.body


class Submit(msgspec.Struct, frozen=True, kw_only=True):
    """A `submit_sm`. Addresses are digits, but for a sender with a name; `octets` are what the phone gets."""

    source: str
    source_ton: int
    source_npi: int
    destination: str
    octets: bytes
    esm_class: int = 0
    data_coding: int = UCS2
    validity: str = ""
    receipt: bool = False

    def body(self) -> bytes:
        """Raises `ValueError` for what does not fit its field."""
        if len(self.octets) > 254 or len(self.source) > 20 or len(self.destination) > 20:
            raise ValueError("an address of 20 characters and a message of 254 octets are the most (SMPP 3.4, 4.4.1)")
        return b"".join((
            b"\0",  # service_type
            bytes((self.source_ton, self.source_npi)), _cstring(self.source),
            bytes((INTERNATIONAL, ISDN)), _cstring(self.destination),
            bytes((self.esm_class, 0, 0)), b"\0", _cstring(self.validity),
            bytes((int(self.receipt), 0, self.data_coding, 0, len(self.octets))), self.octets,
        ))  # fmt: skip


class Deliver(msgspec.Struct, frozen=True, kw_only=True):
    """A `deliver_sm`: a phone's text, or a receipt. `octets` are its message, or the payload in the place of one."""

    source: str
    source_ton: int
    destination: str
    esm_class: int
    data_coding: int
    octets: bytes
    tlvs: dict[int, bytes]


def bind_body(system_id: str, password: str) -> bytes:
    """The body of a `bind_transceiver`."""
    return b"".join((_cstring(system_id), _cstring(password), b"\0", bytes((_INTERFACE_VERSION, 0, 0)), b"\0"))


async def read_pdu(reader: asyncio.StreamReader) -> Pdu:
    """The next PDU. Raises `Broken`, `IncompleteReadError` at the end, and what the connection raises."""
    length, command, status, sequence = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    if not _HEADER.size <= length <= MAX_PDU_BYTES:
        raise Broken(f"a PDU of {length} bytes")
    return Pdu(command, status, sequence, await reader.readexactly(length - _HEADER.size))


def read_deliver(body: bytes) -> Deliver:
    """The `deliver_sm` with `body`. Raises `Broken`."""
    fields = _Fields(body)
    fields.cstring()
    source_ton, _, source = fields.octet(), fields.octet(), fields.cstring()
    _, _, destination = fields.octet(), fields.octet(), fields.cstring()
    esm_class, _, _ = fields.octet(), fields.octet(), fields.octet()
    fields.cstring()
    fields.cstring()
    _, _, data_coding, _ = (fields.octet() for _ in range(4))
    octets = fields.take(fields.octet())
    tlvs = dict(fields.tlvs())
    return Deliver(
        source=source,
        source_ton=source_ton,
        destination=destination,
        esm_class=esm_class,
        data_coding=data_coding,
        octets=octets or tlvs.get(TLV_MESSAGE_PAYLOAD, b""),
        tlvs=tlvs,
    )


def message_id_of(body: bytes) -> str:
    """The message id in the body of a `submit_sm_resp`; "" when it has none, as that of a refusal."""
    return body.split(b"\0", 1)[0].decode("ascii", "replace")


def status_name(status: int) -> str:
    return STATUSES.get(status, f"command_status {status:#010x}")


class _Fields:
    """The fields of a body, read one after another."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def octet(self) -> int:
        return self.take(1)[0]

    def take(self, count: int) -> bytes:
        taken = self._body[self._at : self._at + count]
        if len(taken) < count:
            raise Broken("the PDU ends within a field")
        self._at += count
        return taken

    def cstring(self) -> str:
        end = self._body.find(b"\0", self._at)
        if end < 0:
            raise Broken("a text without its end")
        text = self._body[self._at : end].decode("ascii", "replace")
        self._at = end + 1
        return text

    def tlvs(self) -> list[tuple[int, bytes]]:
        """The optional parameters; what cannot be one is left out with all behind it, as it is not needed."""
        found = []
        while len(self._body) - self._at >= 4:
            tag, length = struct.unpack_from(">HH", self._body, self._at)
            value = self._body[self._at + 4 : self._at + 4 + length]
            if len(value) < length:
                break
            found.append((tag, value))
            self._at += 4 + length
        return found


def _cstring(text: str) -> bytes:
    return text.encode("ascii").replace(b"\0", b"") + b"\0"
