"""The composition root: the only place that wires the parts together, one function for each role.

Each role imports its own parts when it begins: a worker that was killed is back the sooner for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, assert_never

import msgspec
from nats.aio.client import Client

from dispatch.access import Keys, Links, Tokens, load_keys
from dispatch.cases import CaseDesk
from dispatch.errors import NotSignedIn
from dispatch.events import CaseLog, DlqDesk, Kept, Letters, Retry, connect, ensure_streams, keep_warm
from dispatch.events.going_on import going_on
from dispatch.process import alive, collect_rarely, listen
from dispatch.roles import Role
from dispatch.roster import Roster
from dispatch.settings import Settings

if TYPE_CHECKING:
    from dispatch.intake import Strain
    from dispatch.projections import ReadModels
    from dispatch.roster.demo import CastMember

SHUTDOWN_SECONDS = 3.0
KEEP_ALIVE_SECONDS = 75.0


@dataclass(frozen=True)
class Backbone:
    """What every role stands on."""

    nc: Client
    log: CaseLog
    desk: CaseDesk
    roster: Roster
    tokens: Tokens
    keys: Keys
    links: Links


@asynccontextmanager
async def backbone(settings: Settings, role: str) -> AsyncIterator[Backbone]:
    """A connection to NATS, with our streams, and what needs nothing else. Raises `SetupError` without a server."""
    nc = await connect(settings.require_nats(), f"dispatch-{role}")
    try:
        await ensure_streams(nc.jetstream(), settings.replicas)
        log = CaseLog(nc, settings.site)
        keys = await load_keys(nc, settings.site)
        yield Backbone(
            nc=nc,
            log=log,
            desk=CaseDesk(log),
            roster=Roster(nc, settings.site),
            tokens=Tokens(nc, settings.site),
            keys=keys,
            links=Links(keys.link_secret, settings.url),
        )
    finally:
        with suppress(ConnectionError):  # the server went first
            await nc.close()


async def serve(settings: Settings) -> None:
    """The API, the pages and the live stream; and the way in for buttons."""
    from aiohttp import web

    from dispatch.drills import DrillBook
    from dispatch.intake import IntakeDesk
    from dispatch.web import WebDeps, make_web_app

    async with backbone(settings, "serve") as base, _read_models(settings) as read_models:
        intake = IntakeDesk(base.nc, settings.site)
        deps = WebDeps(
            settings=settings,
            nc=base.nc,
            desk=base.desk,
            log=base.log,
            roster=base.roster,
            tokens=base.tokens,
            keys=base.keys,
            links=base.links,
            accept=intake.accept,
            read_models=read_models,
            dlq=dlq_desk(base.nc, settings),
            drills=DrillBook(base.nc, settings.site),
        )
        runner = web.AppRunner(
            make_web_app(deps),
            access_log=None,
            shutdown_timeout=SHUTDOWN_SECONDS,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
        )
        await runner.setup()
        try:
            way_out = "choose where to listen with DISPATCH_PORT and DISPATCH_HOST"
            await listen(runner, settings.host, settings.port, way_out)
            async with alive(base.nc, "serve", settings), asyncio.TaskGroup() as group:
                group.create_task(intake.strain.tell(base.nc, settings.site))
                for part in _button_parts(base, settings, intake.strain):
                    group.create_task(part.run())
        finally:
            await runner.cleanup()


def dlq_desk(nc: Client, settings: Settings) -> DlqDesk:
    """The desk for dead letters: each goes back to the part that gave it up."""
    from dispatch.fanout import DUE, JOBS, CommitAgain, DueAgain
    from dispatch.intake import PressAgain
    from dispatch.projections import ProjectAgain

    site, log = settings.site, CaseLog(nc, settings.site)
    ways: dict[str, Retry] = {
        "fanout": PressAgain(nc, site, CaseDesk(log)),
        **dict.fromkeys(JOBS, CommitAgain(nc, site)),
        DUE: DueAgain(nc, site),
    }

    def way_of(kept: Kept) -> Retry | None:
        if kept.letter.by.partition("-")[0] == "project":
            return ProjectAgain(log, settings.require_postgres())
        return ways.get(kept.letter.by)

    return DlqDesk(Letters(nc, site), way_of)


async def fanout(settings: Settings) -> None:
    """Presses become cases, and cases become calls."""
    from dispatch.fanout import Fanout

    async with backbone(settings, "fanout") as base, alive(base.nc, "fanout", settings):
        worker = Fanout(
            base.nc,
            site=settings.site,
            desk=base.desk,
            roster=base.roster,
            links=base.links,
            keys=base.keys,
            settings=settings,
        )
        await worker.run()


async def project(settings: Settings) -> None:
    """The read models in Postgres follow the log, and so does the archive."""
    from dispatch.archive import Archivist
    from dispatch.projections import Projector

    async with (
        backbone(settings, "project") as base,
        alive(base.nc, "project", settings),
        asyncio.TaskGroup() as group,
    ):
        group.create_task(
            Projector(base.nc, base.log, settings.require_postgres(), nats_url=settings.require_nats()).run()
        )
        group.create_task(Archivist(base.nc, settings.site, settings.archive_folder).run())


async def watch(settings: Settings) -> None:
    """What is owed is compared with what was done; and what the next alarm reads is kept in the server's memory."""
    from dispatch.fanout import Watchdog, standing_in

    async with backbone(settings, "watch") as base, alive(base.nc, "watch", settings):
        desk, roster = base.desk, base.roster
        own = standing_in(base.nc, desk=desk, roster=roster, links=base.links, keys=base.keys, settings=settings)
        async with own as stand_in, asyncio.TaskGroup() as group:
            group.create_task(going_on("events.warm", partial(keep_warm, base.nc, settings.warm_mib)))
            group.create_task(Watchdog(base.nc, base.log, settings, stand_in=stand_in).run())


