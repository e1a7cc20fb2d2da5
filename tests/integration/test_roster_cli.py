"""`dispatch roster` and `dispatch token` as they are typed."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dispatch.roster.demo import FILES
from tests import commands

Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def run(nats_url: str) -> Run:
    """Runs `dispatch …` on a site of this test's own; gives exit code, output and errors."""
    site = f"t{secrets.token_hex(5)}"
    environment = os.environ | {"DISPATCH_NATS_URL": nats_url, "DISPATCH_SITE": site, "COLUMNS": "80"}

    async def dispatch(*arguments: object, typed: str | None = None) -> tuple[int, str, str]:
        return await commands.dispatch(*arguments, env=environment, typed=typed)

    return dispatch


async def test_the_roster_is_imported_listed_and_shown(run: Run) -> None:
    code, output, _ = await run("roster", "import", *FILES, "--by", "王芳", "--json")
    assert code == 0
    assert json.loads(output)["written"] == {"created": 139, "changed": 0, "unchanged": 0}
    _, output, _ = await run("roster", "list", "group", "--json")
    assert [json.loads(line)["id"] for line in output.splitlines()] == [f"g-{n:02}" for n in range(1, 11)]
    _, output, _ = await run("roster", "show", "household", "h-0002", "--json")
    assert {"name": "段家", "by": "王芳", "group": "g-01"}.items() <= json.loads(output).items()


