"""Buttons over MQTT: what is stored, what is answered, and that one bad press stops no other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import nats
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from dispatch.access import Issued, TokenRole, Tokens
from dispatch.cases import CaseDesk, Plan, RaiseAlarm
from dispatch.clock import now
from dispatch.errors import Unavailable
from dispatch.events import INTAKE, CaseLog, Press, decode_press, press_subject
from dispatch.identifiers import CommitId, HouseholdId, PressId, Site
from dispatch.intake import ButtonAnswers, IntakeDesk, Limits
from tests.buttons import Button, gate, mqtt_of, needs_mosquitto
from tests.servers import Servers
from tests.waiting import until

pytestmark = needs_mosquitto

HOUSEHOLDS = ("h-1", "h-2")
STRANGER = "h-9"
"""A household with a token that is not in the roster."""


class Village:
    """A site of a test's own, with its answers and its gate."""

    def __init__(self, nc: Client, site: Site, port: int) -> None:
        self.nc, self.site, self._port = nc, site, port
        self.tokens = Tokens(nc, self.site)
        self.secrets: dict[str, str] = {}
        self.roster_is_away = False
        self.slow: set[str] = set()

    async def give(self, subject: str, role: TokenRole = "device") -> Issued:
        issued = await self.tokens.issue(role, subject)
        self.secrets[subject] = issued.secret
        return issued

    async def find(self, household: HouseholdId) -> object | None:
        if self.roster_is_away:
            raise Unavailable("the roster does not answer")
        if household in self.slow:
            await asyncio.Event().wait()
        return household if household in HOUSEHOLDS else None

    @asynccontextmanager
    async def answering(self, limits: Limits | None = None) -> AsyncIterator[None]:
        answers = asyncio.create_task(ButtonAnswers(self.nc, self.site, self.find, limits=limits).run())
        try:
            await self._until_reading(answers)
            yield
            assert not answers.done(), answers
        finally:
            answers.cancel()
            await asyncio.wait([answers])

    async def _until_reading(self, answers: asyncio.Task[None]) -> None:
        async def reading() -> bool:
            consumers = await self.nc.jetstream().consumers_info(INTAKE)
            return answers.done() or any(c.name == self.consumer and c.num_waiting for c in consumers)

        await until(reading, "answers to be given")

    @property
    def consumer(self) -> str:
        return f"button-answers-{self.site}"

    def button(self, household: str = "h-1", *, secret: str | None = None, client: str | None = None) -> Button:
        return Button(self._port, self.site, household, secret or self.secrets[household], client=client)

    async def stored(self, household: str = "h-1") -> list[Press]:
        js = self.nc.jetstream()
        subject = press_subject(self.site, household)
        info = await js.stream_info(INTAKE, subjects_filter=subject)
        if not info.state.subjects:
            return []
        pull = await js.pull_subscribe(subject, stream=INTAKE)
        messages = await pull.fetch(info.state.subjects[subject], timeout=5)
        await pull.unsubscribe()
        return [decode_press(m.subject, m.headers, m.data, m.metadata.timestamp) for m in messages]


@pytest.fixture
async def closed_village(servers: Servers, nc: Client, site: Site) -> Village:
    """A village whose households have a token each, and nobody at the gate."""
    port, _ = mqtt_of(servers)
    village = Village(nc, site, port)
    for household in (*HOUSEHOLDS, STRANGER):
        await village.give(household)
    return village


@pytest.fixture
async def village(closed_village: Village, servers: Servers) -> AsyncIterator[Village]:
    async with gate(closed_village.nc, closed_village.site, mqtt_of(servers)[1]):
        yield closed_village


async def test_a_press_is_stored_and_answered(village: Village) -> None:
    async with village.answering(), village.button() as button:
        assert not await button.press({"press_id": "a1", "kind": "fire"})
        answer = await button.answer()
    assert (answer["press_id"], answer["status"]) == ("a1", "accepted")
    (press,) = await village.stored()
    assert (press.press, press.household, press.kind, press.source) == ("a1", "h-1", "fire", "mqtt")
    assert press.pressed_at.isoformat().replace("+00:00", "Z") == answer["accepted_at"]


async def test_the_answer_to_a_silent_press_says_that_nothing_may_light_up(village: Village) -> None:
    async with village.answering(), village.button() as button:
        assert not await button.press({"press_id": "quiet", "silent": True})
        assert (await button.answer())["silent"] is True
        assert not await button.press({"press_id": "loud"})
        assert "silent" not in await button.answer()


