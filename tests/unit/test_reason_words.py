"""Screens say in Chinese why a call was not made: each reason that we give ourselves has its words."""

from __future__ import annotations

import re

import pytest

from dispatch.fanout.calls import UNKNOWN
from dispatch.fanout.lanes import LATE
from dispatch.fanout.reasons import NOT_MADE
from dispatch.web import pages

WORDS = (pages.STATIC / "desk" / "words.js").read_text("utf-8")
KNOWN = re.findall(r"^  \[/(\^.+?)/, \(", WORDS, re.MULTILINE)


@pytest.mark.parametrize("reason", sorted({*NOT_MADE, UNKNOWN, str(LATE.reason)}))
def test_a_reason_of_ours_has_its_words(reason: str) -> None:
    assert any(re.search(pattern, reason) for pattern in KNOWN)
