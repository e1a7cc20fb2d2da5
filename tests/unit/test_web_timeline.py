"""The timeline as others than operators read it: nothing in it names somebody who was left out."""

from __future__ import annotations

import json
from typing import Any

from dispatch.identifiers import PersonId
from dispatch.web.api.cases import _without

BAD = PersonId("p-bad")
TOGETHER: list[dict[str, Any]] = [
    {"type": "responders_called", "data": {"step": 0, "calls": [{"responder": "p-1"}, {"responder": BAD}]}},
    {"type": "calls_recorded", "data": {"outcomes": [{"responder": BAD, "outcome": "sent"}]}},
    {"type": "responders_stood_down", "data": {"responders": [BAD, "p-2"], "by": "system"}},
    {"type": "handed_over", "data": {"to": [BAD], "by": "operator:wang"}},
]
OWN: list[dict[str, Any]] = [
    {"type": "responder_replied", "data": {"responder": BAD, "answer": "going"}},
    {"type": "responder_left_out", "data": {"responder": "p-3", "by": "operator:wang"}},
]


def test_of_what_happened_to_several_the_others_are_left() -> None:
    seen = [_without(entry, {BAD}) for entry in TOGETHER]
    assert BAD not in json.dumps(seen)
    assert seen[0] == {"type": "responders_called", "data": {"step": 0, "calls": [{"responder": "p-1"}]}}
    assert seen[2] == {"type": "responders_stood_down", "data": {"responders": ["p-2"], "by": "system"}}


def test_what_is_theirs_alone_is_not_there() -> None:
    assert [_without(entry, {BAD}) for entry in OWN] == [None, None]


def test_without_anybody_left_out_nothing_is_missing() -> None:
    assert [_without(entry, set()) for entry in TOGETHER] == TOGETHER
