"""`dispatch doctor` beside whoever has the port already."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from dispatch.cli.checks import examine
from dispatch.settings import Settings


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
