"""JWTs as NATS signs them: whatever is not signed by whom it names is refused, and nothing else happens."""

from __future__ import annotations

import base64
import json
from typing import Any

import nkeys
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.embedded.nats import new_account_seed
from dispatch.errors import Malformed
from dispatch.intake.nkey_jwt import sign, verified


def new_key() -> nkeys.KeyPair:
    return nkeys.from_seed(bytearray(new_account_seed().encode()))


KEY = new_key()
TOKEN = sign(KEY, {"sub": "U1", "nats": {"type": "user"}})


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_what_is_signed_is_read_again_with_its_issuer() -> None:
    claims = verified(TOKEN)
    assert (claims["sub"], claims["nats"]) == ("U1", {"type": "user"})
    assert claims["iss"] == KEY.public_key.decode()
    assert claims["iat"] > 1_700_000_000
    assert claims["jti"]


def test_claims_that_were_changed_are_refused() -> None:
    header, _, signature = TOKEN.split(".")
    changed = part({**verified(TOKEN), "sub": "U2"})
    with pytest.raises(Malformed, match="did not sign"):
        verified(f"{header}.{changed}.{signature}")


def test_claims_signed_by_another_are_refused() -> None:
    forged = sign(new_key(), {"sub": "U1"})
    claims = {**verified(forged), "iss": KEY.public_key.decode()}
    with pytest.raises(Malformed, match="did not sign"):
        verified(".".join([forged.split(".")[0], part(claims), forged.split(".")[2]]))


@pytest.mark.parametrize("header", [{"typ": "JWT", "alg": "none"}, {"typ": "JWT", "alg": "HS256"}, {}])
def test_only_the_algorithm_of_nats_counts(header: dict[str, str]) -> None:
    _, body, signature = TOKEN.split(".")
    with pytest.raises(Malformed, match="header"):
        verified(f"{part(header)}.{body}.{signature}")


@pytest.mark.parametrize("issuer", ["", "A", 7, None, ["A"], "Ä" * 56, "1" * 56, "A" * 56, "A" * 64])
def test_an_issuer_that_is_no_key_is_refused(issuer: object) -> None:
    header, _, signature = TOKEN.split(".")
    with pytest.raises(Malformed):
        verified(f"{header}.{part({'iss': issuer})}.{signature}")


@given(st.text(max_size=200))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(Malformed):
        verified(text)
    with pytest.raises(Malformed):
        verified(f"{TOKEN.split('.')[0]}.{text}.{TOKEN.split('.')[2]}")
