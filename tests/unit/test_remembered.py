"""What was counted of a period that is over is kept for one state of its months, and no longer."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec
import pytest

from dispatch.clock import now
from dispatch.errors import Unavailable
from dispatch.projections import remembered as module
from dispatch.projections.reader import Reader, Row
from dispatch.projections.remembered import SETTLED, Question, Remembered
from dispatch.projections.reports import months_of

MARCH = (datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC))
APRIL = (datetime(2025, 4, 1, tzinfo=UTC), datetime(2025, 5, 1, tzinfo=UTC))
JULY = datetime(2025, 7, 1, tzinfo=UTC)


@dataclass
class Database:
    """What Postgres says of its months, how often it was asked, and how often a thing was counted."""

    at: datetime = JULY
    started: datetime = MARCH[0]
    stamps: dict[str, str] = field(default_factory=lambda: {"2025_03": "1", "2025_04": "1"})
    month: int = 16_401
    filenode: int = 16_401
    unwatched: str = ""
    asked: int = 0
    counted: list[str] = field(default_factory=list)
    counts: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether a count goes on; until then it waits."""
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.counts.set()

    async def fetch(self, _query: str, first: str, last: str) -> Sequence[Row]:
        self.asked += 1
        head = {"at": self.at, "started": self.started}
        months = [
            {
                **head,
                "month": self.month,
                "filenode": self.filenode,
                "stamp": stamp,
                "name": name,
                "watched": name != self.unwatched,
            }
            for name, stamp in self.stamps.items()
            if first <= name <= last
        ]
        # As they come over a connection: no answer shares a value with another.
        rows: Sequence[Row] = msgspec.msgpack.decode(msgspec.msgpack.encode(months or [{**head, "month": None}]))
        return rows

    def question(self, asked: str, period: tuple[datetime, datetime] = MARCH, **more: Any) -> Question:
        async def count() -> list[str]:
            self.counted.append(asked)
            await self.counts.wait()
            if self.error is not None:
                raise self.error
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
    middle = MARCH[0] + timedelta(days=15)
    for _ in range(2):
        for period in (MARCH, APRIL, (MARCH[0], middle), (middle, MARCH[1])):
            assert await remembered.answer(database.question("this", period)) == ["this"]
        assert await remembered.answer(database.question("that")) == ["that"]
    assert database.counted == ["this", "this", "this", "this", "that"]
    both = [database.question("that"), database.question("new"), database.question("this", APRIL)]
    assert await remembered.answers(both) == [["that"], ["new"], ["this"]]
    assert database.counted[5:] == ["new"]
    remembered.forget()
    await remembered.answers(both)
    assert database.counted[6:] == ["that", "new", "this"]


async def asking(remembered: Remembered, database: Database, times: int = 3, **more: Any) -> list[asyncio.Task[Any]]:
    """So many who ask the same while it is being counted."""
    database.counts.clear()
    tasks = [asyncio.create_task(remembered.answer(database.question("this", **more))) for _ in range(times)]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_who_asks_while_it_is_being_counted_waits_for_that_count(
    remembered: Remembered, database: Database
) -> None:
    tasks = await asking(remembered, database)
    database.counts.set()
    answers = await asyncio.gather(*tasks)
    assert answers == [["this"]] * 3
    assert len({id(answer) for answer in answers}) == 3, "whoever changes theirs changes nobody else's"
    assert database.counted == ["this"]


async def test_who_goes_away_leaves_the_count_to_the_others_and_the_last_ends_it(
    remembered: Remembered, database: Database
) -> None:
    first, second, last = await asking(remembered, database)
    first.cancel()
    await asyncio.wait({first})
    second.cancel()
    database.counts.set()
    assert await last == ["this"]
    assert (first.cancelled(), second.cancelled(), database.counted) == (True, True, ["this"])

    remembered.forget()
    gone = await asking(remembered, database)
    for task in gone:
        task.cancel()
    await asyncio.wait(gone)
    (new,) = await asking(remembered, database, 1)
    assert database.counted == ["this"] * 3, "the count that was given up answers nobody"
    database.counts.set()
    assert await new == ["this"]


async def test_that_it_could_not_be_counted_is_said_to_all_who_asked_and_to_nobody_later(
    remembered: Remembered, database: Database
) -> None:
    tasks = await asking(remembered, database)
    database.error = Unavailable("the database is away")
    database.counts.set()
    assert await asyncio.gather(*tasks, return_exceptions=True) == [database.error] * 3
    database.error = None
    assert await remembered.answer(database.question("this")) == ["this"]
    assert database.counted == ["this"] * 2


async def test_a_count_that_is_not_true_for_whoever_asks_answers_nobody_else(
    remembered: Remembered, database: Database
) -> None:
    tasks = await asking(remembered, database, 1)
    database.stamps["2025_03"] = "2"
    tasks += await asking(remembered, database, 2)
    assert database.counted == ["this"] * 2, "something has changed since the first count began"
    database.counts.set()
    await asyncio.gather(*tasks)

    database.counted.clear()
    tasks = await asking(remembered, database, 3, period=APRIL, decided=lambda _: False)
    database.counts.set()
    assert await asyncio.gather(*tasks) == [["this"]] * 3
    assert database.counted == ["this"] * 3, "each is of its own moment"


