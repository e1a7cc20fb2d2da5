"""`dispatch doctor` beside whoever has the port already."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr

from dispatch.cli.checks import Finding, examine, is_loopback
from dispatch.embedded import EmbeddedNats
from dispatch.embedded.kept import write_private
from dispatch.events import connect, ensure_streams
from dispatch.identifiers import PersonId
from dispatch.roster import Person, Roster, SmsPoint
from dispatch.settings import Settings
from tests.smsc.fake import fake_smsc


@pytest.mark.parametrize(
    ("said", "found"), [({"status": "up"}, "a `dispatch`"), ({"hello": "world"}, "taken by another program")]
)
async def test_a_dispatch_with_other_data_is_not_called_another_program(
    tmp_path: Path, said: dict[str, str], found: str
) -> None:
    async def health(_: web.Request) -> web.Response:
        return web.json_response(said)

    app = web.Application()
    app.router.add_get("/healthz", health)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        findings = await examine(Settings(data=tmp_path, port=port, nats_url=None, postgres_dsn=None))
    finally:
        await runner.cleanup()
    (finding,) = [finding for finding in findings if finding.what == f"port {port}"]
    assert finding.state == "warn"
    assert found in finding.found


async def test_texts_that_are_not_set_up_are_missed_only_where_somebody_is_called_by_them(
    nats_url: str, tmp_path: Path
) -> None:
    async def texts(**account: object) -> tuple[str, str]:
        settings = Settings(data=tmp_path, site="texts", nats_url=nats_url, postgres_dsn=None, **account)  # type: ignore[arg-type]
        (finding,) = [finding for finding in await examine(settings) if finding.what == "text messages"]
        return finding.state, finding.found + finding.advice

    nc = await connect(nats_url, "test")
    await ensure_streams(nc.jetstream())
    roster = Roster(nc, "texts")
    await roster.put(Person(id=PersonId("p-1"), name="罗玉珍"), by="test")
    assert (await texts())[0] == "ok"
    await roster.put(
        Person(id=PersonId("p-2"), name="段学文", contact_points=(SmsPoint(number="+8613800138000"),)), by="test"
    )
    await nc.close()
    state, said = await texts()
    assert state == "warn"
    assert "DISPATCH_SMS_HOST" in said
    state, said = await texts(sms_host="127.0.0.1")
    assert state == "fail"
    assert "DISPATCH_SMS_SYSTEM_ID, DISPATCH_SMS_PASSWORD, DISPATCH_SMS_SENDER" in said
    async with fake_smsc() as smsc:
        account = {
            "sms_host": "127.0.0.1",
            "sms_port": smsc.port,
            "sms_system_id": "d",
            "sms_password": "hidden",
            "sms_sender": "1069",
        }
        state, said = await texts(**account)
        assert state == "ok"
        assert "hidden" not in said
    assert (await texts(**account))[0] == "fail"


async def test_a_clock_that_can_be_moved_is_no_clock_to_call_people_by(tmp_path: Path) -> None:
    async def clock(**settings: object) -> list[str]:
        findings = await examine(Settings(data=tmp_path, nats_url=None, postgres_dsn=None, **settings))  # type: ignore[arg-type]
        return [finding.state for finding in findings if finding.what == "the clock"]

    assert await clock() == []
    assert await clock(moved_clock=tmp_path / "clock") == ["fail"]


class OpenToAll(EmbeddedNats):
    """Takes buttons from anywhere, as `deploy/nats.conf` does where nobody puts a proxy in front."""

    async def _prepare(self) -> None:
        await super()._prepare()
        text = self._configuration().read_text()
        ours = f'listen: "127.0.0.1:{self.mqtt_port}"'
        assert ours in text
        write_private(self._configuration(), text.replace(ours, f'listen: "0.0.0.0:{self.mqtt_port}"'))


async def buttons_over_mqtt(url: str, folder: Path, system_url: str | None) -> Finding:
    secret = SecretStr(system_url) if system_url is not None else None
    settings = Settings(data=folder, nats_url=url, postgres_dsn=None, nats_system_url=secret)
    (finding,) = [finding for finding in await examine(settings) if finding.what == "buttons over MQTT"]
    return finding


async def test_mqtt_that_is_open_without_a_limit_is_said_with_the_way_out(server_folder: Path, tmp_path: Path) -> None:
    async with OpenToAll(server_folder) as server:
        opened = await buttons_over_mqtt(server.url, tmp_path, server.system_url)
        unknown = await buttons_over_mqtt(server.url, tmp_path, None)
        ours = await buttons_over_mqtt(server.url, server_folder, None)
    assert opened.state == ours.state == "warn"
    assert f"0.0.0.0:{server.mqtt_port} with no limit" in opened.found
    assert "deploy/mqtt-proxy.conf" in opened.advice
    assert (unknown.state, unknown.found) == ("warn", "unknown: not our server")
    assert "deploy/mqtt-proxy.conf" in unknown.advice


async def test_mqtt_that_nobody_reaches_from_outside_is_well(fresh_nats: EmbeddedNats, tmp_path: Path) -> None:
    assert (await buttons_over_mqtt(fresh_nats.url, tmp_path, fresh_nats.system_url)).state == "ok"
    asked_as_another = await buttons_over_mqtt(fresh_nats.url, tmp_path, fresh_nats.url)
    assert (asked_as_another.state, asked_as_another.found) == ("warn", "unknown: this login may not ask the server")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("[::1]", True), ("localhost", True), ("*", False), ("::", False), ("10.0.0.7", False)],
)
def test_only_this_machine_reaches_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback
