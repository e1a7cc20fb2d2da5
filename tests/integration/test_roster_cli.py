"""`dispatch roster` and `dispatch token` as they are typed."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dispatch.roster.demo import FILES

Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def run(nats_url: str) -> Run:
    """Runs `dispatch …` on a site of this test's own; gives exit code, output and errors."""
    site = f"t{secrets.token_hex(5)}"
    environment = os.environ | {"DISPATCH_NATS_URL": nats_url, "DISPATCH_SITE": site, "COLUMNS": "80"}

    async def dispatch(*arguments: object) -> tuple[int, str, str]:
        command = (sys.executable, "-m", "dispatch", *map(str, arguments))
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environment)
        output, errors = await process.communicate()
        return process.returncode or 0, output.decode(), errors.decode()

    return dispatch


async def test_the_roster_is_imported_listed_and_shown(run: Run) -> None:
    code, output, _ = await run("roster", "import", *FILES, "--by", "王芳", "--json")
    assert code == 0
    assert json.loads(output)["written"] == {"created": 135, "changed": 0, "unchanged": 0}
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
    code, output, _ = await run("token", "revoke", made["token_id"])
    assert (code, output) == (0, "revoked: operator desk-1\n")
    assert (await run("token", "revoke", made["token_id"]))[0] == 1


async def test_ids_and_roles_stand_whole_at_80_columns(run: Run) -> None:
    person, label = "p-maozhou-group-1-leader", "罗玉珍的手机，茅州村一组联防组长，双卡，夜间也要响铃"
    code, _, errors = await run("token", "new", "responder", person, "--force", "--label", label, "--days", "30")
    assert code == 0, errors
    code, output, _ = await run("token", "list")
    assert (code, "…" in output) == (0, False)
    assert " responder " in output
    assert f" {person} " in output


async def test_how_a_call_widens_is_set_shown_and_kept_by_an_import(run: Run, tmp_path: Path) -> None:
    await run("roster", "import", *FILES, "--json")
    assert await run("roster", "policy", "maozhou") == (0, "[]\n", "")
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
    _, output, _ = await run("roster", "show", "area", "maozhou", "--json")
    assert json.loads(output)["neighbours"] == ["sanhua", "yuxin"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"name": "x", "steps": []}]', "$[0].steps"),
        ('[{"name": "x", "steps": [{"call": ["everybody"], "within_seconds": 5}]}]', "everybody"),
        ('[{"name": "x", "steps": [{"call": ["again"], "within_seconds": 0}]}]', "within_seconds"),
        ("no JSON", "policy --help"),
    ],
)
async def test_a_policy_that_cannot_be_is_named(run: Run, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "policies.json"
    path.write_text(text)
    code, output, errors = await run("roster", "policy", "maozhou", "--set", path)
    assert (code, output) == (2, "")
    assert said in errors
