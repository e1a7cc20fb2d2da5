"""An answer that is good for a while: found once for all who ask meanwhile, and a refusal is one, too."""

from __future__ import annotations

import asyncio

import pytest

from dispatch.errors import Unavailable
from dispatch.web.lately import Lately


class Question:
    """Answers how often it was asked, once it may; time stands still but for a test."""

    def __init__(self) -> None:
        self.asked, self.time = 0, 0.0
        self.may, self.away = asyncio.Event(), False
        self.lately = Lately(self.ask, 1.0, clock=lambda: self.time)

    async def ask(self) -> int:
        self.asked += 1
        await self.may.wait()
        if self.away:
            raise Unavailable("it is away")
        return self.asked


async def test_whoever_asks_while_it_is_being_found_gets_the_same_answer() -> None:
    question = Question()
    asking = [asyncio.create_task(question.lately.answer()) for _ in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()
    question.time = 60.0
    late = asyncio.create_task(question.lately.answer())
    await asyncio.sleep(0)
    question.may.set()
    assert await asyncio.gather(*asking[1:], late) == [1, 1, 1]


async def test_it_is_good_for_a_second_from_when_it_was_found() -> None:
    question = Question()
    question.may.set()
    answers = []
    for question.time in (0.0, 0.9, 1.0, 1.9, 2.1):
        answers.append(await question.lately.answer())
    assert answers == [1, 1, 2, 2, 3]


async def test_a_refusal_is_good_for_less() -> None:
    question = Question()
    question.may.set()
    question.away = True
    for question.time in (0.0, 0.1):
        with pytest.raises(Unavailable):
            await question.lately.answer()
    assert question.asked == 1
    question.away, question.time = False, 0.2
    assert await question.lately.answer() == 2
