"""Deciding: the case, what can be asked of it, and carrying it out on the log."""

from dispatch.cases.case import OUTCOME_RANK, Call, Case, Closing, Firsts, Note, Reply, Status, evolve, fold
from dispatch.cases.commands import (
    AddNote,
    CallOne,
    Cancel,
    Command,
    GiveAnswer,
    LeaveOut,
    Pause,
    Plan,
    Policy,
    RaiseAlarm,
    RecordCalls,
    Resolve,
    SignalDuress,
    StandDown,
    TakeStep,
    Widen,
)
from dispatch.cases.decisions import decide, is_overtaken
from dispatch.cases.desk import CaseDesk, Handled
from dispatch.cases.escalation import FIRST_QUORUM, FIRST_STEPS, Wait, enough, step_at, steps_of, waits_for
from dispatch.cases.widening import TIMER

__all__ = [
    "FIRST_QUORUM", "FIRST_STEPS", "OUTCOME_RANK", "TIMER", "AddNote", "Call", "CallOne", "Cancel", "Case",
    "CaseDesk", "Closing", "Command", "Firsts", "GiveAnswer", "Handled", "LeaveOut", "Note", "Pause", "Plan",
    "Policy", "RaiseAlarm", "RecordCalls", "Reply", "Resolve", "SignalDuress", "StandDown", "Status", "TakeStep",
    "Wait", "Widen", "decide", "enough", "evolve", "fold", "is_overtaken", "step_at", "steps_of", "waits_for",
]  # fmt: skip
