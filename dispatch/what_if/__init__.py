"""What if: recorded cases under another escalation policy, without calling anyone."""

from dispatch.what_if.comparing import Compared, Summary, Totals, compare
from dispatch.what_if.planning import steps_from
from dispatch.what_if.reading import begun, begun_alone, whole
from dispatch.what_if.recorded import Recorded, recorded_of
from dispatch.what_if.replaying import Replay, replay

__all__ = [
    "Compared", "Recorded", "Replay", "Summary", "Totals", "begun", "begun_alone", "compare", "recorded_of", "replay",
    "steps_from", "whole",
]  # fmt: skip
