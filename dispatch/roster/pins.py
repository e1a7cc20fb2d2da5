"""The PINs of a household: one that cancels, and one that seems to.

Kept as argon2id hashes (RFC 9106, its second recommended option: 64 MiB), never plain. Four digits are soon tried out
by whoever has the hash, so what protects them is the roster itself, and on the way in the limit on tries.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from msgspec.structs import replace

from dispatch.errors import Malformed
from dispatch.roster.documents import Household

PinKind = Literal["pin", "duress"]
FEWEST_DIGITS, MOST_DIGITS = 4, 8

_hasher = PasswordHasher()


@cache
def _nobodys() -> str:
    """Compared with where there is no hash, so that the time does not tell."""
    return _hasher.hash("no PIN has letters")


def hashed(pin: str | None, duress: str | None) -> Callable[[Household], Household]:
    """Gives a household these PINs, or takes them away with None. Hashing takes about a tenth of a second.

    Raises `Malformed` for a PIN that is not 4 to 8 digits, for two that are equal, and for a duress PIN alone.
    """
    for field, value in (("pin", pin), ("duress_pin", duress)):
        if value is not None and not _is_pin(value):
            raise Malformed(f"{field}: a PIN is {FEWEST_DIGITS} to {MOST_DIGITS} digits", field=field)
    if duress is not None and pin is None:
        raise Malformed("duress_pin: there is no duress PIN without a PIN; give both", field="duress_pin")
    if pin is not None and pin == duress:
        raise Malformed("duress_pin: it is the PIN itself; choose another", field="duress_pin")
    hashes = [_hasher.hash(value) if value is not None else None for value in (pin, duress)]
    return lambda household: replace(household, pin=hashes[0], duress_pin=hashes[1])


def which_pin(household: Household, said: str) -> PinKind | None:
    """Which of its PINs `said` is, or None. Takes as long for either, for none, and where one is not set."""
    is_pin = _matches(household.pin, said)
    is_duress = _matches(household.duress_pin, said)
    return "duress" if is_duress else "pin" if is_pin else None


def _is_pin(value: str) -> bool:
    return value.isascii() and value.isdigit() and FEWEST_DIGITS <= len(value) <= MOST_DIGITS


def _matches(known: str | None, said: str) -> bool:
    try:
        _hasher.verify(known or _nobodys(), said)
    except (Argon2Error, InvalidHashError):
        return False
    return known is not None