async def test_wrong_rows_are_told_and_the_exit_code_says_so(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("人员编号,姓名,手机号\np-1,段学文,138\np-2,高德贵,19900000002\n")
    code, output, errors = await run("roster", "import", path)
    assert (code, output) == (1, "")
    assert f"{path}:2:C(手机号) '138'" in errors
    assert "Nothing was written: 1 problem in these files." in errors
    code, output, _ = await run("roster", "import", path, "--partial")
    assert (code, output) == (1, "1 created, 0 changed, 0 as they were, 1 row left out.\n")


async def test_what_is_not_there_is_said(run: Run) -> None:
    assert await run("roster", "list", "person") == (0, "没有 none\n", "")
    code, output, errors = await run("roster", "show", "person", "nobody")
    assert (code, output) == (1, "")
    assert "there is no person 'nobody'" in errors


@pytest.mark.parametrize(
    "arguments", [("device", "h-none"), ("responder", "p-none"), ("operator", "desk-1", "--area", "a-none")]
)
async def test_nobody_gets_a_token_who_is_not_in_the_roster(run: Run, arguments: tuple[str, ...]) -> None:
    code, output, errors = await run("token", "new", *arguments)
    assert (code, output) == (1, "")
    assert "there is no" in errors
    assert "--force" in errors
    assert (await run("token", "new", *arguments, "--force"))[0] == 0


async def test_a_secret_is_shown_once(run: Run) -> None:
    code, output, _ = await run("token", "new", "operator", "desk-1", "--days", "2", "--json")
    assert code == 0
    made = json.loads(output)
    assert made["link"].endswith(f"/in#{made['token']}")
    _, output, _ = await run("token", "list", "--json")
    assert made["token"] not in output
    (listed,) = map(json.loads, output.splitlines())
    assert listed["principal"]["token_id"] == made["token_id"]
    assert listed["expires_at"] is not None
    revoked = await run("token", "revoke", made["token_id"])
    assert revoked == (0, "revoked: operator desk-1\n", "")
    assert (await run("token", "revoke", made["token_id"]))[0] == 1


async def test_ids_and_roles_stand_whole_at_80_columns(run: Run) -> None:
    person, label = "p-maozhou-group-1-leader", "罗玉珍的手机，茅州村一组联防组长，双卡，夜间也要响铃"
    code, _, errors = await run("token", "new", "responder", person, "--force", "--label", label, "--days", "30")
    assert code == 0, errors
    code, output, _ = await run("token", "list")
    assert (code, "…" in output) == (0, False)
    assert " responder " in output
    assert f" {person} " in output


async def test_a_header_that_is_wrong_gives_no_orders_to_the_terminal(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("人员编号,姓名,手\x1b[2J机号\np-1,段学文,19900000001\n")
    code, _, errors = await run("roster", "import", path)
    assert (code, r"手\x1b[2J机号" in errors, "\x1b" in errors) == (1, True, False)


async def test_how_a_call_widens_is_set_shown_and_kept_by_an_import(run: Run, tmp_path: Path) -> None:
    await run("roster", "import", *FILES, "--json")
    code, output, told = await run("roster", "policy", "maozhou")
    (standard,) = json.loads(output)
    assert (code, standard["name"], len(standard["steps"])) == (0, "standard", 4)
    assert told.startswith("maozhou: ")
    assert "the standard policy, built in" in told
    policy = {
        "name": "night",
        "kinds": ["intrusion"],
        "quorum": {"neighbours": 2, "officers": 1, "anyone": 1},
        "steps": [
            {"call": ["group", "officers"], "within_seconds": 45},
            {"call": ["again", "neighbour_officers"], "within_seconds": 60},
        ],
    }
    path = tmp_path / "policies.json"
    path.write_text(json.dumps([policy]))
    code, _, errors = await run("roster", "policy", "maozhou", "--set", path)
    assert (code, errors) == (0, "")
    await run("roster", "import", *FILES, "--json")
    code, output, _ = await run("roster", "policy", "maozhou")
    assert json.loads(output)[0]["steps"] == policy["steps"]
    assert (await run("roster", "policy", "gonghe"))[2].startswith("gonghe: "), "the area above has none"
    path.write_text(json.dumps([standard]))
    assert (await run("roster", "policy", "mouding", "--set", path))[0] == 0, "as it was printed"
    code, output, told = await run("roster", "policy", "maozhou")
    assert [one["name"] for one in json.loads(output)] == ["night"]
    assert told == "maozhou: 沿用牟定县的预案 the policy of mouding, above it (help, medical, fire)\n"
    _, output, _ = await run("roster", "show", "area", "maozhou", "--json")
    assert json.loads(output)["neighbours"] == ["sanhua", "yuxin"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"name": "x", "steps": []}]', "$[0].steps"),
        ('[{"name": "x", "steps": [{"call": ["everybody"], "within_seconds": 5}]}]', "everybody"),
        ('[{"name": "x", "steps": [{"call": ["again"], "within_seconds": 0}]}]', "within_seconds"),
        ('[{"name": "x", "steps": [{"call": ["again"], "within_seconds": 5}], "quorm": {"anyone": 3}}]', "$[0].quorm"),
        ("no JSON", "policy --help"),
    ],
)
async def test_a_policy_that_cannot_be_is_named(run: Run, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "policies.json"
    path.write_text(text)
    code, output, errors = await run("roster", "policy", "maozhou", "--set", path)
    assert (code, output) == (2, "")
    assert said in errors


async def test_pins_are_asked_for_twice_and_shown_nowhere(run: Run, tmp_path: Path) -> None:
    await run("roster", "import", *FILES)
    code, output, errors = await run("roster", "pin", "h-0002", typed="4711\n4711\n0815\n0815\n")
    assert errors == "", "no warning about a terminal that is not there"
    assert (code, output.endswith("h-0002: PIN set, duress PIN set\n")) == (0, True)
    _, output, _ = await run("roster", "show", "household", "h-0002", "--json")
    assert {"pin": "set", "duress_pin": "set"}.items() <= json.loads(output).items()
    assert "argon2" not in output + (await run("roster", "list", "household", "--json"))[1]
    for typed, why in (
        ("4711\n4712\n", "not the same"),
        ("4711\n4711\n4711\n4711\n", "PIN itself"),
        ("12\n12\n\n", "4 to 8"),
        ("4711\n", "PIN again: standard input has no line for it"),
    ):
        code, _, errors = await run("roster", "pin", "h-0002", typed=typed)
        assert code != 0
        assert why in errors
    _, output, _ = await run("roster", "import", *FILES, "--json")
    assert json.loads(output)["written"]["changed"] == 0, "no file takes a PIN away"
    changed = tmp_path / "households.csv"
    changed.write_text("户编号,户主,住址,辖区,联防组\nh-0002,段家,新址 9 号,maozhou,g-01\n")
    code, _, errors = await run("roster", "import", changed, "--partial")
    assert code == 0, errors
    _, output, _ = await run("roster", "show", "household", "h-0002", "--json")
    assert {"address": "新址 9 号", "pin": "set"}.items() <= json.loads(output).items()
    assert (await run("roster", "pin", "h-0002", "--clear"))[1] == "h-0002: no PIN\n"
    assert '"pin"' not in (await run("roster", "show", "household", "h-0002", "--json"))[1]


async def test_a_household_that_is_not_there_is_said_before_anything_is_asked(run: Run) -> None:
    for command in ("pin", "left-out"):
        code, output, errors = await run("roster", command, "h-9999", typed="4711\n4711\n\n")
        assert (code, output) == (1, ""), command
        assert "there is no household 'h-9999'" in errors


async def test_who_is_left_out_for_another_reason_is_so_for_that_one_and_both_are_kept(run: Run) -> None:
    await run("roster", "import", *FILES)
    for by, reason in (("王芳", "打人"), ("王芳", "打人"), ("李明", "法院禁令")):
        assert (await run("roster", "leave-out", "h-0002", "p-0003", "--reason", reason, "--by", by))[0] == 0
    (now,) = json.loads((await run("roster", "show", "household", "h-0002", "--json"))[1])["left_out"]
    assert (now["person"], now["by"], now["reason"]) == ("p-0003", "李明", "法院禁令")
    trail = [json.loads(line) for line in (await run("roster", "left-out", "h-0002", "--json"))[1].splitlines()]
    assert [(one["by"], one["reason"]) for one in trail] == [("王芳", "打人"), ("李明", "法院禁令")]
    assert now["at"] == trail[1]["at"] > trail[0]["at"]


async def test_who_is_left_out_stands_in_a_record_that_is_kept(run: Run) -> None:
    await run("roster", "import", *FILES)
    code, _, errors = await run("roster", "leave-out", "h-0002", "p-0003")
    assert (code, "say why" in errors) == (2, True)
    for unseen in (("--reason", "打人\x1b[2J"), ("--reason", "打人", "--by", "王\x1b[2J")):
        code, _, errors = await run("roster", "leave-out", "h-0002", "p-0003", *unseen)
        assert (code, "that can be printed" in errors) == (2, True), "it would clear the screen of whoever lists them"
    assert (await run("roster", "leave-out", "h-0002", "p-0003", "--reason", "打人", "--by", "王芳"))[0] == 0
    _, output, _ = await run("roster", "show", "household", "h-0002", "--json")
    assert [one["person"] for one in json.loads(output)["left_out"]] == ["p-0003"]
    assert json.loads((await run("roster", "import", *FILES, "--json"))[1])["written"]["changed"] == 0
    assert (await run("roster", "leave-out", "h-0002", "p-0003", "--undo", "--by", "李明"))[0] == 0
    assert "left_out" not in (await run("roster", "show", "household", "h-0002", "--json"))[1]
    _, output, _ = await run("roster", "left-out", "h-0002", "--json")
    trail = [json.loads(line) for line in output.splitlines()]
    assert [(one["what"], one["by"], one["reason"]) for one in trail] == [
        ("left_out", "王芳", "打人"), ("let_in", "李明", ""),
    ]  # fmt: skip
    assert (await run("roster", "left-out", "h-0001", "--json"))[1] == ""
    assert "打人" in (await run("roster", "left-out"))[1]
    assert (await run("roster", "leave-out", "h-0002", "p-none", "--reason", "x"))[0] == 1
