"""The nats-server that we start: durable, closed to strangers, and there again after a kill -9."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import sys
from pathlib import Path

import nats
import nats.errors
import psutil
import pytest
from nats.js.api import StreamConfig

from dispatch.embedded import EmbeddedNats
from dispatch.embedded.child import alive
from dispatch.errors import SetupError
from tests.buttons import needs_mosquitto
from tests.waiting import until


async def test_jetstream_writes_to_disk_before_it_acknowledges(fresh_nats: EmbeddedNats) -> None:
    client = await nats.connect(fresh_nats.system_url)
    answer = json.loads((await client.request("$SYS.REQ.SERVER.PING.VARZ", timeout=5)).data)
    await client.close()
    assert answer["data"]["jetstream"]["config"]["sync_always"] is True


async def test_what_was_acknowledged_is_there_after_a_kill(fresh_nats: EmbeddedNats) -> None:
    client = await nats.connect(fresh_nats.url)
    await client.jetstream().add_stream(StreamConfig(name="KEPT", subjects=["kept.*"]))
    await client.jetstream().publish("kept.a", b"1")
    await client.close()
    place = fresh_nats.url, fresh_nats.mqtt_port

    await fresh_nats.kill()
    await fresh_nats.start()

    assert (fresh_nats.url, fresh_nats.mqtt_port) == place
    client = await nats.connect(fresh_nats.url)
    assert (await client.jetstream().get_last_msg("KEPT", "kept.a")).data == b"1"
    await client.close()


async def test_a_server_left_behind_is_stopped_before_another_starts(server_folder: Path) -> None:
    said: list[str] = []
    orphan = EmbeddedNats(server_folder)
    await orphan.start()
    async with EmbeddedNats(server_folder, say=said.append) as server:
        assert server.url == orphan.url
        assert not orphan.child.running
    assert said == [f"stopped a nats that an earlier run left behind (process {orphan.child.pid})"]


async def test_a_stranger_with_the_number_of_a_dead_server_is_left_alone(server_folder: Path) -> None:
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    (server_folder / "nats").mkdir()
    (server_folder / "nats" / "nats.pid").write_text(str(stranger.pid))
    async with EmbeddedNats(server_folder):
        assert alive(psutil.Process(stranger.pid))
    stranger.kill()
    await stranger.wait()


async def test_a_kept_port_that_is_taken_is_exchanged_and_said(server_folder: Path) -> None:
    said: list[str] = []
    async with EmbeddedNats(server_folder) as first:
        port = first.port
    with socket.create_server(("127.0.0.1", port)):
        async with EmbeddedNats(server_folder, say=said.append) as second:
            assert second.port != port
            assert second.mqtt_port == first.mqtt_port
    assert said == [f"port {port} for nats is taken by another program: nats now listens on {second.port}"]


async def test_a_wanted_port_that_is_taken_is_refused(server_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=f"port {port} for nats is taken"):
            await EmbeddedNats(server_folder, port=port).start()


async def test_a_server_that_cannot_start_says_why_in_its_own_words(server_folder: Path) -> None:
    (server_folder / "nats").mkdir()
    (server_folder / "nats" / "jetstream").write_text("in the way")
    with pytest.raises(SetupError, match=r"(?s)nats stopped while starting.*storage directory"):
        await EmbeddedNats(server_folder).start()


@pytest.mark.parametrize("login", [{}, {"user": "dispatch", "password": "guess"}, {"user": "sys", "password": ""}])
async def test_strangers_are_refused(fresh_nats: EmbeddedNats, login: dict[str, str]) -> None:
    with pytest.raises(nats.errors.Error, match=r"(?i)authorization"):
        await nats.connect(
            f"nats://127.0.0.1:{fresh_nats.port}", allow_reconnect=False, connect_timeout=10, error_cb=_ignore, **login
        )


@needs_mosquitto
@pytest.mark.parametrize(
    ("user", "password", "code"), [("dispatch", None, 0), ("dispatch", "guess", 5), ("h1", "x", 5)]
)
async def test_mqtt_takes_our_login_and_refuses_others(
    fresh_nats: EmbeddedNats, user: str, password: str | None, code: int
) -> None:
    right = (fresh_nats.folder / "secrets" / "nats-password").read_text()
    place = ["-h", "127.0.0.1", "-p", str(fresh_nats.mqtt_port), "-t", "intake/press/demo/h1", "-m", "{}", "-q", "1"]
    button = await asyncio.create_subprocess_exec("mosquitto_pub", *place, "-u", user, "-P", password or right)
    assert await asyncio.wait_for(button.wait(), 20) == code


@needs_mosquitto
@pytest.mark.parametrize(("qos", "heard"), [("1", True), ("2", False)])
async def test_mqtt_refuses_a_publish_of_qos_2(fresh_nats: EmbeddedNats, qos: str, heard: bool) -> None:
    client = await nats.connect(fresh_nats.url)
    subscription = await client.subscribe("intake.press.demo.h1")
    await client.flush()
    password = (fresh_nats.folder / "secrets" / "nats-password").read_text()
    place = ["-h", "127.0.0.1", "-p", str(fresh_nats.mqtt_port), "-t", "intake/press/demo/h1", "-m", "{}"]
    button = await asyncio.create_subprocess_exec(
        "mosquitto_pub", *place, "-q", qos, "-u", "dispatch", "-P", password, stderr=asyncio.subprocess.DEVNULL
    )
    assert (await asyncio.wait_for(button.wait(), 20) == 0) is heard
    await client.flush()
    assert bool(subscription.pending_msgs) is heard
    await client.close()


async def test_secrets_are_readable_by_their_owner_alone(fresh_nats: EmbeddedNats) -> None:
    files = [fresh_nats.folder / "nats" / "nats.conf", *(fresh_nats.folder / "secrets").iterdir()]
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_it_ends_when_we_do(server_folder: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, server_folder), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert parent.stdout is not None
    server = psutil.Process(int(await asyncio.wait_for(parent.stdout.readline(), 30)))
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(server), "the server to end with its parent", seconds=10)


PARENT = """
import asyncio, pathlib, sys
from dispatch.embedded import EmbeddedNats

async def main():
    server = EmbeddedNats(pathlib.Path(sys.argv[1]))
    await server.start()
    print(server.child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def _ignore(error: Exception) -> None:
    """Said again by what `connect` raises."""