async def play(role: Role, settings: Settings) -> None:
    """Do what a process of `role` does, until cancelled."""
    collect_rarely()
    match role:
        case "serve":
            await serve(settings)
        case "fanout":
            await fanout(settings)
        case "project":
            await project(settings)
        case "watch":
            await watch(settings)
        case _:
            assert_never(role)


@asynccontextmanager
async def _read_models(settings: Settings) -> AsyncIterator[ReadModels]:
    from dispatch.projections import ReadModels

    read_models = ReadModels(settings.require_postgres(), settings.site)
    try:
        yield read_models
    finally:
        await read_models.close()


class _Runs(Protocol):
    async def run(self) -> None: ...


def _button_parts(base: Backbone, settings: Settings, strain: Strain) -> list[_Runs]:
    from dispatch.intake import ButtonAnswers, ButtonFeedback, ButtonGate, Expelling, Holds, Sessions
    from dispatch.web import Ahead

    holds = Holds()
    answers = ButtonAnswers(base.nc, settings.site, base.roster.household, strain=strain)
    feedback = ButtonFeedback(base.nc, base.log, Ahead(base.roster).of)
    if settings.auth_callout_seed is None:
        return [answers, feedback]
    seed = settings.auth_callout_seed.get_secret_value()
    gate = ButtonGate(base.nc, settings.site, seed, base.tokens.check, holds=holds)
    parts: list[_Runs] = [answers, feedback, gate]
    if settings.nats_system_url is not None:
        parts.append(Expelling(base.nc, settings.site, settings.nats_system_url.get_secret_value(), holds))
    if settings.mqtt_url is not None:
        parts.append(Sessions(base.nc, settings.mqtt_url.get_secret_value()))
    return parts


async def seed_demo(settings: Settings) -> None:
    """Fill an empty roster with the demo county. Raises `SetupError` when it is somebody's own."""
    from dispatch.roster import demo

    async with backbone(settings, "demo") as base:
        await demo.seed_demo(base.roster)


async def demo_links(settings: Settings) -> list[tuple[str, str]]:
    """For each of the demo's cast a label and a sign-in link: the same ones at every start, while they work.

    Tokens are stored as hashes, so the secrets of these invented people are kept beside the server's own.
    """
    from dispatch.embedded.kept import write_private
    from dispatch.roster import demo

    path = settings.data / "secrets" / "demo-tokens.json"
    kept = msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.exists() else {}
    async with backbone(settings, "demo") as base:
        cast = demo.demo_cast().members()
        secrets = {member.subject: await _working_token(base.tokens, member, kept) for member in cast}
    write_private(path, msgspec.json.encode(secrets).decode())
    return [(member.label, f"{settings.url}/in#{secrets[member.subject]}") for member in cast]


async def _working_token(tokens: Tokens, member: CastMember, kept: Mapping[str, str]) -> str:
    if (secret := kept.get(member.subject)) is not None:
        with suppress(NotSignedIn):
            await tokens.check(secret)
            return secret
    issued = await tokens.issue(member.role, member.subject, label=member.label, area=member.area)
    return issued.secret
