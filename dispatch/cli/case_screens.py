"""Cases as tables for people: Chinese first, then English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from dispatch.cli.tables import folded_columns, whole_column
from dispatch.cli.times import date_and_time
from dispatch.clock import now
from dispatch.web.case_view import CaseView, ResponderView
from dispatch.web.names import Names

KINDS = {"help": "求助 help", "intrusion": "入室 intrusion", "medical": "急病 medical", "fire": "火警 fire"}
STATUSES = {
    "raised": ("待响应 raised", "bold red"),
    "under_way": ("前往中 under way", "yellow"),
    "on_scene": ("已到场 on scene", "green"),
    "resolved": ("已结案 resolved", "dim"),
    "cancelled": ("已撤销 cancelled", "dim"),
}
STATES = {
    "owed": "待发 owed",
    "unknown": "不明 unknown",
    "failed": "失败 failed",
    "sent": "已发 sent",
    "delivered": "送达 delivered",
    "seen": "已看 seen",
}
ANSWERS = {"going": "前往 going", "cannot": "无法前往 cannot", "on_scene": "到场 on scene"}
ROLES = {
    "group_leader": "联防组长 group leader",
    "member": "组员 member",
    "police_assistant": "警务助理 police assistant",
    "auxiliary_officer": "辅警 auxiliary officer",
    "community_police_officer": "社区民警 community officer",
    "station": "派出所 station",
    "command_centre": "指挥中心 command centre",
    "emergency_centre": "110指挥中心 centre of 110",
    "asked": "指挥中心点名 asked for by the command centre",
}
WAITS = {
    "answers": "等待应答 waits for answers",
    "arrival": "等待到场 waits for the first to arrive",
    "operator": "等待升级 waits to widen",
    "closing": "等待结案 waits to be closed",
}
REACHED = {True: "已通知到 told", False: "未能通知到 not told", None: "不知是否通知到 not known whether told"}
REACHED_YET = {
    **REACHED,
    False: "未能通知到，请立即自行拨打110 not told: telephone 110 yourself, now",
    None: "正在通知 being told",
}
"""Of a case that is open."""
RESOLUTIONS = {
    "helped": "已救助 helped",
    "false_alarm": "误报 false alarm",
    "handed_over": "已移交 handed over",
    "other": "其他 other",
    None: "已撤销 cancelled",
}


def board(rows: Sequence[Mapping[str, Any]], names: Names) -> Table:
    """The board: one line per case. It fits 80 columns, and there, too, each case's id is whole."""
    ids = whole_column("警情 case", [row["case_id"] for row in rows])
    others = folded_columns("状态 status", "类别 kind", "时间 raised", "户, 辖区 home, area", "前往/\n到场/\n呼叫")
    table = Table(ids, *others, title=f"警情 cases ({len(rows)})")
    for row in rows:
        household = names.households.get(row["household"])
        area = row["areas"][0] if row["areas"] else ""
        table.add_row(
            Text(row["case_id"]),
            Text(*STATUSES[row["status"]]),
            Text(_kind(row)),
            Text(date_and_time(row["raised_at"])),
            Text(f"{household.name if household else row['household']} {names.of(area)}"),
            Text(f"{row['coming']}/{row['on_scene']}/{row['called']}"),
        )
    return table


def case(shown: CaseView) -> Group:
    """One case: a line for each responder, with the id and the telephone number that can be typed, and then how it is.

    What has to be seen now stands last: a terminal shows the end of what is longer than itself.
    """
    phones = whole_column("电话 phone", [responder.get("phone") or "" for responder in shown["responders"]])
    ids = whole_column("编号 id", [responder["id"] for responder in shown["responders"]])
    people = Table(ids, *folded_columns("应答人 responder", "身份 role", "呼叫 call", "应答 answer"), phones)
    for responder in shown["responders"]:
        people.add_row(*map(Text, _responder(responder)))
    return Group(people, _now(shown))


