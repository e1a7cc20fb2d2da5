"""A text as an answer. Pure: what somebody under stress types on a small key pad, and nothing guessed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

import msgspec

from dispatch.events import Answer

LONGEST = 160
"""What is longer was not typed as an answer, and is not read to its end."""
MOST_MINUTES = 240

DIGITS: Mapping[str, Answer] = {"1": "going", "2": "cannot", "3": "on_scene"}
WORDS: tuple[tuple[str, Answer], ...] = (
    (r"不能|无法|不去|去不了|来不了|不来|不前往|不方便|没空", "cannot"),
    (r"马上|快到|就到|就来|就去|出发|赶来|赶去|赶到|路上|前往", "going"),
    (r"到场|到达|已到|到了", "on_scene"),
)
"""In this order: `无法前往` is no `前往`, and who is `马上到` is not there yet."""
DENIED = re.compile(r"[没未不][^，,。;；]{0,2}(?:到|出发)")
"""`没到场`, `未到达`, `不到场`: whatever it is, it is none of the three."""

_UNIT = r"\s*(?:分|小时|个|点|号|min|h)"
_CODE = re.compile(rf"(?:回复)?[\W_]*([123])(?!\d|{_UNIT})(.*)", re.DOTALL | re.IGNORECASE)
"""Not `3分钟到`: that is no 3."""
_NUMBER = re.compile(r"\d+")
_MINUTES = re.compile(r"\D{0,8}?(\d{1,3})\s*(分钟?|min(?:utes?)?|m|小时|个小时|h(?:ours?)?)?(?!\d)", re.IGNORECASE)


class ReadAnswer(msgspec.Struct, frozen=True):
    """An answer, with minutes to arrival if they said."""

    answer: Answer
    eta_minutes: int | None = None


def read_answer(text: str) -> ReadAnswer | None:
    """The answer in `text`: 1, 2 or 3, or the words for them, `1 10` being there in ten minutes; None for all else.

    A text that says two things says none: nobody is to be thought on the way who is not.
    """
    plain = unicodedata.normalize("NFKC", text[:LONGEST]).strip()
    said = _said_in_words(plain)
    if len(text) > LONGEST or (said != "cannot" and DENIED.search(plain)):
        return None
    code = _CODE.fullmatch(plain)
    if code is not None:
        answer = DIGITS[code[1]]
        return _with_minutes(answer, code[2]) if said in {None, answer} else None
    if said is None or re.match(r"[\W_]*\d", plain):
        return None
    return _with_minutes(said, plain)


def _said_in_words(plain: str) -> Answer | None:
    return next((answer for words, answer in WORDS if re.search(words, plain)), None)


def _with_minutes(answer: Answer, rest: str) -> ReadAnswer | None:
    numbers = _NUMBER.findall(rest)
    another = not DIGITS.keys().isdisjoint(numbers)
    if answer != "going" or len(numbers) != 1:
        return None if another else ReadAnswer(answer)
    match = _MINUTES.match(rest)
    if match is None:
        return ReadAnswer(answer)
    hours = (match[2] or "").lower().startswith(("小", "个", "h"))
    minutes = int(match[1]) * (60 if hours else 1)
    return ReadAnswer(answer, minutes if minutes <= MOST_MINUTES else None)
