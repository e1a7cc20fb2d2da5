"""Deciding: the case, what can be asked of it, and carrying it out on the log."""

from dispatch.cases.case import OUTCOME_RANK, Call, Case, Closing, Firsts, Note, Reply, Status, evolve, fold
from dispatch.cases.commands import (
    AddNote,
    Cancel,
    Command,
    GiveAnswer,
    Plan,
    RaiseAlarm,
    RecordCalls,
    Resolve,
)
from dispatch.cases.decisions import decide, is_overtaken
from dispatch.cases.desk import CaseDesk, Handled

__all__ = [
    "OUTCOME_RANK", "AddNote", "Call", "Cancel", "Case", "CaseDesk", "Closing", "Command", "Firsts", "GiveAnswer",
    "Handled", "Note", "Plan", "RaiseAlarm", "RecordCalls", "Reply", "Resolve", "Status", "decide", "evolve", "fold",
    "is_overtaken",
]  # fmt: skip