@pytest.mark.parametrize(
    ("payload", "problem", "press_id"),
    [
        (b'{"press_id": "a', "malformed", None),
        (b"\xff\xfe", "malformed", None),
        (b"", "malformed", None),
        (b'{"press_id": "a b"}', "malformed", "a b"),
        (b'{"press_id": "a1", "x": ' + b"[" * 3900, "malformed", None),
        (json.dumps({"press_id": "big", "x": "x" * 5000}), "oversized", "big"),
        (json.dumps({"press_id": "huge", "x": "x" * 100_000}), "oversized", "huge"),
    ],
    ids=["cut", "bytes", "empty", "id", "nested", "oversized", "beyond-the-stream"],
)
async def test_a_bad_press_is_told_so_and_the_next_is_accepted(
    village: Village, payload: bytes | str, problem: str, press_id: str | None
) -> None:
    async with village.answering(), village.button() as button:
        await button.press(payload)
        told = await button.answer()
        assert told["type"] == f"urn:dispatch:problem:{problem}"
        assert told["press_id"] == press_id
        assert told["detail"]

        await button.press({"press_id": "next"})
        assert (await button.answer())["status"] == "accepted"


async def test_a_household_that_is_not_in_the_roster_is_told_so(village: Village) -> None:
    async with village.answering(), village.button(STRANGER) as button:
        await button.press({"press_id": "a1"})
        answer = await button.answer()
    assert (answer["type"], answer["press_id"], answer["field"]) == (
        "urn:dispatch:problem:not-found",
        "a1",
        "household",
    )


async def test_a_flood_is_told_so_is_stored_and_keeps_nobody_else_waiting(village: Village) -> None:
    limits = Limits(burst=2, seconds=60)
    async with village.answering(limits), village.button() as mad, village.button("h-2") as calm:
        for number in range(3):
            await mad.press({"press_id": f"a{number}"})
        answers = {a["press_id"]: a for a in [await mad.answer() for _ in range(3)]}
        assert [answers[f"a{n}"]["status"] for n in range(3)] == ["accepted", "accepted", 429]
        assert answers["a2"]["type"] == "urn:dispatch:problem:too-frequent"
        assert 0 < answers["a2"]["retry_after"] <= 60
        assert "already accepted" in answers["a2"]["detail"]

        await mad.press({"press_id": "a1"})
        assert (await mad.answer())["status"] == "accepted", "a retry is not one press more"
        await calm.press({"press_id": "b1"})
        assert (await calm.answer())["status"] == "accepted"
    assert [press.press for press in await village.stored()] == ["a0", "a1", "a2", "a1"]


async def test_a_press_made_while_nobody_answered_is_answered_later_and_only_once(village: Village) -> None:
    async with village.button() as button:
        await button.press({"press_id": "older than any answer"})
        async with village.answering():
            await button.press({"press_id": "before"})
            assert (await button.answer())["press_id"] == "before"
        assert not await button.press({"press_id": "a1"}), "there is a PUBACK, whoever runs"
        async with village.answering():
            assert (await button.answer())["press_id"] == "a1"
        async with village.answering():
            await button.press({"press_id": "after"})
            assert (await button.answer())["press_id"] == "after"


async def test_a_press_that_got_no_answer_and_is_sent_again_opens_one_case(village: Village) -> None:
    async with village.button() as button:
        async with village.answering():
            pass
        await button.press({"press_id": "a1"})
        await button.press({"press_id": "a1"})
        async with village.answering():
            assert [(await button.answer())["press_id"] for _ in range(2)] == ["a1", "a1"]

    desk, cases = CaseDesk(CaseLog(village.nc, village.site)), set()
    for press in await village.stored():
        command = RaiseAlarm(
            id=CommitId(f"raise-{press.press}"), at=press.pressed_at, press=press, accepted_at=press.pressed_at
        )
        handled = await desk.press(command, _plan)
        cases.add((handled.case.id, handled.case.presses))
    assert len(cases) == 1
    assert {presses for _, presses in cases} == {("a1",)}


async def _plan(_: Press) -> Plan:
    return Plan(group=None, areas=(), calls=())


