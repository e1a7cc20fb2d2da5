"""One-tap links: what we signed is read back, and nothing else is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from dispatch.access import LINK_LIFE, LinkClaims, Links
from dispatch.errors import NotSignedIn
from dispatch.identifiers import CaseId, PersonId

SECRET = b"0" * 32
CASE, PERSON = CaseId("h-0012-7K3M9QXZ"), PersonId("p-1")
LINKS = Links(SECRET, "https://dispatch.example")


def token_of(link: str) -> str:
    return link.rpartition("/")[2]


def test_a_link_says_who_may_answer_what() -> None:
    link = LINKS.make(CASE, PERSON)
    assert link.startswith("https://dispatch.example/r/")
    assert LINKS.read(token_of(link)) == LinkClaims(CASE, PERSON)


@given(st.integers(min_value=0, max_value=400), st.characters())
@settings(deadline=None)
def test_a_link_with_any_character_changed_is_refused(place: int, character: str) -> None:
    token = token_of(LINKS.make(CASE, PERSON))
    place %= len(token)
    forged = token[:place] + character + token[place + 1 :]
    if forged != token and place != len(token) - 1:  # the last character has bits that mean nothing
        with pytest.raises(NotSignedIn):
            LINKS.read(forged)


@pytest.mark.parametrize("forged", ["", ".", "a.b.c", "x" * 100_000, "\x00", "一呼多应", "\ud800"])
def test_rubbish_is_refused(forged: str) -> None:
    with pytest.raises(NotSignedIn):
        LINKS.read(forged)


def test_a_link_signed_with_another_secret_is_refused() -> None:
    with pytest.raises(NotSignedIn):
        LINKS.read(token_of(Links(b"1" * 32, "").make(CASE, PERSON)))


@pytest.mark.parametrize("claims", [[CASE], {"case": CASE}, [CASE, 5], ["no case", PERSON], [CASE, "a b"]])
def test_what_is_signed_but_is_no_claim_is_refused(claims: object) -> None:
    signed = URLSafeTimedSerializer(SECRET, salt="dispatch.one-tap-link.v1").dumps(claims)
    with pytest.raises(NotSignedIn):
        LINKS.read(str(signed))


@pytest.mark.parametrize(("age", "good"), [(0.99, True), (1.01, False)])
def test_a_link_lives_for_48_hours(age: float, good: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    token = token_of(LINKS.make(CASE, PERSON))
    later = int(time.time() + age * LINK_LIFE.total_seconds())
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: later)
    if good:
        assert LINKS.read(token) == LinkClaims(CASE, PERSON)
    else:
        with pytest.raises(NotSignedIn):
            LINKS.read(token)
