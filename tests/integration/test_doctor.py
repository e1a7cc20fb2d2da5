"""`dispatch doctor` beside whoever has the port already."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from dispatch.cli.checks import examine
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
