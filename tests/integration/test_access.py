"""Tokens and keys on a real server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from nats.aio.client import Client

from dispatch.access import Principal, Tokens, load_keys
from dispatch.access.bucket import Bucket
from dispatch.errors import Malformed, NotFound, NotSignedIn, SetupError, Unavailable
from dispatch.events import KEYS, TOKENS
from dispatch.identifiers import AreaId

START = datetime(2026, 11, 21, tzinfo=UTC)


class MovableClock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def tokens(nc: Client, site: str, clock: MovableClock) -> Tokens:
    return Tokens(nc, site, clock=clock)


async def test_a_token_speaks_for_whom_it_was_made(tokens: Tokens) -> None:
    issued = await tokens.issue("operator", "desk-1", label="指挥中心", area=AreaId("mouding"))
    assert issued.secret.startswith("dsp_operator_")
    assert await tokens.check(issued.secret) == Principal(
        role="operator", subject="desk-1", area=AreaId("mouding"), label="指挥中心", token_id=issued.token_id
    )


async def test_only_the_hash_of_a_token_is_kept(tokens: Tokens, nc: Client, site: str) -> None:
    issued = await tokens.issue("device", "h-1")
    digest = hashlib.sha256(issued.secret.encode()).hexdigest()
    kept = [(key, value) async for key, value in Bucket(nc, TOKENS).items(f"{site}.>")]
    assert [key for key, _ in kept] == [f"{site}.{digest}"]
    assert digest.startswith(issued.token_id)
    assert issued.secret.rpartition("_")[2].encode() not in kept[0][1]


@pytest.mark.parametrize("secret", ["", "dsp_device_x", "a.b", "*", ">", "x" * 100_000, "令牌", "\ud800"])
async def test_an_unknown_token_is_refused(tokens: Tokens, secret: str) -> None:
    with pytest.raises(NotSignedIn):
        await tokens.check(secret)


async def test_a_token_of_another_site_is_refused(tokens: Tokens, nc: Client, site: str) -> None:
    issued = await Tokens(nc, f"{site}x").issue("device", "h-1")
    with pytest.raises(NotSignedIn):
        await tokens.check(issued.secret)


async def test_a_revoked_token_is_refused_at_once_and_others_are_not(tokens: Tokens) -> None:
    first, second = await tokens.issue("device", "h-1"), await tokens.issue("device", "h-2")
    assert (await tokens.revoke(first.token_id)).subject == "h-1"
    with pytest.raises(NotSignedIn):
        await tokens.check(first.secret)
    assert (await tokens.check(second.secret)).subject == "h-2"
    assert [info.principal.subject for info in await tokens.list()] == ["h-2"]
    with pytest.raises(NotFound):
        await tokens.revoke(first.token_id)


async def test_a_token_ends_when_it_was_to_end(tokens: Tokens, clock: MovableClock) -> None:
    issued = await tokens.issue("device", "h-1", expires_at=START + timedelta(days=1))
    clock.at = START + timedelta(days=1, seconds=-1)
    await tokens.check(issued.secret)
    clock.at = START + timedelta(days=1)
    with pytest.raises(NotSignedIn):
        await tokens.check(issued.secret)


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "boss"},
        {"subject": "a.b"},
        {"subject": ""},
        {"label": "two\nlines"},
        {"label": "x" * 201},
        {"area": AreaId("*")},
        {"expires_at": START},
        {"expires_at": datetime(2027, 1, 1)},  # noqa: DTZ001 - what is refused
    ],
)
async def test_a_token_that_cannot_be_is_not_made(tokens: Tokens, wrong: dict[str, str]) -> None:
    asked = {"role": "device", "subject": "h-1"} | wrong
    with pytest.raises(Malformed):
        await tokens.issue(asked.pop("role"), asked.pop("subject"), **asked)  # type: ignore[arg-type]
    assert await tokens.list() == []


async def test_without_a_server_nobody_can_say(nc: Client, site: str) -> None:
    tokens = Tokens(nc, site)
    await nc.close()
    with pytest.raises(Unavailable):
        await tokens.check("dsp_device_x")


async def test_processes_that_start_at_once_get_the_same_keys(nc: Client, site: str) -> None:
    made = await asyncio.gather(*(load_keys(nc, site) for _ in range(8)))
    assert len({(keys.link_secret, keys.vapid_private_pem, keys.vapid_public) for keys in made}) == 1
    assert await load_keys(nc, site) == made[0]
    assert len(made[0].link_secret) == 32


async def test_the_public_key_is_what_browsers_take(nc: Client, site: str) -> None:
    keys = await load_keys(nc, site)
    point = base64.urlsafe_b64decode(keys.vapid_public + "=")
    assert len(point) == 65
    EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    assert keys.vapid_private_pem not in repr(keys)


async def test_a_stored_key_that_is_none_is_named(nc: Client, site: str) -> None:
    await Bucket(nc, KEYS).create(f"{site}.vapid", b"rubbish")
    with pytest.raises(SetupError, match=f"{site}.vapid"):
        await load_keys(nc, site)
