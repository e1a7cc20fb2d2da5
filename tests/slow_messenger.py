"""A messenger that answers no more than a story lets it, so that others wait for their turn."""

from __future__ import annotations

import asyncio
from collections import Counter

from dispatch.fanout.channels.threads import AT_ONCE_PER_PLACE
from dispatch.identifiers import CaseId, HouseholdId
from tests.live import LiveSystem
from tests.messengers import Message, Messenger
from tests.waiting import until


class SlowMessenger:
    """The one messenger by which everybody is rung. What comes besides what a story asks for fails it."""

    def __init__(self, live: LiveSystem, ntfy: Messenger) -> None:
        self._live, self._ntfy = live, ntfy
        self._heard = self._answered = 0

    def hold(self) -> None:
        """From now on it answers but so many that as many come as a story asks for."""
        self._ntfy.answers, self._answered = asyncio.Semaphore(0), self._heard

    async def ask(self, case: CaseId, deed: str) -> None:
        assert (await self._live.call("operator", "POST", f"/v1/cases/{case}/{deed}", {}))[0] == 200

    async def widens(self, case: CaseId) -> None:
        """The operator widens; afterwards the rings of the step are under way or wait for their turn."""
        await self.ask(case, "widen")
        await self._begun(case, step=1)

    async def press(self, household: str) -> None:
        """Somebody else presses, likewise."""
        await self._begun(await self._live.press_at(HouseholdId(household)), step=0)

    async def _begun(self, case: CaseId, step: int) -> None:
        """That no page is open is known at once, and by then the others wait."""

        async def known() -> bool:
            calls = [call for (of, _), call in (await self._live.case(case)).calls.items() if of == step]
            return bool(calls) and all("live" in call.outcomes for call in calls)

        await until(known, "the rings to wait for their turn")

    async def rings(self, number: int) -> Counter[str]:
        """For which villages the next so many rings are."""
        return Counter(message.title.split(" · ")[1].split()[0] for message in await self._next(number, urgent=True))

    async def stands_down(self, number: int) -> None:
        """The next so many say that one need not come."""
        await self._next(number, urgent=False)

    def answer_all(self) -> None:
        held, self._ntfy.answers = self._ntfy.answers, None
        if held is not None:
            for _ in self._ntfy.messages:
                held.release()

    def are_as_told(self) -> None:
        assert len(self._ntfy.messages) == self._heard

    async def _next(self, number: int, *, urgent: bool) -> list[Message]:
        begin, self._heard = self._heard, self._heard + number
        if self._ntfy.answers is not None:
            while AT_ONCE_PER_PLACE + self._answered < self._heard:
                self._ntfy.answers.release()
                self._answered += 1

        async def come() -> bool:
            return len(self._ntfy.messages) == self._heard

        await until(come, "the messages to come")
        found = self._ntfy.messages[begin:]
        assert {message.urgent for message in found} == {urgent}
        return found
