"""Back-pressure in numbers: first rings that wait, and what is said of the store of presses."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import cast

import msgspec
from nats.aio.msg import Msg
from structlog.testing import capture_logs

from dispatch.cases import Case
from dispatch.events import Strained
from dispatch.fanout.backlog import HEARD_SECONDS, MOST_LOGGED, SHOWN_BYTES, Strains, first_rings_waiting
from tests.unit.escalation_story import T0, at, carry_out, press, recorded, step

WAITS, _ = carry_out(press())


def told(*cases: Case, before: float = 55) -> list[tuple[str, datetime]]:
    return [(one.detail, one.since) for one in first_rings_waiting(cases, at(before))]


def test_people_of_several_cases_who_wait_for_their_first_ring_are_counted_since_the_first_of_them() -> None:
    partly, _ = carry_out(press(3), recorded(4, anna="sent"))
    said = "首次呼叫等待中：2 起警情 5 人 / first rings waiting: 5 people in 2 cases"
    assert told(partly, WAITS) == [(said, T0)]


def test_one_case_is_no_backlog_and_neither_are_rings_of_just_now_or_those_of_a_later_step() -> None:
    assert told(WAITS) == []
    just_now, _ = carry_out(press(56))
    assert told(WAITS, just_now) == []
    assert told(WAITS, WAITS, before=0) == []
    widened, _ = carry_out(press(), recorded(1, anna="sent", bo="sent", li="sent"), step(1, 45))
    assert widened.owed()
    assert told(WAITS, widened) == []


async def test_word_on_the_store_that_cannot_be_read_is_logged_once_for_each_reason() -> None:
    strains = Strains()
    other = b'{"who": "one", "since": "2026-11-22T09:00:00Z", "refused": "many"}'
    with capture_logs() as logs:
        for _ in range(3):
            for body in (b"no word of ours", other):
                await strains.hear(cast("Msg", SimpleNamespace(data=body + b" " * 1000)))
        for number in range(100):
            await strains.hear(cast("Msg", SimpleNamespace(data=b" " * number + b"rubbish")))
    assert [line["said"].strip() for line in logs[:2]] == ["no word of ours", other.decode()]
    assert "refused" in logs[1]["reason"]
    assert {line["event"] for line in logs} == {"strain.unreadable"}
    assert len(logs) == MOST_LOGGED
    assert all(len(line["said"]) <= SHOWN_BYTES for line in logs)
    assert strains.incidents() == []


async def test_the_newest_words_of_all_processes_on_the_store_are_added_up_while_they_are_said() -> None:
    passed = 100.0
    strains = Strains(passed=lambda: passed)

    async def hear(body: bytes) -> None:
        await strains.hear(cast("Msg", SimpleNamespace(data=body)))

    async def say(who: str, since: float, refused: int) -> None:
        word = Strained(who=who, since=at(since), refused=refused, slow=refused + 1, waiting=refused + 2)
        await hear(msgspec.json.encode(word))

    await hear(b"no word of ours")
    assert strains.incidents() == []
    for who, since, refused in (("one", 7, 1), ("other", 5, 10), ("one", 7, 3)):
        await say(who, since, refused)
    (incident,) = strains.incidents()
    assert (incident.name, incident.since) == ("intake.store", at(5))
    assert "13 refused (pages say to telephone, buttons send again), 15 slow, 17 waiting" in incident.detail
    assert "13 次未存（网页已请对方打电话，按钮会重发），15 次缓慢，17 次正在等" in incident.detail

    passed += HEARD_SECONDS - 1
    await say("one", 7, 3)
    passed += 1
    (incident,) = strains.incidents()
    assert "3 refused" in incident.detail
    assert incident.since == at(7)
    passed += HEARD_SECONDS
    assert strains.incidents() == []
