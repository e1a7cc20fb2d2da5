"""A press out of the DLQ, put back into the stream of presses: it is a press of when it was made, taken now."""

from __future__ import annotations

from datetime import datetime

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from dispatch.cases import CaseDesk, RaiseAlarm, is_repeat
from dispatch.cases.decisions import REPEAT_WINDOW
from dispatch.clock import Clock, now
from dispatch.errors import Conflict, Unavailable
from dispatch.events import Kept, Press, decode_press, encode_press, since
from dispatch.identifiers import CaseId, CommitId, Site

log = structlog.get_logger()

TRY_SECONDS = 2.0


class PressAgain:
    """Puts presses of one site back into `INTAKE`."""

    def __init__(self, nc: Client, site: Site | str, desk: CaseDesk, *, clock: Clock = now) -> None:
        self._js, self._site, self._desk, self._clock = nc.jetstream(), Site(site), desk, clock

    async def __call__(self, kept: Kept) -> None:
        """Store the letter's press again, once however often that is asked within ten minutes.

        It keeps the time at which the key went down. Raises `Malformed` or `Oversized` when it still cannot be read,
        `Conflict` when it is on a case already, `Unavailable`.
        """
        letter, stored_at = kept.letter, since(kept)
        press = decode_press(letter.subject, letter.headers, letter.body, arrived=stored_at)
        if (case := await self._heard(press, stored_at)) is not None:
            raise Conflict(f"press {press.press} is on case {case} already; dismiss the letter", field="seq", case=case)
        subject, headers, body = encode_press(press, self._site)
        headers["Nats-Msg-Id"] = f"{self._site}:dlq:{kept.seq}"
        try:
            await self._js.publish(subject, body, timeout=TRY_SECONDS, headers=headers)
        except (NatsError, APIError, TimeoutError) as error:
            raise Unavailable(f"the store of presses did not acknowledge press {press.press}: {error!r}") from error
        log.warning("press.again", press=press.press, household=press.household, letter=kept.seq)

    async def _heard(self, press: Press, stored_at: datetime) -> CaseId | None:
        """The case that has this press: it was given up after it was taken, or it was sent again in time."""
        command = RaiseAlarm(id=CommitId(f"again-{press.press}"), at=self._clock(), accepted_at=stored_at, press=press)
        for case_id in await self._desk.log.cases_since(press.household, stored_at - REPEAT_WINDOW):
            case = await self._desk.load(case_id)
            if case.raised is not None and is_repeat(case, command):
                return case_id
        return None
