"""Deciding: the case, what can be asked of it, and carrying it out on the log."""

from dispatch.cases.ahead import NextCall, next_call, upcoming
from dispatch.cases.case import Case, Status
from dispatch.cases.commands import (
    AddNote,
    CallOne,
    Cancel,
    Command,
    FallBack,
    GiveAnswer,
    HandOver,
    Hold,
    LeaveOut,
    Pause,
    Plan,
    Policy,
    RaiseAlarm,
    RecordCalls,
    Resolve,
    Resume,
    SignalDuress,
    StandDown,
    TakeStep,
    Widen,
)
from dispatch.cases.decisions import decide, is_overtaken, is_repeat
from dispatch.cases.desk import REAL_ALARM, CaseDesk, Handled
from dispatch.cases.escalation import (
    FIRST_QUORUM,
    FIRST_STEPS,
    Wait,
    at_110,
    enough,
    lacking,
    step_at,
    steps_of,
    waits_for,
)
from dispatch.cases.evolving import RESTORE, evolve, fold
from dispatch.cases.fallback import Follows, due_at, follows, still_rings, still_wanted
from dispatch.cases.folding import fold_whole
from dispatch.cases.hand_over import goes_to_110, is_to_hand_over
from dispatch.cases.holding import NOT_RUNG
from dispatch.cases.parts import OUTCOME_RANK, Call, Closing, Firsts, Note, Reply
from dispatch.cases.sparing import is_spared
from dispatch.cases.widening import TIMER, stamp_of

__all__ = [
    "FIRST_QUORUM", "FIRST_STEPS", "NOT_RUNG", "OUTCOME_RANK", "REAL_ALARM", "RESTORE", "TIMER", "AddNote", "Call",
    "CallOne", "Cancel", "Case", "CaseDesk", "Closing", "Command", "FallBack", "Firsts", "Follows", "GiveAnswer",
    "HandOver", "Handled", "Hold", "LeaveOut", "NextCall", "Note", "Pause", "Plan", "Policy", "RaiseAlarm",
    "RecordCalls", "Reply", "Resolve", "Resume", "SignalDuress", "StandDown", "Status", "TakeStep", "Wait", "Widen",
    "at_110", "decide", "due_at", "enough", "evolve", "fold", "fold_whole", "follows", "goes_to_110", "is_overtaken",
    "is_repeat", "is_spared", "is_to_hand_over", "lacking", "next_call", "stamp_of", "step_at", "steps_of",
    "still_rings", "still_wanted", "upcoming", "waits_for",
]  # fmt: skip