async def test_an_answer_waits_until_the_roster_is_back(village: Village) -> None:
    async with village.answering(), village.button() as button:
        village.roster_is_away = True
        await button.press({"press_id": "a1"})
        await until(lambda: _redelivered(village), "the press to be tried again")
        village.roster_is_away = False
        await button.press({"press_id": "a2"})
        assert {(await button.answer())["press_id"] for _ in range(2)} == {"a1", "a2"}


async def test_a_slow_look_up_keeps_no_other_button_waiting(village: Village) -> None:
    village.slow.add("h-1")
    async with village.answering(), village.button() as slow, village.button("h-2") as other:
        await slow.press({"press_id": "a1"})
        await other.press({"press_id": "b1"})
        assert (await other.answer())["press_id"] == "b1"


async def _redelivered(village: Village) -> bool:
    info = await village.nc.jetstream().consumer_info(INTAKE, village.consumer)
    return bool(info.num_redelivered)


async def test_presses_over_http_are_not_answered_on_the_topic_of_the_button(village: Village) -> None:
    async with village.answering(), village.button() as button:
        over_http = Press(
            press=PressId("web"), household=HouseholdId("h-1"), device="phone", source="http", pressed_at=now()
        )
        await IntakeDesk(village.nc, village.site).accept(over_http)
        await button.press({"press_id": "a1"})
        assert (await button.answer())["press_id"] == "a1"
    assert [press.press for press in await village.stored()] == ["web", "a1"]


async def test_two_serve_processes_answer_once(village: Village) -> None:
    async with village.answering(), village.answering(), village.button() as button:
        for number in range(4):
            await button.press({"press_id": f"a{number}"})
        await button.press({"press_id": "big", "x": "x" * 5000})
        answers = {(await button.answer())["press_id"] for _ in range(5)}
        await button.press({"press_id": "last"})
        assert (await button.answer())["press_id"] == "last", "each press before was answered once"
    assert answers == {"a0", "a1", "a2", "a3", "big"}


async def test_a_button_without_a_token_for_buttons_is_refused(village: Village) -> None:
    revoked = await village.give("h-1")
    await village.tokens.revoke(revoked.token_id)
    operator = await village.give("op", "operator")
    secrets = ("wrong", "户", "x" * 5000, revoked.secret, operator.secret)
    buttons = [village.button("h-1", secret=secret) for secret in secrets]
    # At once: the server takes its time with each.
    said = await asyncio.gather(*(button.press({"press_id": "a1"}) for button in buttons))
    assert [secret for secret, words in zip(secrets, said, strict=True) if "not authori" not in words.lower()] == []
    assert await village.stored() == []


async def test_a_revoked_token_ends_with_the_permission_that_it_gave(closed_village: Village, servers: Servers) -> None:
    issued = await closed_village.give("h-1")
    brief = gate(closed_village.nc, closed_village.site, mqtt_of(servers)[1], timedelta(seconds=2))
    async with brief, closed_village.button() as button:
        await closed_village.tokens.revoke(issued.token_id)
        with pytest.raises(PermissionError):
            await button.answer()


async def test_with_nobody_at_the_gate_no_button_comes_in(closed_village: Village) -> None:
    assert await closed_village.button().press({"press_id": "a1"})
    assert await closed_village.stored() == []


async def test_a_button_cannot_press_for_another_household(village: Village) -> None:
    button = village.button()
    await button.press({"press_id": "a1"}, household="h-2")
    await button.press({"press_id": "a1"})
    assert len(await village.stored("h-1")) == 1
    assert await village.stored("h-2") == []


async def test_a_button_cannot_hear_another_household(village: Village) -> None:
    eavesdropper = village.button("h-2", secret=village.secrets["h-1"], client="x")
    with pytest.raises(PermissionError):
        await eavesdropper.__aenter__()
    await eavesdropper.__aexit__()


async def test_a_button_cannot_throw_out_another_under_its_client_id(village: Village) -> None:
    said = await village.button("h-1", client="h-2/gate").press({"press_id": "a1"})
    assert "not authori" in said.lower()
    assert not await village.button("h-2", client="h-2/gate").press({"press_id": "a1"})


async def test_a_service_cannot_sign_in_with_the_token_of_a_button(village: Village, servers: Servers) -> None:
    address = servers.nats_url.rpartition("@")[2]
    with pytest.raises(NatsError):
        await nats.connect(f"nats://h-1:{village.secrets['h-1']}@{address}", allow_reconnect=False, connect_timeout=3)
