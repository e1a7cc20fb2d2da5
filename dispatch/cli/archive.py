"""`dispatch backup`, `dispatch restore`, `dispatch verify`: what happened, kept outside NATS and proved."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import uvloop
from nats.aio.client import Client
from rich.console import Console

from dispatch.archive import (
    BackedUp,
    Restored,
    Verified,
    backup,
    hold_open_cases,
    restore,
    verify_backup,
    verify_chain,
)
from dispatch.cli.connected import connected
from dispatch.cli.progress import Told, bars
from dispatch.cli.rebuild import compare_read_models
from dispatch.cli.times import date_and_time
from dispatch.clock import now
from dispatch.embedded import EmbeddedNats
from dispatch.errors import Malformed, Refused
from dispatch.events import CASES, connect, ensure_streams
from dispatch.fanout import place_behind
from dispatch.identifiers import CaseId
from dispatch.projections import Compared
from dispatch.settings import load_settings

_JSON = Annotated[bool, typer.Option("--json", help="Print for a machine.")]
_SEAL = Annotated[
    str | None, typer.Option("--seal", help="The seal that `dispatch backup` printed: proves that this is that backup.")
]

AGREED = "全部一致 everything agrees: archive, log and read models"
AS_MADE = "备份完好 the backup is as it was made"
WITHOUT_SEAL = "备份自身一致 the backup agrees with itself; only --seal proves that it is the one that was made"


def register(app: typer.Typer) -> None:
    app.command("backup")(backup_command)
    app.command("restore")(restore_command)
    app.command("verify")(verify_command)


def backup_command(
    folder: Annotated[Path, typer.Argument(help="A new folder. It will hold secrets: keep it where few may read it.")],
    as_json: _JSON = False,
) -> None:
    """Write what NATS holds into a folder: the log, the roster, tokens, keys, the audit trail, drills, dead letters.

    The system goes on meanwhile. Each record is sealed with the one before it; the seal that is printed proves later
    that nothing was changed: write it down elsewhere.

    Examples:

      dispatch backup /backups/2026-11-22

      dispatch backup /backups/today --json
    """
    try:
        with bars(quiet=as_json) as told:
            made = uvloop.run(_backup(folder.expanduser().absolute(), told))
    except OSError as error:
        raise Refused(f"{folder} cannot be written: {error.strerror or error}; name another folder") from error
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(made) | {"seal": made.seal}))
        return
    for stream, head in made.streams.items():
        typer.echo(f"{stream:12} {head.records:>10,}")
    typer.echo(f"写入 written to {folder}\n封印 seal {made.seal}")


def restore_command(
    folder: Annotated[Path, typer.Argument(help="What `dispatch backup` wrote.")],
    data: Annotated[
        Path | None, typer.Option(help="A data folder without a log: its embedded NATS is filled, for `dispatch up`.")
    ] = None,
    seal: _SEAL = None,
    as_json: _JSON = False,
) -> None:
    """Bring a backup back into an empty NATS. All of it is checked first; nobody is called for what is restored.

    Without --data into the NATS of DISPATCH_NATS_URL, before any part of dispatch runs on it. Presses that were under
    way are not in a backup. Open cases are open again; their escalation is held for 30 minutes, to close what is over
    since. The read models are made again by `dispatch project`.

    Examples:

      dispatch restore /backups/2026-11-22 --data ~/new-data

      DISPATCH_NATS_URL=nats://new.example:4222 dispatch restore /backups/2026-11-22 --seal 5f0c…
    """
    if data is not None:
        os.environ["DISPATCH_DATA"] = str(data.expanduser().absolute())
    with bars(quiet=as_json) as told:
        restored, held = uvloop.run(_restore(folder, seal, told, embedded=data is not None))
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(restored) | {"held": held}))
        return
    for stream, messages in restored.messages.items():
        typer.echo(f"{stream:12} {messages:>10,}")
    typer.echo(f"已恢复 restored, as it was at {date_and_time(restored.made.at)}")
    if data is not None:
        typer.echo(f"接着 next: dispatch up --data {shlex.quote(str(data))}")
    if held:
        typer.echo(
            f"{len(held)} 起未结，升级已暂停30分钟 cases were open; their escalation is held for 30 minutes, "
            f"close what is over: {' '.join(held[:20])}{' …' if len(held) > 20 else ''}"
        )


def verify_command(
    folder: Annotated[Path | None, typer.Argument(help="A backup; without it, the running system's archive.")] = None,
    seal: _SEAL = None,
    as_json: _JSON = False,
) -> None:
    """Prove that archive, log and read models agree, or that a backup is as it was made (with its --seal).

    The archive is compared with the log record by record: the first thing that is cut, edited, missing or in another's
    place is named, with exit code 1. Then the read models are made anew beside the live ones, and rows that differ are
    named; nothing is changed.

    Examples:

      dispatch verify

      dispatch verify /backups/2026-11-22 --seal 5f0c…
    """
    if seal is not None and folder is None:
        raise Malformed("--seal is that of a backup: name its folder", field="seal")
    with bars(quiet=as_json) as told:
        if folder is not None:
            made, verified = verify_backup(folder, seal=seal, progress=told)
            proof = made.seal
            agreed = WITHOUT_SEAL if seal is None else AS_MADE
        else:
            verified = uvloop.run(_verify(told))
            proof = verified.heads[CASES].seal
            agreed = AGREED
    compared = uvloop.run(compare_read_models(as_json=as_json)) if folder is None else []
    if as_json:
        found = {"read_models": {one.projection: one.rows for one in compared}}
        typer.echo(json.dumps(msgspec.to_builtins(verified) | found))
    else:
        _tell_verified(verified, proof)
    _conclude(compared, agreed="" if as_json else agreed)


def _tell_verified(verified: Verified, proof: str) -> None:
    for stream, head in verified.heads.items():
        typer.echo(f"{stream:12} {head.records:>10,} records, as they were written")
    if verified.behind:
        words = f"日志另有 {verified.behind} 条正在归档 the log has {verified.behind} more, which are being archived"
        Console(stderr=True, soft_wrap=True).print(f"{words}: this takes less than a minute")
    typer.echo(f"封印 seal {proof}")


def _conclude(compared: Sequence[Compared], *, agreed: str) -> None:
    """The last line: the verdict. Raises `Exit` with 1 when a read model is not as the log has it, or may not be."""
    differing = [one.projection for one in compared if one.rows]
    unknown = [one.projection for one in compared if one.because is not None]
    err = Console(stderr=True, soft_wrap=True)
    if differing:
        err.print(f"不一致 not as the log has it: {', '.join(differing)}; `dispatch rebuild` mends it")
    if unknown:
        err.print(f"未比较 not compared: {', '.join(unknown)}; `dispatch rebuild` makes them anew")
    if differing or unknown:
        raise typer.Exit(1)
    if agreed:
        typer.echo(agreed)


async def _backup(folder: Path, told: Told) -> BackedUp:
    async with connected() as (nc, _):
        return await backup(nc, folder, told)


async def _verify(told: Told) -> Verified:
    async with connected() as (nc, _):
        return await verify_chain(nc, load_settings().archive_folder, told)


async def _restore(folder: Path, seal: str | None, told: Told, *, embedded: bool) -> tuple[Restored, list[CaseId]]:
    async with _target(embedded=embedded) as nc:
        restored = await restore(nc, folder, seal=seal, place=partial(place_behind, nc), progress=told)
        return restored, await hold_open_cases(nc, folder, now())


@asynccontextmanager
async def _target(*, embedded: bool) -> AsyncIterator[Client]:
    """The NATS to fill: the one that the settings name, or the data folder's own, started for this."""
    if not embedded:
        async with connected() as (nc, _):
            yield nc
        return
    from dispatch.cli.running import alone  # it takes half a second to import

    folder = load_settings().data
    with alone(folder, f"{folder} is in use by a running `dispatch up`: give `restore` another folder with --data"):
        settings = load_settings()
        async with EmbeddedNats(settings.data, port=settings.nats_port, mqtt_port=settings.mqtt_port) as server:
            nc = await connect(server.url, "dispatch-restore")
            try:
                await ensure_streams(nc.jetstream(), settings.replicas)
                yield nc
            finally:
                await nc.close()
