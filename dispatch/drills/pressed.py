"""Whether a drill's press was stored: asked of the stream of presses, which remembers for longer than ids are known."""

from __future__ import annotations

from datetime import timedelta

from nats.aio.client import Client

from dispatch.clock import for_server
from dispatch.drills.book import Drill
from dispatch.events import INTAKE, Press, direct_get, encode_press
from dispatch.identifiers import Site

SKEW = timedelta(minutes=1)
"""How far our clock may be ahead of the server's, which says when a press was stored."""
BATCH = 256


class Pressed:
    """The presses of drills that the stream of presses of one site holds."""

    def __init__(self, nc: Client, site: Site | str) -> None:
        self._nc, self._site = nc, Site(site)

    async def holds(self, drill: Drill, press: Press) -> bool:
        """Whether `press`, of `drill`, was stored. Raises `Unavailable`."""
        subject, headers, _ = encode_press(press, self._site)
        where: dict[str, object] = {"start_time": for_server(drill.at - SKEW).isoformat()}
        while found := await direct_get(self._nc, INTAKE, {**where, "next_by_subj": subject, "batch": BATCH}):
            stored = [message.headers or {} for message in found]
            if any(one.get("ce-id") == headers["ce-id"] for one in stored):
                return True
            where = {"seq": int(stored[-1]["Nats-Sequence"]) + 1}
        return False
