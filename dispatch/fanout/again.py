"""A commit out of the DLQ, handled again by the worker whose work it was, as if it had been delivered once more.

Asked over core NATS (`ops.<site>.again.<job>`), one worker answers. What it does is what a redelivery does: calls whose
outcome is known are not made again. A worker that is killed meanwhile answers nothing, and the letter stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from dispatch.errors import DispatchError, NotFound, Refused, Unavailable
from dispatch.events import CASES, Kept, as_delivered, direct_get, due_subject, live_cases
from dispatch.fanout.work import Handler
from dispatch.identifiers import CaseId, Site

log = structlog.get_logger()

JOBS = ("calls", "escalation", "notices")
"""The work on commits that can be asked for again."""
DUE = "due"
TEXTS = "texts"
"""Of the calls that a commit asks for, those by text message."""
ANSWER_SECONDS = 20.0
"""A channel that hangs takes so long to be given up, and then the outcome is on the log."""


class _Answer(msgspec.Struct):
    refused: str | None = None
    later: str | None = None


class CommitAgain:
    """Asks a worker of one site to handle commits again."""

    def __init__(self, nc: Client, site: Site | str) -> None:
        self._nc, self._site = nc, Site(site)

    async def __call__(self, kept: Kept) -> None:
        """Have the letter's commit handled again, and wait until it is.

        Raises `Refused` with the reason when it cannot be, `Unavailable` when no worker answers in time.
        """
        await ask_again(self._nc, self._site, kept.letter.by, kept.letter.seq)


async def ask_again(nc: Client, site: Site | str, job: str, seq: int, seconds: float = ANSWER_SECONDS) -> None:
    """Have the commit at `seq` of the log handled again by a worker whose `job` it is, and wait until it is.

    Raises `Refused` with the reason when it cannot be, `Unavailable` when no worker answers within so many `seconds`.
    """
    try:
        answer = await nc.request(again_subject(site, job), str(seq).encode(), timeout=seconds)
    except NoRespondersError:
        raise Unavailable("no fan-out worker is running; `dispatch doctor` tells") from None
    except (NatsError, TimeoutError) as error:
        raise Unavailable(f"the fan-out worker gave no answer: {error!r}") from error
    said = msgspec.json.decode(answer.data, type=_Answer)
    if said.refused is not None:
        raise Refused(said.refused)
    if said.later is not None:
        raise Unavailable(said.later)


class DueAgain:
    """Has a case looked at again whose timer could not be handled."""

    def __init__(self, nc: Client, site: Site | str) -> None:
        self._js, self._site = nc.jetstream(), Site(site)

    async def __call__(self, kept: Kept) -> None:
        """What is due is decided by the case alone, so that one look more does no harm. Raises `Unavailable`."""
        case = CaseId(kept.letter.subject.rpartition(".")[2])
        try:
            await self._js.publish(due_subject(self._site, case), b"")
        except (NatsError, TimeoutError) as error:
            raise Unavailable(f"the stream of timers does not answer: {error!r}") from error


@asynccontextmanager
async def answering_again(nc: Client, site: Site | str, handlers: Mapping[str, Handler]) -> AsyncIterator[None]:
    """While this lasts, handle again what is asked for: `handlers` by the name of the job."""
    running: dict[tuple[str, int], asyncio.Task[_Answer]] = {}
    waiting: set[asyncio.Task[None]] = set()

    async def answer(request: Msg, name: str) -> None:
        key = (name, int(request.data))
        if key not in running:  # who asks twice at once gets the one answer
            running[key] = asyncio.create_task(_handled(nc, Site(site), handlers[name], key[1]))
            running[key].add_done_callback(lambda _: running.pop(key, None))
        said = await asyncio.shield(running[key])
        await request.respond(msgspec.json.encode(said))

    async def begin(request: Msg) -> None:
        task = asyncio.create_task(answer(request, request.subject.rpartition(".")[2]))
        waiting.add(task)
        task.add_done_callback(waiting.discard)

    subscriptions = [await nc.subscribe(again_subject(site, name), queue="again", cb=begin) for name in handlers]
    try:
        yield
    finally:
        if nc.is_connected:
            for subscription in subscriptions:
                await subscription.unsubscribe()
        for task in (*waiting, *running.values()):
            task.cancel()


def again_subject(site: Site | str, job: str) -> str:
    return f"ops.{site}.again.{job}"


async def _handled(nc: Client, site: Site, handler: Handler, seq: int) -> _Answer:
    try:
        await handler(await _delivered_again(nc, site, seq))
    except Refused as error:
        return _Answer(refused=error.detail)
    except DispatchError as error:
        return _Answer(later=error.detail)
    except Exception as error:
        log.exception("again.failed", seq=seq)
        return _Answer(refused=f"failed again, with {error!r}")
    return _Answer()


async def _delivered_again(nc: Client, site: Site, seq: int) -> Msg:
    """The commit at `seq` as a consumer delivers it the second time. Raises `NotFound`, `Unavailable`."""
    request: dict[str, object] = {"seq": seq, "next_by_subj": live_cases(site), "batch": 1}
    for found in await direct_get(nc, CASES, request):
        if (found.headers or {})["Nats-Sequence"] == str(seq):
            return as_delivered(nc, found, by="again", times=2)
    raise NotFound(f"the log holds no commit {seq}")


__all__ = ["DUE", "JOBS", "TEXTS", "CommitAgain", "DueAgain", "again_subject", "answering_again", "ask_again"]
