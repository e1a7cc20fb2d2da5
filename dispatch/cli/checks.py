"""What `dispatch doctor` looks at. Each check gives findings; none raises."""

from __future__ import annotations

import asyncio
import json
import platform
import sys
from contextlib import aclosing
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Literal

import aiohttp
import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client

from dispatch.errors import DispatchError
from dispatch.events.streams import bucket_configs, stream_configs
from dispatch.listening import why_not
from dispatch.migrate import pending
from dispatch.roles import ROLES, Role, ping_subject
from dispatch.roster import Person, Roster, points_for
from dispatch.settings import Settings, running_servers

SERVERS_SECONDS, OTHERS_SECONDS = 3.0, 0.5
"""How long the first server of NATS may take to answer, and how long others after it."""
ASK_AS_SYS = "`dispatch doctor` tells where DISPATCH_NATS_SYSTEM_URL signs in as `sys`"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` is empty when nothing is to be done."""

    what: str
    state: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything, the servers at the same time."""
    message_server, database, port, texts = await asyncio.gather(
        _message_server(settings), _database(settings), _port(settings), _texts(settings)
    )
    return [_python(), _data_folder(settings), *message_server, *database, port, texts, *_clock(settings)]


def _python() -> Finding:
    if sys.version_info < (3, 11):  # noqa: UP036 - this is the program that says so
        return Finding("Python", "fail", platform.python_version(), "install Python 3.11 or newer")
    return Finding("Python", "ok", platform.python_version())


def _data_folder(settings: Settings) -> Finding:
    running = running_servers(settings)
    if running is not None:
        return Finding("dispatch up", "ok", f"running on {settings.data} (process {running.pid})")
    if settings.nats_url is not None:
        return Finding("dispatch up", "ok", "not running here; servers are named by the environment")
    return Finding("dispatch up", "fail", f"not running on {settings.data}", "run `dispatch up` or name your servers")


def _clock(settings: Settings) -> list[Finding]:
    """Nothing, but where the time can be moved."""
    if settings.moved_clock is None:
        return []
    found = f"goes by {settings.moved_clock}: whoever writes there moves the time"
    return [
        Finding("the clock", "fail", found, "unset DISPATCH_MOVED_CLOCK: it is for tests, and people are called late")
    ]


async def _port(settings: Settings) -> Finding:
    running = running_servers(settings)
    port = settings.port if running is None else running.port
    what = f"port {port}"
    reason = why_not(port, settings.host)
    if running is not None:
        if reason:
            return Finding(what, "ok", "served by `dispatch up`")
        return Finding(what, "fail", "nobody listens", f"look into {settings.data / 'logs' / 'serve.log'}")
    if reason and await _is_dispatch(port):
        return Finding(
            what,
            "warn",
            "a `dispatch` that keeps its data elsewhere, or the service, has it",
            "if it is the one you mean, give the DISPATCH_DATA of its `dispatch up`; else choose another port",
        )
    if reason:
        return Finding(what, "warn", reason, "choose another with `dispatch up --port`, or DISPATCH_PORT")
    return Finding(what, "ok", "free")


async def _texts(settings: Settings) -> Finding:
    """Whether text messages are set up, and if not, whether somebody is to be called by them."""
    what = "text messages"
    if settings.sms_missing and settings.sms_host is not None:
        return Finding(what, "fail", "set up by half: none are sent", f"set {', '.join(settings.sms_missing)}")
    if settings.sms_host is None:
        if not await _somebody_has_texts(settings):
            return Finding(what, "ok", "not set up, and nobody in the roster is called by them")
        return Finding(
            what,
            "warn",
            "not set up, and people in the roster are to be called by them",
            "set DISPATCH_SMS_HOST and the rest (deploy/RUNBOOK.md); until then those calls fail",
        )
    where = f"{settings.sms_host}:{settings.sms_port}"
    try:
        async with asyncio.timeout(3):
            _, writer = await asyncio.open_connection(settings.sms_host, settings.sms_port)
        writer.close()
    except (OSError, TimeoutError) as error:
        return Finding(
            what, "fail", f"nobody answers at {where}: {str(error) or type(error).__name__}", "start the SMSC"
        )
    return Finding(what, "ok", f"something listens at {where}; whether it lets us in says the log of `fanout`")


async def _somebody_has_texts(settings: Settings) -> bool:
    """Whether anybody of the roster, as far as it is read within three seconds, has a number for texts."""
    if settings.nats_url is None:
        return False
    try:
        async with asyncio.timeout(3):
            client = await nats.connect(settings.nats_url, allow_reconnect=False, error_cb=_ignore)
            try:
                return await _any_with_texts(Roster(client, settings.site))
            finally:
                await client.close()
    except (OSError, TimeoutError, nats.errors.Error, nats.js.errors.Error, DispatchError):
        return False


async def _any_with_texts(roster: Roster) -> bool:
    async with aclosing(roster.as_read("person")) as people:
        async for person in people:
            if isinstance(person, Person) and points_for(person, "sms"):
                return True
    return False


async def _is_dispatch(port: int) -> bool:
    """Whether whoever has `port` on this machine answers as our `serve` does."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http,
            http.get(f"http://127.0.0.1:{port}/healthz") as answer,
        ):
            return answer.status == 200 and await answer.json() == {"status": "up"}
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False


async def _message_server(settings: Settings) -> list[Finding]:
    if settings.nats_url is None:
        return [Finding("NATS", "fail", "no server is known", "run `dispatch up`, or set DISPATCH_NATS_URL")]
    try:
        client = await asyncio.wait_for(
            nats.connect(settings.nats_url, allow_reconnect=False, connect_timeout=3, error_cb=_ignore), 5
        )
    except (OSError, TimeoutError, nats.errors.Error) as error:
        return [Finding("NATS", "fail", str(error) or type(error).__name__, "start it, or correct DISPATCH_NATS_URL")]
    try:
        found = await asyncio.gather(_jetstream(client), _roles(client, settings.site), _servers(settings))
        version = Finding("NATS", "ok", str(client.connected_server_version).strip("<>"))
        return [version, *found[0], _fsync(found[2]), _buttons(found[2]), *found[1]]
    finally:
        await client.close()


async def _jetstream(client: Client) -> list[Finding]:
    try:
        streams = {stream.config.name for stream in await client.jetstream().streams_info()}
    except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
        return [Finding("JetStream", "fail", str(error), "turn JetStream on in the server's configuration")]
    wanted = [str(stream.name) for stream in stream_configs()] + [f"KV_{kept.bucket}" for kept in bucket_configs()]
    missing = [name for name in wanted if name not in streams]
    if missing:
        return [Finding("JetStream", "fail", f"streams missing: {', '.join(missing)}", "`dispatch serve` makes them")]
    return [Finding("JetStream", "ok", f"streams: {', '.join(wanted)}")]


async def _servers(settings: Settings) -> list[dict[str, Any]] | str:
    """What each server of NATS says of itself, or why that is not known; only a system account may ask."""
    if (url := _system_url(settings)) is None:
        return "not our server"
    try:
        client = await nats.connect(url, allow_reconnect=False, connect_timeout=3, error_cb=_ignore)
    except (OSError, TimeoutError, nats.errors.Error) as error:
        return str(error) or type(error).__name__
    answers, found = client.new_inbox(), list[dict[str, Any]]()
    try:
        said = await client.subscribe(answers)
        await client.publish("$SYS.REQ.SERVER.PING.VARZ", reply=answers)
        while True:
            message = await said.next_msg(SERVERS_SECONDS if not found else OTHERS_SECONDS)
            found.append(json.loads(message.data)["data"])
    except (TimeoutError, nats.errors.Error, KeyError, ValueError):
        return found or "this login may not ask the server"
    finally:
        await client.close()


def _system_url(settings: Settings) -> str | None:
    if settings.nats_system_url is not None:
        return settings.nats_system_url.get_secret_value()
    password, url = settings.data / "secrets" / "nats-password", settings.nats_url or ""
    if not password.exists() or password.read_text().strip() not in url:
        return None
    return url.replace("nats://dispatch:", "nats://sys:")


def _fsync(servers: list[dict[str, Any]] | str) -> Finding:
    """Whether JetStream writes to disk before it acknowledges."""
    what = "JetStream sync_interval"
    if isinstance(servers, str):
        return Finding(
            what,
            "warn",
            f"unknown: {servers}",
            f"see that its configuration says `sync_interval: always`; {ASK_AS_SYS}",
        )
    if all(server.get("jetstream", {}).get("config", {}).get("sync_always", False) for server in servers):
        return Finding(what, "ok", "always")
    return Finding(what, "fail", "not always", "set it, or acknowledged presses are lost in a power cut")


def _buttons(servers: list[dict[str, Any]] | str) -> Finding:
    """Whether buttons reach MQTT past a proxy that limits them; NATS itself can limit nobody's messages a second."""
    what = "buttons over MQTT"
    if isinstance(servers, str):
        return Finding(
            what,
            "warn",
            f"unknown: {servers}",
            f"see that only deploy/mqtt-proxy.conf, or another proxy with its limits, reaches them; {ASK_AS_SYS}",
        )
    listening = [mqtt for server in servers if (mqtt := server.get("mqtt", {})).get("port")]
    places = sorted(f"{mqtt.get('host') or '*'}:{mqtt['port']}" for mqtt in listening)
    if not places:
        return Finding(what, "ok", "no server takes them")
    if all(is_loopback(place.rpartition(":")[0]) for place in places):
        return Finding(what, "ok", f"taken at {', '.join(places)}, where nobody comes from outside but by a proxy")
    return Finding(
        what,
        "warn",
        f"taken at {', '.join(places)} with no limit: one that sends as fast as it can has others' presses refused",
        'let nats-server listen on 127.0.0.1:18883, behind deploy/mqtt-proxy.conf (deploy/RUNBOOK.md, "Before it goes '
        'live"); if a proxy with its limits stands on another machine, see that nobody else gets here',
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


async def _roles(client: Client, site: str) -> list[Finding]:
    return list(await asyncio.gather(*(_role(client, site, role) for role in ROLES)))


async def _role(client: Client, site: str, role: Role) -> Finding:
    try:
        await client.request(ping_subject(site, role), timeout=2)
    except (nats.errors.Error, TimeoutError):
        return Finding(role, "fail", "does not answer", f"start `dispatch {role}`, or look into its log")
    return Finding(role, "ok", "answers")


async def _database(settings: Settings) -> list[Finding]:
    if settings.postgres_dsn is None:
        return [Finding("Postgres", "fail", "no server is known", "run `dispatch up`, or set DISPATCH_POSTGRES_DSN")]
    try:
        missing = await pending(settings.postgres_dsn)
    except DispatchError as error:
        return [Finding("Postgres", "fail", error.detail, "start it; people are called meanwhile, boards stand still")]
    if missing:
        return [Finding("Postgres schema", "fail", f"missing: {', '.join(missing)}", "run `dispatch migrate`")]
    return [Finding("Postgres", "ok", "answers, and its schema is current")]


async def _ignore(error: Exception) -> None:
    """Said again by what `connect` raises."""
