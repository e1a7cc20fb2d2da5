"""Screens say in Chinese why a call was not made, and why somebody cannot be reached: each reason has its words."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from dispatch.cli.reachability import STANDINGS
from dispatch.drills.report import NO_POINT
from dispatch.fanout.calls import UNKNOWN
from dispatch.fanout.lanes import LATE
from dispatch.fanout.reasons import NOT_MADE
from dispatch.roster.reachability import Standing
from dispatch.web import pages

WORDS = (pages.STATIC / "desk" / "words.js").read_text("utf-8")
KNOWN = re.findall(r"^  \[/(\^.+?)/, \(", WORDS, re.MULTILINE)


@pytest.mark.parametrize("reason", sorted({*NOT_MADE, UNKNOWN, str(LATE.reason)}))
def test_a_reason_of_ours_has_its_words(reason: str) -> None:
    assert any(re.search(pattern, reason) for pattern in KNOWN)


def test_how_somebody_can_be_reached_has_its_words_on_the_desk_and_on_the_command_line() -> None:
    block = re.search(r"^export const standings = \{\n(.*?)^\};", WORDS, re.MULTILINE | re.DOTALL)
    assert block is not None
    on_the_desk = re.findall(r'^  (\w+): \["[^"]+", "[^"]+"\],$', block[1], re.MULTILINE)
    assert set(on_the_desk) == set(STANDINGS) == set(get_args(Standing))


@pytest.mark.parametrize("said", [WORDS, STANDINGS["none"], NO_POINT], ids=["desk", "command line", "drill report"])
def test_that_an_open_page_is_no_contact_point_is_said_wherever_there_is_none(said: str) -> None:
    assert "没有推送、短信等联系方式（仅有电话号码或打开的页面不算）" in said
    assert (
        "no push, text message or other contact point (a telephone number alone or an open page is not counted)" in said
    )
