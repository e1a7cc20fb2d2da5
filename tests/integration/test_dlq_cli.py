"""`dispatch dlq …` as processes, on a real log and a real Postgres."""

from __future__ import annotations

import pytest

from dispatch.events import CaseLog, bury, follow
from dispatch.projections import Projector
from dispatch.settings import Settings
from tests.at_a_terminal import Terminal, lines, terminal
from tests.projection_stories import projecting

__all__ = ("terminal",)


async def test_dead_letters_are_listed(terminal: Terminal, settings: Settings) -> None:
    assert (await terminal.run("dlq", "list", "--json"))[:2] == (0, "")
    async for message in follow(terminal.nc, "CASES", f"cases.{settings.site}.*.*"):
        await bury(terminal.nc.jetstream(), settings.site, "project", message, "nobody could read it")
        break
    letter = await terminal.json("dlq", "list")
    assert (letter["by"], letter["reason"], letter["stream"]) == ("project", "nobody could read it", "CASES")
    assert "nobody could read it" in (await terminal.run("dlq", "list"))[1]


async def test_dead_letters_are_tried_again_or_put_aside(terminal: Terminal, settings: Settings) -> None:
    async for message in follow(terminal.nc, "CASES", f"cases.{settings.site}.*.*"):
        for by in ("project", "weather"):
            await bury(terminal.nc.jetstream(), settings.site, by, message, "nobody could read it")
        break
    async with projecting(Projector(terminal.nc, CaseLog(terminal.nc, settings.site), settings.require_postgres())):
        pass
    found = [letter["letter"] for letter in await lines(terminal, "dlq", "list")]
    weather, project = found
    code, _, err = await terminal.run("dlq", "retry", str(project))
    assert (code, "--yes" in err) == (2, True), "nobody is asked where nobody is"
    code, out, err = await terminal.run("dlq", "retry", "--all", "--yes")
    assert (code, f"#{project} 已重试 done" in out, f"#{weather} " in out) == (0, True, False), err
    assert [letter["letter"] for letter in await lines(terminal, "dlq", "list")] == [weather]
    code, _, err = await terminal.run("dlq", "retry", str(weather), "--yes")
    assert (code, "dismiss it" in err) == (1, True)

    code, out, err = await terminal.run("dlq", "dismiss", str(weather), "--reason", "试验", "--yes", "--by", "li")
    assert (code, f"dispatch dlq reopen {weather}" in out) == (0, True), err
    shown = await terminal.json("dlq", "show", str(weather))
    assert (shown["state"], shown["mark"]["by"], shown["mark"]["reason"]) == ("dismissed", "operator:li", "试验")
    assert "李" not in (await terminal.run("dlq", "list"))[1]
    assert [one["state"] for one in await lines(terminal, "dlq", "list", "--all")] == ["dismissed", "retried"]
    assert (await terminal.run("dlq", "reopen", str(weather)))[0] == 0
    screen = (await terminal.run("dlq", "list"))[1]
    assert all(word in screen for word in ("h-1", "weather", "nobody could read it", "待处理 open"))
    assert (await terminal.run("dlq", "show", "99999999"))[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [("retry",), ("retry", "1", "--all"), ("retry", "0"), ("dismiss", "1"), ("dismiss", "1", "--reason", " ", "--yes")],
)
async def test_what_is_typed_wrongly_about_letters(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    async for message in follow(terminal.nc, "CASES", "cases.*.*.*"):
        await bury(terminal.nc.jetstream(), "any", "weather", message, "x")
        break
    code, out, err = await terminal.run("dlq", *arguments)
    assert (code, out) == (2, ""), err
