"""A question of a command on a real terminal: answered, or left with Ctrl-C, which ends the command at once."""

from __future__ import annotations

import asyncpg
import pytest

from dispatch.events import CaseLog, bury, follow
from dispatch.projections import Projector, ReadModels
from dispatch.settings import Settings
from tests.at_a_terminal import Terminal, lines, terminal
from tests.commands import environment_of
from tests.integration.test_drill_cli import presses
from tests.integration.test_drill_cli import terminal as drilling
from tests.projection_stories import projecting
from tests.terminals import CTRL_C, on_terminal

__all__ = ("drilling", "terminal")

DRILL = ("drill", "--group", "g-1")


async def test_ctrl_c_at_the_question_begins_no_drill(drilling: Terminal, settings: Settings) -> None:
    with on_terminal(*DRILL, env=environment_of(settings)) as shown:
        await shown.shows("begin the drill [y/N]: ")
        shown.types(CTRL_C)
        assert await shown.ended() == 130, shown.screen
        assert "没有演练，无人被呼叫 no drill was begun, nobody was called\n" in shown.screen
        assert "Traceback" not in shown.screen
    assert await presses(drilling.nc, settings.site) == 0


@pytest.mark.parametrize(
    ("typed", "code", "begun"), [("maybe\ny\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0), ("\x04", 1, 0)]
)
async def test_a_question_is_answered(
    drilling: Terminal, settings: Settings, typed: str, code: int, begun: int
) -> None:
    with on_terminal(*DRILL, env=environment_of(settings)) as shown:
        await shown.shows("begin the drill [y/N]: ")
        shown.types(typed)
        assert await shown.ended() == code, shown.screen
    assert await presses(drilling.nc, settings.site) == begun


@pytest.mark.usefixtures("drilling")
async def test_a_pin_is_typed_unseen_and_ctrl_c_changes_nothing(settings: Settings) -> None:
    with on_terminal("roster", "pin", "h-1", env=environment_of(settings)) as shown:
        await shown.shows("PIN: ")
        shown.types(CTRL_C)
        assert await shown.ended() == 130, shown.screen
        assert "nothing was changed" in shown.screen
    with on_terminal("roster", "pin", "h-1", env=environment_of(settings)) as shown:
        for asked, typed in (("PIN: ", "4711\n"), ("PIN again: ", "4711\n"), ("duress PIN (Enter for none): ", "\n")):
            await shown.shows(asked)
            shown.types(typed)
        assert await shown.ended() == 0, shown.screen
        assert "h-1: PIN set" in shown.screen
        assert "4711" not in shown.screen


async def test_ctrl_c_at_the_question_leaves_a_letter_as_it_was(terminal: Terminal, settings: Settings) -> None:
    async for message in follow(terminal.nc, "CASES", f"cases.{settings.site}.*.*"):
        await bury(terminal.nc.jetstream(), settings.site, "project", message, "nobody could read it")
        break
    (letter,) = await lines(terminal, "dlq", "list")
    number = letter["letter"]
    for command, question in (
        (("dlq", "retry", number), "[y/N]: "),
        (("dlq", "dismiss", number, "--reason", "试验"), "put it aside [y/N]: "),
    ):
        with on_terminal(*command, env=environment_of(settings)) as shown:
            await shown.shows(question)
            shown.types(CTRL_C)
            assert await shown.ended() == 130, shown.screen
            assert "nothing was done" in shown.screen
    assert await lines(terminal, "dlq", "list") == [letter]


async def test_ctrl_c_at_the_question_leaves_the_live_tables(terminal: Terminal, settings: Settings) -> None:
    log, models = CaseLog(terminal.nc, settings.site), ReadModels(settings.require_postgres(), settings.site)
    async with projecting(Projector(terminal.nc, log, settings.require_postgres())):
        assert await models.wait_for(await log.last_sequence(), 10)
    await models.close()
    connection = await asyncpg.connect(settings.require_postgres())
    await connection.execute("update board set kind = 'weather'")
    with on_terminal("rebuild", "board", env=environment_of(settings)) as shown:
        await shown.shows("put the new tables in place? [y/N]: ")
        shown.types(CTRL_C)
        assert await shown.ended() == 130, shown.screen
        assert "线上读模型未变 the live read models are as they were" in shown.screen
    assert await connection.fetchval("select kind from board") == "weather"
    await connection.close()
