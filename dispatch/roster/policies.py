"""Escalation policies as people write them down, in JSON: a field that is none of theirs is a slip, and is named."""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import Any

import msgspec

from dispatch.errors import Malformed
from dispatch.roster.documents import EscalationPolicy

ADVICE = "`dispatch roster policy --help` shows what it looks like"


def read_policies(content: bytes, name: str) -> tuple[EscalationPolicy, ...]:
    """The policies in `content`, a list in JSON that was read from the file `name`.

    Raises `Malformed` when it is none, or when it has a field that no policy has: what is misspelt would not count.
    """
    content = content.removeprefix(BOM_UTF8)
    try:
        policies = msgspec.json.decode(content, type=tuple[EscalationPolicy, ...])
        stray = _stray(msgspec.json.decode(content), msgspec.to_builtins(policies), "$")
    except UnicodeDecodeError:
        raise Malformed(
            f"{name} is not written in UTF-8; save it as UTF-8 (请以UTF-8编码保存)", field="policy"
        ) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise Malformed(f"{name} is no list of policies: {error}; {ADVICE}", field="policy") from None
    if stray is not None:
        raise Malformed(f"{name}: {stray} is no field of a policy; {ADVICE}", field="policy")
    return policies


def _stray(written: Any, understood: Any, place: str) -> str | None:
    """The first field of `written` that was not understood."""
    if isinstance(written, dict):
        for key, value in written.items():
            if key not in understood:
                return f"{place}.{key}"
            if (stray := _stray(value, understood[key], f"{place}.{key}")) is not None:
                return stray
    elif isinstance(written, list):
        for number, (one, other) in enumerate(zip(written, understood, strict=True)):
            if (stray := _stray(one, other, f"{place}[{number}]")) is not None:
                return stray
    return None
