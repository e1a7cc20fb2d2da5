"""What happened on a case, as a table for people: a sentence, or a line for each person, of every event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from dispatch.cli.case_screens import ANSWERS, KINDS, RESOLUTIONS, STATES
from dispatch.cli.tables import folded_columns
from dispatch.cli.times import date_and_time
from dispatch.projections.models.timeline import TimelineRow
from dispatch.web.names import Names

CHANNELS = {
    "live": "页面 page",
    "webpush": "推送 push",
    "webhook": "接口 webhook",
    "sms": "短信 text",
    "apprise": "消息应用 messenger",
}
BECAUSES = {
    "no_answer": "应答不够 too few answered",
    "pointless": "已呼叫的人不可能足够 those called could not be enough",
    "late": "逾时无人到场 nobody arrived in time",
    "pause_over": "暂停结束 the pause was over",
    "operator": "值班员要求 the operator asked for it",
    "duress": "报警人受胁迫 under duress",
}
NEXT_BECAUSES = {
    "failed": "前面的方式失败 what rang before failed",
    "not_delivered": "未送达也未应答 not delivered, no answer",
}

Data = Mapping[str, Any]
Lines = Iterable[str]


def timeline(entries: Sequence[TimelineRow], names: Names) -> Table:
    """What happened, one line per event, and per call or outcome in it."""
    table = Table(*folded_columns("时间 at", "事件 event", "内容"))
    for entry in entries:
        words, lines = RESUMED if _is_resumed(entry) else EVENTS[entry.type]
        table.add_row(Text(date_and_time(entry.at)), Text(words), Text("\n".join(lines(entry.data, names))))
    return table


def _is_resumed(entry: TimelineRow) -> bool:
    """Whether a pause was taken back: its end is its own time."""
    return entry.type == "escalation_paused" and bool(entry.data["until"] <= entry.at)


def _alarm(data: Data, _names: Names) -> Lines:
    yield f"{KINDS[data['kind']]}, {data['source']}, {data['device']}"


def _calls(data: Data, names: Names) -> Lines:
    yield from (names.person(call.responder) for call in data["calls"])
    yield from (f"! {gap.what}: {gap.reason}" for gap in data["gaps"])


def _outcomes(data: Data, names: Names) -> Lines:
    for outcome in data["outcomes"]:
        words = f"{names.person(outcome.responder)}: {CHANNELS[outcome.channel]} {STATES[outcome.outcome]}"
        yield f"{words} ({outcome.reason})" if outcome.reason else words


def _next_channels(data: Data, names: Names) -> Lines:
    for call in data["calls"]:
        yield f"{names.person(call.responder)}: {CHANNELS[call.channel]} ({NEXT_BECAUSES[call.because]})"


def _reply(data: Data, names: Names) -> Lines:
    eta = f", {data['eta_minutes']} min" if data["eta_minutes"] is not None else ""
    noted = "（代记 noted by an operator）" if data["via"] == "operator" else ""
    yield f"{names.person(data['responder'])}: {ANSWERS[data['answer']]}{eta}{noted}"


def _step(data: Data, names: Names) -> Lines:
    # The first call is step 1 to people, and position 0 on the log.
    yield f"第{data['position'] + 1}步 step {data['position'] + 1}: {BECAUSES[data['because']]}{_asked(data, names)}"


def _hand_over(data: Data, names: Names) -> Lines:
    to = [names.person(person) for person in data["to"]] or ["! 名册未登记110 the roster has no post of 110"]
    yield ", ".join(to) + _asked(data, names)


def _household(data: Data, names: Names) -> Lines:
    if data["residents"]:
        yield f"同住 living there: {_people(data['residents'], names)}"
    if data["beside"] is not None:
        yield f"另有受胁迫的警情 beside its case under duress: {data['beside']}"


def _people(people: Iterable[Any], names: Names) -> str:
    return ", ".join(map(names.person, people))


def _asked(data: Data, names: Names) -> str:
    """Whose deed it was, where a person's."""
    return "" if data["by"] == "system" else f" ({names.who(data['by'])})"


def _by(data: Data, names: Names, words: str = "") -> Lines:
    yield f"{names.who(data['by'])}: {words}".rstrip(": ")


EVENTS: Mapping[str, tuple[str, Callable[[Data, Names], Lines]]] = {
    "alarm_raised": ("报警 raised", _alarm),
    "pressed_again": ("再次按键 pressed again", _alarm),
    "household_stamped": ("该户 household", _household),
    "policy_stamped": ("预案 policy", lambda data, _: [data["policy"]]),
    "responders_called": ("呼叫 called", _calls),
    "residents_spared": ("同住不呼叫 live there", lambda data, names: [_people(data["people"], names)]),
    "calls_recorded": ("呼叫结果 outcome", _outcomes),
    "fell_back": ("改用下一方式 next channel", _next_channels),
    "responder_replied": ("应答 reply", _reply),
    "responder_cleared": ("处置完毕 cleared", lambda data, names: [names.person(data["responder"])]),
    "responder_left_out": (
        "不得呼叫 left out",
        lambda data, names: [names.person(data["responder"]) + _asked(data, names)],
    ),
    "escalated": ("升级 widened", _step),
    "widening_asked": ("要求升级 widening asked", _by),
    "escalation_paused": (
        "暂停升级 paused",
        lambda data, names: [f"至 until {date_and_time(data['until'])}{_asked(data, names)}"],
    ),
    "responders_stood_down": (
        "解除 stood down",
        lambda data, names: [_people(data["responders"], names) + _asked(data, names)],
    ),
    "handed_over": ("移交110 handed over", _hand_over),
    "case_noted": ("备注 note", lambda data, names: [f"{names.who(data['author'])}: {data['text']}"]),
    "duress_signalled": ("胁迫 duress", lambda data, names: _by(data, names, data["reason"])),
    "case_resolved": (
        "结案 resolved",
        lambda data, names: _by(data, names, f"{RESOLUTIONS[data['resolution']]} {data['text']}".rstrip()),
    ),
    "case_cancelled": ("撤销 cancelled", lambda data, names: _by(data, names, data["reason"])),
}
"""For each type of event what it is called, and what there is to say of one."""
RESUMED = ("继续升级 resumed", _by)
