"""Whose turn it is: the more urgent first, areas in turns, drills after what is in earnest."""

from __future__ import annotations

import asyncio

import pytest

from dispatch.fanout.turns import Place, Queue, Rank, Turns


def order(*waiting: tuple[str, Place]) -> list[str]:
    queue: Queue[str] = Queue()
    for name, place in waiting:
        queue.push(place, name)
    return [queue.pop() for _ in range(len(queue))]


def at(rank: Rank, area: str = "a", *, drill: bool = False) -> Place:
    return Place(rank, drill, area)


def test_the_more_urgent_go_first_whenever_they_came() -> None:
    came = [("word", Rank.NOTICE), ("again", Rank.REPEATED), ("wider", Rank.WIDENED), ("first", Rank.FIRST)]
    assert order(*((name, at(rank)) for name, rank in came)) == ["first", "wider", "again", "word"]


def test_areas_take_turns_and_each_keeps_its_order() -> None:
    storm = [(f"storm{n}", at(Rank.FIRST, "storm")) for n in range(4)]
    others = [("b0", at(Rank.FIRST, "b")), ("c0", at(Rank.FIRST, "c")), ("b1", at(Rank.FIRST, "b"))]
    assert order(*storm, *others) == ["storm0", "b0", "c0", "storm1", "b1", "storm2", "storm3"]


def test_a_drill_comes_after_what_is_in_earnest_of_its_rank_and_before_the_next_rank() -> None:
    assert order(("wider", at(Rank.WIDENED)), ("drill", at(Rank.FIRST, drill=True)), ("alarm", at(Rank.FIRST))) == [
        "alarm",
        "drill",
        "wider",
    ]


def test_who_waits_no_longer_is_taken_out_and_counted_no_more() -> None:
    queue: Queue[str] = Queue()
    for name in ("one", "two"):
        queue.push(at(Rank.FIRST), name)
    queue.remove(at(Rank.FIRST), "one")
    assert (len(queue), queue.of(Rank.FIRST), queue.of(Rank.NOTICE)) == (1, 1, 0)
    assert queue.pop() == "two"
    assert not queue
    queue.remove(at(Rank.FIRST), "two")
    assert len(queue) == 0


def test_a_turn_that_is_free_is_had_without_yielding() -> None:
    async def take() -> str:
        async with Turns(1).at(at(Rank.FIRST)):
            return "had"

    with pytest.raises(StopIteration) as ended:
        take().send(None)
    assert ended.value.value == "had"


async def test_turns_that_are_given_back_go_to_the_most_urgent() -> None:
    turns, had = Turns(1), list[str]()

    async def work(name: str, rank: Rank) -> None:
        async with turns.at(at(rank)):
            had.append(name)
            await asyncio.sleep(0)

    async with turns.at(at(Rank.NOTICE)):
        tasks = [asyncio.create_task(work(f"word{n}", Rank.NOTICE)) for n in range(3)]
        tasks.append(asyncio.create_task(work("press", Rank.FIRST)))
        await asyncio.sleep(0)
        assert (turns.waiting(Rank.FIRST), turns.waiting(Rank.NOTICE)) == (1, 3)
    await asyncio.gather(*tasks)
    assert had == ["press", "word0", "word1", "word2"]


async def test_a_turn_given_back_while_all_who_wait_give_up_is_not_lost() -> None:
    turns = Turns(1)

    async def work() -> None:
        async with turns.at(at(Rank.FIRST)):
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(work()) for _ in range(5)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    async with asyncio.timeout(5), turns.at(at(Rank.FIRST)):
        pass


@pytest.mark.parametrize("its_turn_came", [False, True])
async def test_one_who_gives_up_waiting_holds_no_turn(*, its_turn_came: bool) -> None:
    turns = Turns(1)

    async def work() -> None:
        async with turns.at(at(Rank.FIRST)):
            await asyncio.Event().wait()

    async with turns.at(at(Rank.FIRST)):
        waiting = asyncio.create_task(work())
        await asyncio.sleep(0)
        if not its_turn_came:
            waiting.cancel()
            await asyncio.wait([waiting])
    waiting.cancel()
    await asyncio.wait([waiting])
    async with asyncio.timeout(5), turns.at(at(Rank.NOTICE)):
        pass
