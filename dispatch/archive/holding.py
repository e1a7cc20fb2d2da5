"""Cases that a backup brings back open: nothing rings for them at first, for what happened since is not in it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from nats.aio.client import Client

from dispatch.archive.shelf import Shelf
from dispatch.cases import Case, CaseDesk, Hold, fold
from dispatch.errors import Refused, Unreadable
from dispatch.events import CASES, CaseLog
from dispatch.events.codec import decode_commit
from dispatch.identifiers import CaseId, CommitId, Site

FOR = timedelta(minutes=30)


async def hold_open_cases(nc: Client, folder: Path, at: datetime) -> list[CaseId]:
    """Hold every case that is open in the backup in `folder`, which was restored before, until `FOR` after `at`.

    So an operator has time to close what is over, before a step calls people for it. Raises `Unavailable`.
    """
    held = []
    for site, case in await asyncio.to_thread(_open_cases, Shelf(folder / CASES)):
        hold = Hold(id=CommitId(f"restore-{at.isoformat()}"), at=at, until=at + FOR)
        with suppress(Refused):
            await CaseDesk(CaseLog(nc, site)).handle(case, hold)
            held.append(case)
    return held


def _open_cases(shelf: Shelf) -> list[tuple[Site, CaseId]]:
    cases: dict[tuple[Site, CaseId], Case] = {}
    for record in shelf.records():
        root, site, _, name = record.subject.split(".")
        if root != "cases":
            continue
        try:
            commit = decode_commit(record.subject, record.headers, record.body(), seq=record.seq, stored_at=record.at)
        except Unreadable:
            continue
        key = (Site(site), CaseId(name))
        case = fold([commit], cases.pop(key, Case()))
        if case.is_open:
            cases[key] = case
    return list(cases)
