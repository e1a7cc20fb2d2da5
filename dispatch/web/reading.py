"""Reading what a caller sent: bounded in size, time and depth, and checked against a model."""

from __future__ import annotations

import asyncio
import json
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from dispatch.errors import Malformed, Oversized
from dispatch.web.by_hand import LONGEST_ETA_MINUTES
from dispatch.web.problems import TooSlow, WrongContentType

BODY_SECONDS = 10.0
BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

M = TypeVar("M", bound=BaseModel)


class Sent(BaseModel):
    """What a caller sends. A field that is not known is refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _plain(text: str) -> str:
    for character in text:
        if (unicodedata.category(character) == "Cc" and character not in "\n\t") or character in BIDI_CONTROLS:
            raise ValueError(f"holds the control character U+{ord(character):04X}; leave it out")
    return text


Text = Annotated[str, Field(max_length=2000), AfterValidator(_plain)]
"""Text for people: at most 2,000 characters, no control characters but line break and tab."""
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Minutes = Annotated[
    int, Field(ge=0, le=LONGEST_ETA_MINUTES, strict=True, description=f"Minutes from now, 0 to {LONGEST_ETA_MINUTES}")
]
Flag = Annotated[bool, Field(strict=True)]


async def read_body(request: web.Request, limit: int, *, any_type: bool = False) -> bytes:
    """The body, of at most `limit` bytes.

    Raises `WrongContentType` when it is not said to be JSON (and not of `any_type`), `Oversized`, or `TooSlow`
    after ten seconds.
    """
    if request.content_type != "application/json" and not any_type:
        raise WrongContentType(
            f"a body of type {request.content_type[:80]!r}: send JSON with `Content-Type: application/json`"
        )
    if (request.content_length or 0) > limit:
        raise _oversized(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise _oversized(limit)
    except TimeoutError:
        raise TooSlow(f"the body did not arrive within {BODY_SECONDS:g} s; send it again", field="body") from None
    return bytes(body)


def _oversized(limit: int) -> Oversized:
    return Oversized(f"the body is larger than {limit} bytes; send less", field="body", limit=limit)


def parse_json(body: bytes) -> Any:
    """The value that `body` is in strict JSON (RFC 8259): UTF-8, no NaN, no key twice, not nested without end."""
    try:
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        raise Malformed("the body is nested too deeply", field="body") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise Malformed(f"the body is not JSON: {error}", field="body") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for key, value in pairs:
        if key in known:
            raise ValueError(f"the key {key[:80]!r} stands there twice")
        known[key] = value
    return known


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def checked(model: type[M], value: Any) -> M:
    """`value` as `model`. Raises `Malformed` that names each wrong field, its value and the way out."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = [_described(e) for e in error.errors(include_url=False, include_context=False)]
        first = errors[0]
        raise Malformed(
            "; ".join(f"{e['field']} {e['value']}: {e['way_out']}" for e in errors[:5]),
            field=first["field"],
            errors=errors[:20],
        ) from None


def _described(error: Mapping[str, Any]) -> dict[str, str]:
    missing = error["type"] == "missing"
    return {
        "field": ".".join(str(part)[:80] for part in error["loc"]) or "body",
        "value": "is missing" if missing else _shown(error["input"]),
        "way_out": str(error["msg"]),
    }


def _shown(value: object) -> str:
    return ascii(value)[:80] if isinstance(value, (str, int, float, bool, type(None))) else f"({type(value).__name__})"