async def test_the_live_month_is_counted_each_time_and_those_beside_it_are_not(
    remembered: Remembered, database: Database
) -> None:
    at = now()
    live = database.question("live", (at - timedelta(days=20), at + timedelta(days=10)))
    for _ in range(3):
        assert await remembered.answers([database.question("march"), live]) == [["march"], ["live"]]
    assert database.counted == ["march", "live", "live", "live"]
    database.asked = 0
    await remembered.answers([live, live])
    assert database.asked == 0, "of what is not over, no state is of use"


async def test_a_change_of_a_month_concerns_what_touches_it(remembered: Remembered, database: Database) -> None:
    questions = [database.question("march"), database.question("april", APRIL)]
    questions.append(database.question("both", (MARCH[0], APRIL[1])))
    concerned = {"2025_04": ["april", "both"], "2025_05": [], "2025_03": ["march", "both"]}
    for month, names in concerned.items():
        await remembered.answers(questions)
        database.stamps[month] = "2"
        database.counted.clear()
        await remembered.answers(questions)
        assert database.counted == names


@pytest.mark.parametrize(
    "change", [{"started": JULY}, {"month": 2}, {"filenode": 2}, {"stamps": {}}], ids=lambda change: next(iter(change))
)
async def test_another_postgres_another_table_an_emptied_one_and_none_are_counted_anew(
    remembered: Remembered, database: Database, change: dict[str, Any]
) -> None:
    await remembered.answer(database.question("march"))
    for name, value in change.items():
        setattr(database, name, value)
    for _ in range(2):
        await remembered.answer(database.question("march"))
    assert database.counted == ["march"] * 2


async def test_months_are_those_of_utc_in_which_the_tables_are_kept(remembered: Remembered, database: Database) -> None:
    """What is the last of March over there is in the table of April."""
    there = ZoneInfo("America/New_York")
    march = (datetime(2025, 3, 1, tzinfo=there), datetime(2025, 4, 1, tzinfo=there))
    await remembered.answer(database.question("march", march))
    database.stamps["2025_04"] = "2"
    await remembered.answer(database.question("march", march))
    assert database.counted == ["march"] * 2


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
    assert await times(as_of=JULY) == 3, "by the clock of the database it is not over"
    database.at, database.unwatched = JULY, "2025_03"
    assert await times() == 3
    assert await times(period=(MARCH[0], APRIL[1])) == 3, "though April is watched"
    assert await times(period=APRIL) == 1


async def test_an_answer_does_not_hold_for_an_earlier_moment(remembered: Remembered, database: Database) -> None:
    for as_of, counted in ((JULY, 1), (JULY + SETTLED, 1), (JULY - SETTLED, 2), (JULY, 2)):
        await remembered.answer(database.question("this", as_of=as_of))
        assert len(database.counted) == counted


@pytest.fixture
async def room_for_three(remembered: Remembered, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of three answers, to "a", is there already."""
    await remembered.answer(database.question("a"))
    monkeypatch.setattr(module, "MOST_BYTES", 3 * remembered._bytes)


@pytest.mark.usefixtures("room_for_three")
async def test_no_more_is_kept_than_the_most_and_the_newest_asked_for_stays(
    remembered: Remembered, database: Database
) -> None:
    for asked in "abcadabd":
        await remembered.answer(database.question(asked))
    assert "".join(database.counted) == "abcdb"


@pytest.mark.usefixtures("room_for_three")
async def test_what_is_counted_again_takes_its_room_once(remembered: Remembered, database: Database) -> None:
    for stamp in "23456":
        database.stamps["2025_03"] = stamp
        await remembered.answer(database.question("a"))
    database.counted.clear()
    for asked in "abcabc":
        await remembered.answer(database.question(asked))
    assert "".join(database.counted) == "bc"


async def test_the_most_is_of_the_memory_that_answers_take_however_small_they_are(
    remembered: Remembered, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 200_000
    monkeypatch.setattr(module, "MOST_BYTES", most)
    database.stamps = {f"2025_{month:02}": f"{month * 1_000_000}" for month in range(1, 7)}
    for second in range(3_000):
        period = (MARCH[0] + timedelta(seconds=second), APRIL[1])
        await remembered.answer(database.question(f"nobody {second}", period))
    database.counted.clear()
    assert most / 2 < taken_by(remembered) < most


def taken_by(holder: object) -> int:
    """The bytes of memory that `holder` takes with all that it holds, each thing once.

    tracemalloc says another figure after each past of a process: it does not see what CPython takes from its free
    lists, and it sees what is garbage.
    """
    found: dict[int, object] = {}
    ahead = [holder]
    while ahead:
        thing = ahead.pop()
        if id(thing) not in found and not isinstance(thing, type):
            found[id(thing)] = thing
            ahead += gc.get_referents(thing)
    return sum(map(sys.getsizeof, found.values()))
