"""The timeline as others than operators read it: nothing in it names somebody who was left out."""

from __future__ import annotations

import json
from typing import Any

from dispatch.identifiers import PersonId
from dispatch.web.api.cases import _without

BAD = PersonId("p-bad")
HIDDEN = frozenset({BAD})
GAP = {"what": "station", "reason": "nobody"}
TOGETHER: list[dict[str, Any]] = [
    {"type": "responders_called", "data": {"step": 0, "calls": [{"responder": "p-1"}, {"responder": BAD}]}},
    {"type": "calls_recorded", "data": {"outcomes": [{"responder": p, "outcome": "sent"} for p in ("p-1", BAD)]}},
    {"type": "responders_stood_down", "data": {"responders": [BAD, "p-2"], "by": "system"}},
    {"type": "handed_over", "data": {"to": [BAD], "by": "operator:wang"}},
]
ALONE: list[dict[str, Any]] = [
    {"type": "responders_called", "data": {"step": 1, "calls": [{"responder": BAD}], "gaps": []}},
    {"type": "calls_recorded", "data": {"outcomes": [{"responder": BAD, "outcome": "sent"}]}},
    {"type": "fell_back", "data": {"calls": [{"responder": BAD, "channel": "sms"}]}},
    {"type": "responders_stood_down", "data": {"responders": [BAD], "by": "system"}},
    {"type": "case_noted", "data": {"note": "n", "author": f"responder:{BAD}", "text": "her brother"}},
]
OWN: list[dict[str, Any]] = [
    {"type": "responder_replied", "data": {"responder": BAD, "answer": "going"}},
    {"type": "responder_left_out", "data": {"responder": "p-3", "by": "operator:wang"}},
]


def test_of_what_happened_to_several_the_others_are_left() -> None:
    seen = [_without(entry, HIDDEN) for entry in TOGETHER]
    assert BAD not in json.dumps(seen)
    assert seen[0] == {"type": "responders_called", "data": {"step": 0, "calls": [{"responder": "p-1"}]}}
    assert seen[2] == {"type": "responders_stood_down", "data": {"responders": ["p-2"], "by": "system"}}


def test_what_is_theirs_alone_is_not_there() -> None:
    assert [_without(entry, HIDDEN) for entry in OWN] == [None, None]


def test_nobody_reads_when_somebody_was_rung_who_is_left_out() -> None:
    assert [_without(entry, HIDDEN) for entry in ALONE] == [None] * len(ALONE)


def test_a_step_that_called_nobody_but_who_lives_there_is_not_there() -> None:
    """Whom a silent case spares is an operator's to know."""
    spared = {"type": "responders_called", "data": {"step": 1, "calls": [], "gaps": []}}
    assert _without(spared, frozenset()) is None


def test_what_was_missing_is_said_though_nobody_is_left_who_was_called() -> None:
    entry = {"type": "responders_called", "data": {"step": 1, "calls": [{"responder": BAD}], "gaps": [GAP]}}
    assert _without(entry, HIDDEN) == {"type": entry["type"], "data": {"step": 1, "calls": [], "gaps": [GAP]}}


def test_without_anybody_left_out_nothing_is_missing() -> None:
    assert [_without(entry, frozenset()) for entry in TOGETHER] == TOGETHER
