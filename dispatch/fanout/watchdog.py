"""The alarm about the alarm: compares, every second, what is owed with what was done.

It shares nothing with the sending loop. It reads the log itself, asks the server who is behind, and asks
every role whether it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from dispatch.cases import Case, due_at, follows
from dispatch.clock import Clock, now, of_server
from dispatch.errors import DispatchError, Unavailable
from dispatch.events import CASES, INTAKE, CaseLog, Incident, Timers, direct_get, live_cases, press_subject
from dispatch.events.stopping import stopping
from dispatch.fanout.alerts import Alerts
from dispatch.fanout.backlog import Strains, first_rings_waiting, presses_waiting
from dispatch.fanout.batches import in_batches
from dispatch.fanout.channel_health import ChannelHealth
from dispatch.fanout.incidents import Incidents
from dispatch.fanout.owing import LOOK_BACK, Owing, owed_since
from dispatch.fanout.rescue import Left
from dispatch.fanout.rubbish import Rubbish
from dispatch.fanout.stand_in import StandIn
from dispatch.roles import ROLES, Role, looked_subject, ping_subject, rubbish_subject, strained_subject
from dispatch.settings import Settings

log = structlog.get_logger()

LOOK_SECONDS = 1.0
OWED = timedelta(seconds=5)
WAITING = timedelta(seconds=5)
LATE = timedelta(seconds=3)
SILENT = timedelta(seconds=3)
BLIND = timedelta(seconds=10)
UNTAKEN = timedelta(seconds=5)
"""How long a press may lie while the fan-out is away before it is taken from here: the log admits one of the two."""
AWAY = timedelta(seconds=10)
"""How long the fan-out may be away before its calls are made from here: a restart takes a few seconds."""
QUEUES = timedelta(seconds=10)
"""So long after a ring that had to wait, others over its channel are taken to wait for their turn too."""
OTHERS = tuple(role for role in ROLES if role != "watch")


class Moment(NamedTuple):
    """When something was seen: of time that has `passed`, and by the clock.

    How long somebody is silent is time that passed: a clock put forward makes nobody so, and rings nobody twice.
    """

    passed: timedelta
    at: datetime


class Place(NamedTuple):
    """Where a job stands in a stream: the sequence up to which it has dealt with everything, and how many are left."""

    done: int
    left: int


class Watchdog:
    """Watches one site and keeps what is wrong in the bucket `INCIDENTS`."""

    def __init__(
        self, nc: Client, cases: CaseLog, settings: Settings, *, stand_in: StandIn | None = None, clock: Clock = now
    ) -> None:
        """Without a `stand_in` it tells what is wrong, and rings nobody."""
        self._nc, self._js, self._clock = nc, nc.jetstream(timeout=LOOK_SECONDS), clock
        self._site = settings.site
        self._channels = ChannelHealth()
        self._owing = Owing(nc, cases, also=self._channels.see)
        self._timers = Timers(nc, self._site)
        self._incidents, self._strains, self._rubbish = Incidents(nc, self._site), Strains(), Rubbish(clock)
        self._alerts = Alerts(settings.watch_urls.split(), self._site)
        self._stand_in = stand_in
        self._answered: dict[str, Moment] = {}
        self._watched = timedelta()
        """The time of the looks that did not fail: who cannot hear says of nobody that they are silent."""
        self._heard_at = timedelta()
        """How much of it had passed when the fan-out answered last."""
        self._stuck_since: dict[str, timedelta] = {}
        """How much had passed when it was first found, look for look since, that a job leaves its work lying."""

    async def run(self) -> None:
        """Watch until cancelled."""
        start = self._clock()
        self._answered = dict.fromkeys(OTHERS, self._moment())
        await self._nc.subscribe(strained_subject(self._site), cb=self._strains.hear)
        await self._nc.subscribe(rubbish_subject(self._site, "*"), cb=self._rubbish.hear)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._owing.follow(start - LOOK_BACK))
            for role in OTHERS:
                group.create_task(self._ping(role))
            group.create_task(self._look())
            group.create_task(self._alerts.run())

    async def _look(self) -> None:
        seen, found = self._moment(), list[Incident]()
        looked = seen
        while not stopping():
            try:
                if self._owing.caught_up.is_set():
                    found = await self._found()
                    self._watched += _passed() - looked.passed
                    self._alerts.are(found)
                    await self._do_it_ourselves(found)
                    await self._incidents.are(found)
                    await self._nc.publish(looked_subject(self._site))
                    seen = self._moment()
            except (NatsError, APIError, TimeoutError, DispatchError) as error:
                log.error("watchdog.blind", error=repr(error))
            looked = self._moment()
            if seen.passed < looked.passed - BLIND:
                self._alerts.are([*found, _blind(seen.at)])
            await asyncio.sleep(LOOK_SECONDS)

    async def _found(self) -> list[Incident]:
        late = await self._owing.late(self._clock() - LATE)
        await in_batches(self._ring_anew, late)
        before = self._clock() - OWED
        overdue = await self._owing.overdue(before)
        return [
            *map(_owed, overdue),
            *first_rings_waiting(overdue, before),
            *map(_late, late),
            *await self._presses_waiting(),
            *self._strains.incidents(),
            *self._rubbish.incidents(),
            *await self._waiting(CASES, "calls", live_cases(self._site), "有呼叫未开始 / calls wait"),
            *await self._waiting(
                CASES, "notices", live_cases(self._site), "有解除通知未发 / word that nobody need come waits"
            ),
            *self._silent(),
            *self._channels.incidents(self._clock()),
        ]

    async def _do_it_ourselves(self, found: Collection[Incident]) -> None:
        """While the fan-out is away, or leaves its work lying, that is done from here."""
        if self._stand_in is None:
            return
        at, watched = self._clock(), self._watched
        unanswered = watched - self._heard_at
        self._stuck_since = {
            one.what: self._stuck_since.get(one.what, watched)
            for one in found
            if one.kind == "waiting" and one.since < at - AWAY
        }
        gone = unanswered > AWAY
        stuck = {job for job, since in self._stuck_since.items() if watched - since > AWAY}
        if unanswered > UNTAKEN or "fanout" in stuck:
            self._stand_in.take_presses(await self._done(INTAKE, "fanout"), at - UNTAKEN)
        if gone:
            self._stand_in.take_steps(await self._owing.late(at))
        left = Left(
            gone_since=max(at - unanswered, self._answered["fanout"].at) if gone else None,
            untaken=await self._done(CASES, "calls") if "calls" in stuck and not gone else None,
            queueing=self._owing.queueing(at - QUEUES),
            texts=self._owing.texts,
        )
        self._stand_in.ring(await self._owing.overdue(left.before(at)), left)
        if gone or "notices" in stuck:
            self._stand_in.tell()
        if unanswered <= UNTAKEN:
            self._stand_in.step_back(stuck)

    async def _ring_anew(self, late: Case) -> None:
        """The timer of a step was lost, or nobody heeds it: it is rung anew until somebody does.

        Where it cannot be stored, all else that a look finds and does goes on.
        """
        try:
            await self._timers.ring(late.id)
        except Unavailable as error:
            log.error("watchdog.timer_not_rung", case=late.id, reason=error.detail)

    async def _presses_waiting(self) -> list[Incident]:
        place, subject = await self._place(INTAKE, "fanout"), press_subject(self._site, "*")
        return [presses_waiting(place.left, at) for at in await self._late(INTAKE, place, subject)]

    async def _waiting(self, stream: str, job: str, subject: str, detail: str) -> list[Incident]:
        """An incident when the oldest message that `job` has not dealt with has been there for too long."""
        late = await self._late(stream, await self._place(stream, job), subject)
        return [Incident(kind="waiting", what=job, since=at, detail=detail) for at in late]

    async def _late(self, stream: str, place: Place, subject: str) -> list[datetime]:
        """When the oldest message behind `place` was stored, where that is too long ago."""
        if not place.left:
            return []
        oldest = await direct_get(self._nc, stream, {"seq": place.done + 1, "next_by_subj": subject, "batch": 1})
        stored = [of_server(datetime.fromisoformat((message.headers or {})["Nats-Time-Stamp"])) for message in oldest]
        return [at for at in stored if at < self._clock() - WAITING]

    async def _done(self, stream: str, job: str) -> int | None:
        """The sequence up to which `job` has dealt with everything, or None when nothing is left."""
        place = await self._place(stream, job)
        return place.done if place.left else None

    async def _place(self, stream: str, job: str) -> Place:
        """Where `job` stands.

        Presses are dealt with when acknowledged, calls when taken in hand: from there on `Owing` has them.
        """
        try:
            info = await self._js.consumer_info(stream, f"{job}-{self._site}")
        except NotFoundError:  # no worker was ever there
            return Place(0, await self._stored(stream))
        reached = info.ack_floor if stream == INTAKE else info.delivered
        left = (info.num_pending or 0) + ((info.num_ack_pending or 0) if stream == INTAKE else 0)
        return Place(reached.stream_seq if reached else 0, left)

    async def _stored(self, stream: str) -> int:
        of_site = {INTAKE: press_subject(self._site, "*"), CASES: live_cases(self._site)}[stream]
        info = await self._js.stream_info(stream, subjects_filter=of_site)
        return sum((info.state.subjects or {}).values())

    def _silent(self) -> list[Incident]:
        return [
            Incident(
                kind="silent",
                what=role,
                since=heard.at,
                detail=f"进程 {role} 没有应答 / the process {role} does not answer",
            )
            for role, heard in self._answered.items()
            if heard.passed < _passed() - SILENT
        ]

    def _moment(self) -> Moment:
        return Moment(_passed(), self._clock())

    async def _ping(self, role: Role) -> None:
        while not stopping():
            try:
                await self._nc.request(ping_subject(self._site, role), timeout=LOOK_SECONDS)
                self._answered[role] = self._moment()
                if role == "fanout":
                    self._heard_at = self._watched
            except (NatsError, TimeoutError) as error:
                log.debug("watchdog.no_answer", asked=role, error=repr(error))
            await asyncio.sleep(LOOK_SECONDS)


def _passed() -> timedelta:
    return timedelta(seconds=monotonic())


def _blind(since: datetime) -> Incident:
    detail = "值守进程读不到日志 / the watchdog cannot read the log: is the message server there?"
    return Incident(kind="blind", what="watch", since=since, detail=detail)


def _late(case: Case) -> Incident:
    due = due_at(case)
    detail = (
        "未按时换用下一联系方式 / somebody's next channel should have rung and has not"
        if any(one.at == due for one in follows(case))
        else "升级未按时进行 / the call should have widened and has not"
    )
    return Incident(kind="late", what=case.id, since=due or case.stepped_at, detail=detail)


def _owed(case: Case) -> Incident:
    calls = case.owed()
    return Incident(
        kind="owed",
        what=case.id,
        since=min(owed_since(case)),
        detail=f"{len(calls)} 人的呼叫没有结果 / calls to {len(calls)} people without an outcome",
    )
