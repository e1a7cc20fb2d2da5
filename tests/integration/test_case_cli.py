"""`dispatch case …` as processes: a case is shown, led and closed where no browser works."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from dispatch.cases import CaseDesk, Hold
from dispatch.clock import now
from dispatch.events import CaseLog
from dispatch.identifiers import CommitId, HouseholdId, PersonId
from dispatch.roster import LeftOut, Person, Roster
from dispatch.settings import Settings
from tests.at_a_terminal import Terminal, terminal

__all__ = ("terminal",)


async def test_a_case_is_shown_without_postgres(terminal: Terminal) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    code, screen, err = await terminal.run("case", "show", terminal.case, postgres=nowhere)
    assert code == 0, err
    assert all(
        word in screen for word in ("李家", " p-1 ", "王芳", "+8613800000001", "前往 going 5 min", "送达 delivered")
    )
    code, screen, err = await terminal.run("case", "timeline", terminal.case, postgres=nowhere)
    assert code == 0, err
    assert all(word in screen for word in ("报警 raised", "王芳: 页面 page 送达 delivered", "王芳: 前往 going, 5 min"))
    code, _, err = await terminal.run("case", "list", postgres=nowhere)
    assert (code, "read models do not answer" in err) == (1, True)


async def test_what_has_to_be_seen_now_of_a_case_stands_below_all_who_were_called(terminal: Terminal) -> None:
    assert (await terminal.run("case", "hand-over", terminal.case))[0] == 0
    _, screen, _ = await terminal.run("case", "show", terminal.case)
    people, _, now_seen = screen.partition(terminal.case)
    assert "+8613800000001" in people
    told = ("前往中 under way", "院内有狗", "1/0，还缺 1 more needed", "自行拨打110 not told")
    assert [words for words in told if words not in now_seen] == []


async def test_a_case_is_found_by_its_id_in_small_letters(terminal: Terminal) -> None:
    assert (await terminal.json("case", "show", terminal.case.lower()))["id"] == terminal.case


async def test_who_has_answered_is_not_stood_down_without_a_word(terminal: Terminal) -> None:
    code, _, err = await terminal.run("case", "stand-down", terminal.case, "p-2", "p-1")
    assert (code, "p-1 has answered (going) and is told nothing by this" in err) == (1, True), err
    shown = await terminal.json("case", "show", terminal.case)
    assert [one["id"] for one in shown["responders"] if one["stood_down"]] == []


async def test_it_is_said_whether_anything_was_changed_and_what_is_to_come(terminal: Terminal) -> None:
    for deed, said in (
        (["resume"], "nothing was changed"),
        (["widen"], f"it widens now; who is rung: dispatch case show {terminal.case}"),
        (["widen"], "nothing was changed"),
        (["answer", "p-2", "cannot"], ""),
    ):
        code, _, err = await terminal.run("case", deed[0], terminal.case, *deed[1:])
        assert (code, said in err, bool(err)) == (0, True, bool(said)), err


async def test_at_80_columns_numbers_stand_whole_and_no_word_of_a_note_is_lost(terminal: Terminal) -> None:
    long = "".join(chr(0x4E00 + n) for n in range(600))
    assert (await terminal.run("case", "note", terminal.case, long))[0] == 0
    for command in ("show", "timeline"):
        code, screen, err = await terminal.run("case", command, terminal.case, columns=80)
        assert code == 0, err
        assert "…" not in screen
        assert long in "".join(character for character in screen if 0x4E00 <= ord(character) < 0x4E00 + 600)
    assert " +8613800000001 " in (await terminal.run("case", "show", terminal.case, columns=80))[1]


async def test_a_case_is_noted_and_closed_once(terminal: Terminal) -> None:
    noted = await terminal.json("case", "note", terminal.case, "门锁着", "--by", "li")
    assert [(note["author"], note["text"]) for note in noted["notes"]] == [("li", "门锁着")]
    noted = await terminal.json("case", "note", terminal.case, "--text", "邻居有钥匙", "--by", "li")
    assert [note["text"] for note in noted["notes"]] == ["门锁着", "邻居有钥匙"]
    closed = await terminal.json("case", "resolve", terminal.case, "--resolution", "handed_over", "--text", "已移交")
    assert (closed["status"], closed["closing"]["resolution"]) == ("resolved", "handed_over")
    code, _, err = await terminal.run("case", "cancel", terminal.case)
    assert (code, "is over (resolved)" in err) == (1, True)
    entries = (await terminal.json("case", "timeline", terminal.case))["entries"]
    assert [entry["type"] for entry in entries][-2:] == ["case_noted", "case_resolved"]


async def test_what_is_done_at_the_desk_is_done_from_a_terminal(terminal: Terminal) -> None:
    by = ("--by", "li")

    async def done(deed: str, *arguments: str) -> Any:
        return await terminal.json("case", deed, terminal.case, *arguments)

    paused = (await done("pause", "--minutes", "10", *by))["escalation"]
    assert (paused["paused_by"], paused["waits_for"]["because"]) == ("li", "pause_over")
    left = datetime.fromisoformat(paused["paused_until"]) - now()
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    assert "li 已暂停 paused it，至 until" in (await terminal.run("case", "show", terminal.case))[1]
    resumed = (await done("resume", "--by", "wang"))["escalation"]
    assert (resumed["paused_until"], resumed["waits_for"]["because"]) == (None, "no_answer")
    assert (await done("widen", *by))["escalation"]["waits_for"]["because"] == "operator"
    assert [one["id"] for one in (await done("stand-down", "p-2", *by))["responders"] if one["stood_down"]] == ["p-2"]
    assert "已解除 stood down" in (await terminal.run("case", "show", terminal.case))[1]
    called = (await done("call", "p-1", *by))["responders"]
    assert {role["role"] for one in called if one["id"] == "p-1" for role in one["roles"]} == {"member", "asked"}
    answered = {one["id"]: one for one in (await done("answer", "p-3", "going", "--eta", "7"))["responders"]}
    assert (answered["p-3"]["answer"], answered["p-3"]["eta_minutes"]) == ("going", 7)
    handed_over = await done("hand-over", *by)
    assert (handed_over["status"], handed_over["handed_over"]["by"]) == ("under_way", "li")
    code, _, err = await terminal.run("case", "hand-over", terminal.case)
    assert (code, "+08:00 by operator:li; --again does it once more" in err) == (1, True), err
    await done("hand-over", "--again", *by)
    told = (await terminal.run("case", "timeline", terminal.case))[1]
    words = ("暂停升级 paused", "继续升级 resumed", "要求升级 widening asked", "解除 stood down", "移交110 handed over")
    assert [word for word in words if word not in told] == []
    await done("resolve")
    for deed in (
        ["widen"],
        ["pause"],
        ["resume"],
        ["stand-down"],
        ["stand-down", "p-3"],
        ["call", "p-1"],
        ["hand-over"],
    ):
        code, _, err = await terminal.run("case", deed[0], terminal.case, *deed[1:])
        assert (code, "is over (resolved)" in err) == (1, True), deed


async def test_nobody_is_named_on_a_terminal_who_has_no_part_in_it(terminal: Terminal) -> None:
    for deed, said in (
        (["call", "nobody"], "`dispatch roster list person` shows those there are"),
        (["stand-down", "nobody"], "'nobody' was not called for case"),
        (["answer", "nobody", "going"], "'nobody' was not for case"),
    ):
        code, _, err = await terminal.run("case", deed[0], terminal.case, *deed[1:])
        assert (code, said in err) == (1, True), err


async def test_who_is_left_out_is_called_from_a_terminal_by_who_insists(terminal: Terminal, settings: Settings) -> None:
    """By the case itself, and by the roster alone."""
    roster, out = Roster(terminal.nc, settings.site), LeftOut(person=PersonId("p-9"), by="op", at=now(), reason="打人")
    await roster.put(Person(id=out.person, name="张强"), by="test")
    home = await roster.household(HouseholdId("h-1"))
    assert home is not None
    await roster.put(replace(home, left_out=(out,)), by="test")
    assert (await terminal.run("roster", "leave-out", "h-1", "p-1", "--reason", "打人"))[0] == 0
    for person in ("p-1", "p-9"):
        code, _, err = await terminal.run("case", "call", terminal.case, person)
        assert (code, "(不得呼叫); --even-left-out calls them all the same" in err) == (1, True), err
        called = await terminal.json("case", "call", terminal.case, person, "--even-left-out")
        assert "asked" in {role["role"] for one in called["responders"] if one["id"] == person for role in one["roles"]}


async def test_a_case_that_a_restore_holds_is_not_resumed_from_a_terminal(
    terminal: Terminal, settings: Settings
) -> None:
    held = Hold(id=CommitId("restore"), at=now(), until=now() + timedelta(minutes=30))
    await CaseDesk(CaseLog(terminal.nc, settings.site)).handle(terminal.case, held)
    assert "由备份恢复，暂停 held" in (await terminal.run("case", "show", terminal.case))[1]
    for deed in ("resume", "pause"):
        code, _, err = await terminal.run("case", deed, terminal.case)
        assert (code, "Widen it if it goes on; close it if it is over" in err) == (1, True), err


@pytest.mark.parametrize(
    ("arguments", "complaint", "expected"),
    [
        (("case", "show", "h-1-AAAAAAAA"), "there is no case", 1),
        (("case", "show", "nope"), "'nope' is not a case id: one is the household and eight letters or digits", 2),
        (("case", "timeline", "h-1"), "like h-0002-7K3M9QXZ; `dispatch case list --status all`", 2),
        (("case", "note", "h-1", "门锁着"), "`dispatch case list --status all`", 2),
        (("case", "list", "--status", "lost"), "status", 2),
        (("case", "resume", "h-1-AAAAAAAA"), "there is no case", 1),
        (("case", "note", "h-1-AAAAAAAA", " "), "text", 2),
        (("case", "note", "h-1-AAAAAAAA"), "--text", 2),
        (("case", "note", "h-1-AAAAAAAA", "门锁着", "--text", "门锁着"), "once", 2),
    ],
)
async def test_what_is_wrong_is_named(
    terminal: Terminal, arguments: tuple[str, ...], complaint: str, expected: int
) -> None:
    code, _, err = await terminal.run(*arguments)
    assert (code, complaint in err) == (expected, True), err
