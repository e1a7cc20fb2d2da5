"""Finding something in the roster by what somebody says of it on the telephone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from dispatch.web.reading import Sent

MOST = 20
"""Found in one answer; whoever gets so many says more."""
LEAST_DIGITS = 4
"""Of a telephone number; fewer are in everybody's."""
SECONDS = 2.0
"""The roster is read through for a search, in the process that takes alarms: never for long."""


class SearchAsked(Sent):
    q: Annotated[str, Field(min_length=1, max_length=100)]

    @property
    def words(self) -> list[str]:
        return self.q.casefold().split()


def is_meant(words: Sequence[str], phone: str | None, *said: str) -> bool:
    """Whether every one of `words` stands in what is `said` of it, or they are a part of its telephone number."""
    number = "".join(words)
    by_phone = len(number) >= LEAST_DIGITS and number in (phone or "")
    return by_phone or all(word in " ".join(said).casefold() for word in words)
