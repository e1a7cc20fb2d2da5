"""`dispatch what-if` on a real log: what it prints, and that it writes nothing."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from dispatch.cases import CaseDesk, GiveAnswer, RaiseAlarm, Resolve, TakeStep
from dispatch.clock import now
from dispatch.events import CASES, CaseLog, Press
from dispatch.fanout import due_step, targets_of
from dispatch.fanout.plan import STANDARD
from dispatch.identifiers import CaseId, CommitId, PersonId, PressId, Site
from dispatch.roster import Post, Roster
from dispatch.roster.documents import Duty
from tests import commands
from tests.village import HOUSEHOLD, Village, village_of
from tests.waiting import until

Run = Callable[..., Awaitable[tuple[int, str, str]]]
STATION = PersonId("p-2")


@pytest.fixture
async def village(nc: Client, site: Site) -> AsyncIterator[Village]:
    """A village of three, the last of whom stands at the station too."""
    async with village_of(nc, site, 3) as made:
        yield made


@pytest.fixture
def run(nats_url: str, village: Village) -> Run:
    environment = os.environ | {"DISPATCH_NATS_URL": nats_url, "DISPATCH_SITE": village.site, "COLUMNS": "100"}

    async def dispatch(*arguments: object) -> tuple[int, str, str]:
        return await commands.dispatch(*arguments, env=environment)

    return dispatch


async def recorded_case(village: Village) -> CaseId:
    """A case of two minutes: nobody answers, and after 45 s everybody is called again; then one comes."""
    desk, began = CaseDesk(CaseLog(village.nc, village.site)), now() - timedelta(minutes=2)
    press = Press(press=PressId(secrets.token_hex(8)), household=HOUSEHOLD, device="d", source="http", pressed_at=began)
    plan = await village.plan(press)
    raised = RaiseAlarm(id=CommitId("a"), at=began, press=press, accepted_at=began)

    async def planned(_: Press) -> object:
        return plan

    case = (await desk.press(raised, planned)).case  # type: ignore[arg-type]
    at = began + timedelta(seconds=45)
    step = await due_step(Roster(village.nc, village.site), case, targets_of(case, 1, "no_answer"), at)
    await desk.handle(case.id, TakeStep(id=CommitId("s"), at=at, position=1, plan=step, because="no_answer"))
    answer_at = began + timedelta(seconds=60)
    for person in ("p-0", "p-1"):
        answer = GiveAnswer(
            id=CommitId(person), at=answer_at, responder=PersonId(person), answer="going", via="page", eta_minutes=5
        )
        await desk.handle(case.id, answer)
    over = began + timedelta(seconds=110)
    await desk.handle(case.id, Resolve(id=CommitId("r"), at=over, by="operator:op", resolution="helped"))
    return case.id


def policies(tmp_path: Path, seconds: int) -> Path:
    path = tmp_path / "policies.json"
    steps = [{"call": ["group"], "within_seconds": seconds}, {"call": ["station"], "within_seconds": 60}]
    path.write_text(json.dumps([{"name": "quick", "quorum": {"anyone": 2}, "steps": steps}]))
    return path


async def test_a_quicker_policy_is_tried_on_what_was_recorded(run: Run, village: Village, tmp_path: Path) -> None:
    case = await recorded_case(village)
    duty = Duty(person=STATION)
    post = Post(id="po-1", name="派出所值班", area="a-1", role="station", duty=(duty,))  # type: ignore[arg-type]
    await Roster(village.nc, village.site).put(post, by="test")
    before = (await village.nc.jetstream().stream_info(CASES)).state.last_seq
    code, output, _ = await run("what-if", "--policy", policies(tmp_path, 20), "--json")
    told = json.loads(output)
    assert code == 0
    assert told["summary"]["cases"] == 1
    (one,) = told["cases"]
    assert one["case"] == case
    assert one["would"]["steps"] == [20.0]
    assert one["would"]["enough"] == one["was"]["enough"] == 60.0
    assert [round(one["was"]["steps"][0]), *one["would"]["called"].values()] == [45, 0.0, 0.0, 0.0]
    assert (await village.nc.jetstream().stream_info(CASES)).state.last_seq == before
    code, output, _ = await run("what-if", "--policy", policies(tmp_path, 20), "--csv")
    (row,) = csv.DictReader(io.StringIO(output))
    assert (code, row["case"], row["enough_would"]) == (0, case, "60.0")
    code, output, _ = await run("what-if", "--policy", policies(tmp_path, 20))
    assert "1 cases" in output
    code, output, _ = await run("what-if", "--policy", policies(tmp_path, 20), "--case", case)
    assert "升级 steps: was 45 s, would have been 20 s" in output
    code, output, _ = await run("what-if", "--policy", policies(tmp_path, 20), "--since", "2099-01-01")
    assert output.startswith("0 cases")


async def test_of_one_case_nothing_else_of_the_log_is_read(run: Run, village: Village, tmp_path: Path) -> None:
    case, made = await recorded_case(village), list[str]()

    async def made_one(message: Msg) -> None:
        made.append(message.subject)

    await village.nc.subscribe(f"$JS.EVENT.ADVISORY.CONSUMER.CREATED.{CASES}.*", cb=made_one)
    await village.nc.flush()
    code, output, _ = await run("what-if", "--policy", policies(tmp_path, 20), "--case", case, "--csv")
    await village.nc.flush()
    assert (code, [row["case"] for row in csv.DictReader(io.StringIO(output))]) == (0, [case])
    assert made == []
    code, _, _ = await run("what-if", "--policy", policies(tmp_path, 20), "--csv")
    await until(lambda: made, "the whole log to be read where no case is named")


async def test_what_changes_nothing_is_in_force_only_where_it_is(run: Run, village: Village, tmp_path: Path) -> None:
    await recorded_case(village)
    path = tmp_path / "policies.json"
    standard = {"name": "mine", "quorum": STANDARD.quorum, "steps": STANDARD.steps}
    path.write_bytes(msgspec.json.encode([standard]))
    _, output, _ = await run("what-if", "--policy", path)
    assert output.startswith("0 of 1 different：这就是当时执行的策略: this is the policy in force\n")
    path.write_bytes(msgspec.json.encode([standard | {"fallback_seconds": 60}]))
    _, output, _ = await run("what-if", "--policy", path)
    assert output.startswith("0 of 1 different\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--policy", "nowhere.json"), "cannot be read"),
        (("--policy", __file__), "is no list of policies"),
    ],
)
async def test_what_cannot_be_used_is_said(run: Run, arguments: tuple[str, ...], said: str) -> None:
    code, output, errors = await run("what-if", *arguments)
    assert (code, output) == (2, "")
    assert said in errors


async def test_a_misspelt_field_of_a_policy_is_said(run: Run, tmp_path: Path) -> None:
    misspelt = tmp_path / "misspelt.json"
    misspelt.write_text('[{"name": "x", "steps": [{"call": ["again"], "within_seconds": 5}], "quorm": {"anyone": 3}}]')
    code, _, errors = await run("what-if", "--policy", misspelt)
    assert code == 2
    assert "$[0].quorm" in errors


async def test_a_time_that_is_none_is_said(run: Run, tmp_path: Path) -> None:
    code, _, errors = await run("what-if", "--policy", policies(tmp_path, 20), "--since", "soon")
    assert code == 2
    assert "--since 'soon' is not a time" in errors


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (("--area", "nowhere"), "there is no area 'nowhere'"),
        (("--case", "h-1-AAAAAAAA"), "there is no case"),
        (("--case", "h-1"), "is not a case id"),
        (("--case", "h-1-AAAAAAAA", "--json"), "there is no case"),
        (("--case", "h-1-AAAAAAAA", "--csv"), "there is no case"),
        (("--json", "--csv"), "choose one of them"),
        (("--since", "2026-11-02", "--until", "2026-11-01"), "is not before"),
    ],
)
async def test_what_is_not_there_is_said_instead_of_nothing(
    run: Run, village: Village, tmp_path: Path, chosen: tuple[str, ...], said: str
) -> None:
    await recorded_case(village)
    code, output, errors = await run("what-if", "--policy", policies(tmp_path, 20), *chosen)
    assert (code != 0, output) == (True, "")
    assert said in errors