def _now(shown: CaseView) -> Table:
    facts = Table(*folded_columns("", ""), show_header=False, title=Text(shown["id"]))
    status, style = STATUSES[shown["status"]]
    household = shown["household"]
    facts.add_row("状态 status", Text(status, style=style))
    facts.add_row("类别 kind", Text(_kind(shown)))
    facts.add_row("户 household", Text(f"{household['name']}  {household['address']}  {household.get('phone') or ''}"))
    if about := household.get("note"):
        facts.add_row("须知 mind", Text(about, style="yellow"))
    facts.add_row("辖区 areas", Text(" < ".join(area["name"] for area in shown["areas"])))
    facts.add_row("按键 presses", Text(f"{shown['presses']}, {date_and_time(shown['pressed_at'])}"))
    lacking = shown["escalation"]["lacking"]
    too_few = f"，还缺 {lacking} more needed" if lacking else ""
    facts.add_row("前往/到场 coming/on scene", Text(f"{shown['coming']}/{shown['on_scene']}{too_few}"))
    if escalation := "\n".join(_escalation(shown)):
        facts.add_row("升级 escalation", Text(escalation))
    if handed_over := shown["handed_over"]:
        reached = (REACHED if shown["closing"] else REACHED_YET)[handed_over["reached"]]
        words = f"{date_and_time(handed_over['at'])} {handed_over['by']}: {reached}"
        owed = handed_over["reached"] is False and not shown["closing"]
        facts.add_row("移交110 handed over", Text(words, style="bold red" if owed else ""))
    if shown.get("duress"):
        facts.add_row("胁迫 DURESS", Text("请勿回拨，不要声张 / do not ring back, do not show it", style="bold red"))
    for left_out in shown.get("left_out", []):
        facts.add_row("不得呼叫 left out", Text(f"{left_out['name']} {left_out.get('reason', '')}", style="yellow"))
    for gap in shown["gaps"]:
        facts.add_row("缺口 gap", Text(f"{gap['what']}: {gap['reason']}", style="yellow"))
    for note in shown.get("notes", []):
        facts.add_row("备注 note", Text(f"{date_and_time(note['at'])} {note['author']}: {note['text']}"))
    if closing := shown["closing"]:
        words = (
            f"{date_and_time(closing['at'])} {closing['by']}: {RESOLUTIONS[closing['resolution']]} {closing['text']}"
        )
        facts.add_row("结束 closed", Text(words))
    return facts


def _escalation(shown: CaseView) -> Iterator[str]:
    """Which step was taken last, what is waited for, and whose pause it is; nothing of a case that is over."""
    escalation = shown["escalation"]
    if (wait := escalation["waits_for"]) is None:
        return
    steps = escalation["steps"]
    step = min(escalation["position"] + 1, steps)  # the last is repeated
    due = f"，至 until {date_and_time(wait['until'])}" if wait["until"] else ""
    yield f"第{step}步，共{steps}步 step {step} of {steps}: {WAITS[wait['what']]}{due}"
    paused = escalation["paused_until"]
    if paused and wait["until"] and now() < paused <= wait["until"]:  # a wish or a duress does not wait for its end
        by = escalation.get("paused_by")
        words = f"{by} 已暂停 paused it" if by else "由备份恢复，暂停 held: it came back from a backup"
        yield f"{words}，至 until {date_and_time(paused)}"


def _responder(responder: ResponderView) -> tuple[str, ...]:
    unsaid = "已解除 stood down" if responder["stood_down"] else "–"
    answer = ANSWERS[responder["answer"]] if responder["answer"] else unsaid
    eta = f" {responder['eta_minutes']} min" if responder["eta_minutes"] else ""
    failed = [c["reason"] for c in responder.get("channels", []) if c["reason"] and responder["state"] == "failed"]
    return (
        responder["id"],
        responder["name"],
        ", ".join(f"{ROLES[role['role']]} {role['of_name']}" for role in responder["roles"]),
        "\n".join((STATES[responder["state"]], *failed)),
        answer + eta,
        responder.get("phone") or "",
    )


def _kind(case: Mapping[str, Any]) -> str:
    """What kind of case, and what must not be overlooked. Under duress nobody may ring back, as on a silent alarm."""
    duress = case.get("duress")
    marks = (
        "【演练 DRILL】" if case["drill"] else "",
        "【胁迫 DURESS】" if duress else "",
        KINDS[case["kind"]],
        " 静默 silent" if case["silent"] or duress else "",
    )
    return "".join(marks)
