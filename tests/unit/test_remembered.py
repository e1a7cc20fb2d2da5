"""What was counted of a period that is over is kept for one state of its months, and no longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from dispatch.projections import remembered as module
from dispatch.projections.reader import Reader, Row
from dispatch.projections.remembered import SETTLED, Question, Remembered
from dispatch.projections.reports import months_of

MARCH = (datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC))
APRIL = (datetime(2025, 4, 1, tzinfo=UTC), datetime(2025, 5, 1, tzinfo=UTC))
JULY = datetime(2025, 7, 1, tzinfo=UTC)


@dataclass
class Database:
    """What Postgres says of its months, and how often a thing was counted."""

    at: datetime = JULY
    stamps: dict[str, str] = field(default_factory=lambda: {"2025_03": "1", "2025_04": "1"})
    watched: bool = True
    counted: list[str] = field(default_factory=list)

    async def fetch(self, _query: str, first: str, last: str) -> Sequence[Row]:
        head = {"at": self.at, "started": MARCH[0]}
        months = [
            {**head, "month": name, "filenode": 1, "stamp": stamp, "name": name, "watched": self.watched}
            for name, stamp in self.stamps.items()
            if first <= name <= last
        ]
        return months or [{**head, "month": None}]

    def question(self, asked: str, period: tuple[datetime, datetime] = MARCH, **more: Any) -> Question:
        async def count() -> list[str]:
            self.counted.append(asked)
            return [asked]

        return Question(asked=asked, since=period[0], until=period[1], count=count, **more)


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def remembered(database: Database) -> Remembered:
    return Remembered(cast("Reader", database))


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC"])
@pytest.mark.parametrize("days", [0.1, 1, 31, 200, 400])
def test_the_months_of_a_period_are_all_of_it_once(zone: str, days: float) -> None:
    until = datetime(2026, 11, 13, 9, 30, tzinfo=UTC)
    since = until - timedelta(days=days)
    months = list(months_of(since, until, zone))
    assert (months[0][1][0], months[-1][1][1]) == (since, until)
    for (_, before), (_, after) in pairwise(months):
        assert before[1] == after[0]
        assert after[0].astimezone(ZoneInfo(zone)).strftime("%d %H:%M:%S") == "01 00:00:00"
    for first, (begin, end) in months:
        assert f"{begin.astimezone(ZoneInfo(zone)):%Y-%m-01}" == first
        assert f"{(end - timedelta(seconds=1)).astimezone(ZoneInfo(zone)):%Y-%m-01}" == first


async def test_each_question_about_each_period_is_counted_once(remembered: Remembered, database: Database) -> None:
    half = (MARCH[0], MARCH[0] + timedelta(days=15))
    for _ in range(2):
        for period in (MARCH, APRIL, half):
            assert await remembered.answer(database.question("this", period)) == ["this"]
        assert await remembered.answer(database.question("that")) == ["that"]
    assert database.counted == ["this", "this", "this", "that"]
    both = [database.question("that"), database.question("new"), database.question("this", APRIL)]
    assert await remembered.answers(both) == [["that"], ["new"], ["this"]]
    assert database.counted[4:] == ["new"]


async def test_a_change_of_a_month_concerns_what_touches_it(remembered: Remembered, database: Database) -> None:
    questions = [database.question("march"), database.question("april", APRIL)]
    questions.append(database.question("both", (MARCH[0], APRIL[1])))
    for change in ({"2025_04": "2"}, {"2025_05": "2"}, {"2025_03": "3"}):
        await remembered.answers(questions)
        database.stamps |= change
        database.counted.clear()
        await remembered.answers(questions)
        assert (
            database.counted
            == {
                "2025_04": ["april", "both"],
                "2025_05": [],
                "2025_03": ["march", "both"],
            }[next(iter(change))]
        )
    database.stamps = {}
    assert await remembered.answer(database.question("march"))
    assert database.counted[-1] == "march"


async def test_nothing_is_kept_of_what_is_not_over_not_watched_or_not_decided(
    remembered: Remembered, database: Database
) -> None:
    async def times(**more: Any) -> int:
        database.counted.clear()
        for _ in range(3):
            await remembered.answer(database.question(f"{more}", **more))
        return len(database.counted)

    assert await times(decided=lambda _: False) == 3
    assert await times(as_of=MARCH[1] + SETTLED - timedelta(seconds=1)) == 3
    assert await times(as_of=MARCH[1] + SETTLED) == 1
    database.at = MARCH[1] + SETTLED - timedelta(seconds=1)
    assert await times() == 3
    database.at, database.watched = JULY, False
    assert await times() == 3


async def test_an_answer_does_not_hold_for_an_earlier_moment(remembered: Remembered, database: Database) -> None:
    for as_of, counted in ((JULY, 1), (JULY + SETTLED, 1), (JULY - SETTLED, 2), (JULY, 2)):
        await remembered.answer(database.question("this", as_of=as_of))
        assert len(database.counted) == counted


@pytest.mark.parametrize(("most", "number"), [("MOST_BYTES", 3 * len(b"\x91\xa1a")), ("MOST_ANSWERS", 3)])
async def test_no_more_is_kept_than_the_most_and_the_newest_asked_for_stays(
    remembered: Remembered, database: Database, monkeypatch: pytest.MonkeyPatch, most: str, number: int
) -> None:
    monkeypatch.setattr(module, most, number)
    for asked in "abcadabd":
        await remembered.answer(database.question(asked))
    assert "".join(database.counted) == "abcdb"
