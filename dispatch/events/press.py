"""A press: one activation of an alarm, as it stands in the stream of presses.

Presses over HTTP are published by `dispatch.intake` as CloudEvents. A button's press over
MQTT is stored by the server the moment it arrives, before any process of ours has seen it, as
the bare JSON that the button sent. `decode_press` reads both, so that whoever consumes the
stream agrees on what is a press and what belongs in the DLQ.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec

from dispatch.errors import Malformed, Oversized
from dispatch.events.envelope import CloudEvent, headers_of, is_cloud_event
from dispatch.events.types import Kind, Source
from dispatch.identifiers import HouseholdId, PressId, Site, token

MAX_PRESS_BYTES = 4096
"""A press is a few hundred bytes; what is larger is refused, on every way in."""

CLOCK_TOLERANCE = timedelta(minutes=10)
"""A button's clock that is further off than this is not believed."""

PRESS_TYPE = "dispatch.press.v1"


class Press(msgspec.Struct, frozen=True, kw_only=True):
    """Who pressed what, when. `device` names the token that pressed; it is no secret."""

    press: PressId
    household: HouseholdId
    device: str
    source: Source
    pressed_at: datetime
    kind: Kind = "help"
    silent: bool = False
    drill: bool = False


class ButtonPress(msgspec.Struct, frozen=True, kw_only=True):
    """What a button sends over MQTT: `press_id`, new for each activation and kept on retries, and little else.

    Of the rest, what cannot be read counts as left out: an alarm is never refused for its label.
    """

    press_id: str | int
    kind: Any = "help"
    silent: Any = False
    drill: Any = False
    pressed_at: Any = None


_button = msgspec.json.Decoder(ButtonPress)
_press = msgspec.json.Decoder(Press)
encode = msgspec.json.encode

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes from outside; the last for arrays nested a thousand deep, in 2 kB."""


def press_subject(site: Site | str, household: HouseholdId | str) -> str:
    """Where the presses of `household` (`*`: of any) come in."""
    return f"intake.press.{site}.{household}"


def answer_subject(site: Site | str, household: HouseholdId | str) -> str:
    """Where a button hears what became of its press; over MQTT the topic is `intake/answer/<site>/<household>`."""
    return f"intake.answer.{site}.{household}"


def encode_press(press: Press, site: Site) -> tuple[str, dict[str, str], bytes]:
    """Subject, headers and body that publish `press`.

    The id in the headers, by which the stream knows a press again, is another for a drill: a real press under
    the id of a drill is none sent twice.
    """
    envelope = CloudEvent(
        id=f"{press.household}:{press.press}{':drill' if press.drill else ''}",
        source=f"/dispatch/{site}/intake",
        type=PRESS_TYPE,
        subject=press.household,
        time=press.pressed_at,
    )
    return press_subject(site, press.household), headers_of(envelope), encode(press)


def believed(claimed: datetime | None, arrived: datetime) -> datetime:
    """When the key went down: what the device says, unless its clock cannot be right; then when it arrived."""
    if claimed is None:
        return arrived
    # Compared, not converted: a time at either end of the calendar has no equal in UTC.
    claimed = claimed.replace(tzinfo=UTC) if claimed.tzinfo is None else claimed
    return claimed.astimezone(UTC) if arrived - CLOCK_TOLERANCE <= claimed <= arrived else arrived


def decode_press(subject: str, headers: Mapping[str, str] | None, body: bytes, arrived: datetime) -> Press:
    """The press in a message of the stream `INTAKE`, stored there at `arrived`.

    Raises `Oversized` or `Malformed`, naming field and value, when it is none.
    """
    if len(body) > MAX_PRESS_BYTES:
        raise Oversized(f"a press of {len(body)} bytes: at most {MAX_PRESS_BYTES} are read; send less", field="body")
    if is_cloud_event(headers):
        try:
            press = _press.decode(body)
        except UNREADABLE as error:
            raise Malformed(f"the press cannot be read: {error}", field="body") from None
        if not subject.endswith(f".{press.household}"):
            raise Malformed(f"a press of household {press.household!r} on the subject {subject!r}", field="household")
        return press
    return _decode_button(HouseholdId(subject.rsplit(".", 1)[-1]), body, arrived)


def _decode_button(household: HouseholdId, body: bytes, arrived: datetime) -> Press:
    try:
        button = _button.decode(body)
    except UNREADABLE as error:
        raise Malformed(
            f'the press cannot be read: {error}; send JSON such as {{"press_id": "b7f3", "kind": "help"}}',
            field="body",
        ) from None
    return Press(
        press=PressId(token(str(button.press_id), "press_id")),
        household=HouseholdId(token(household, "household")),
        device=f"button-{household}",
        source="mqtt",
        pressed_at=believed(moment_of(button.pressed_at), arrived),
        kind=kind_of(button.kind),
        silent=silent_of(button.silent),
        drill=drill_of(button.drill),
    )


def moment_of(value: object) -> datetime | None:
    """`value` as a time; None for what cannot be one: the clock of a button may be unset, or centuries off."""
    try:
        at = msgspec.convert(value, datetime | None)
    except msgspec.ValidationError:
        return None
    return at if at is not None and 2000 <= at.year <= 2999 else None


def silent_of(value: object) -> bool:
    """What is not plainly loud is silent: a sound at the wrong moment cannot be taken back."""
    return value not in (False, None, 0, "", "false")


def drill_of(value: object) -> bool:
    """What is not plainly a drill is in earnest."""
    return value is True


def kind_of(value: object) -> Kind:
    """`value` as a kind of case. An unknown kind is `help`."""
    for kind in get_args(Kind):
        if value == kind:
            return kind  # type: ignore[no-any-return]
    return "help"
