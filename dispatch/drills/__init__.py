"""Drills: the real way of an alarm for chosen groups or households, for some minutes, and what came of it.

A drill is a record in the bucket `DRILLS` and a press for each of its households, whose id is the drill's: so each of
its cases is found by household and drill alone, and no event had to be changed for it.
"""

from dispatch.drills.book import Drill, DrillBook, case_of, drill_of_device
from dispatch.drills.planning import Choice, DrillPlan, Planned, plan_drill
from dispatch.drills.pressed import Pressed
from dispatch.drills.reading import names_in, read_report
from dispatch.drills.report import Line, Report, report_of
from dispatch.drills.sheet import sheet
from dispatch.drills.starting import drill_id, press_the_rest, start_drill

__all__ = [
    "Choice",
    "Drill",
    "DrillBook",
    "DrillPlan",
    "Line",
    "Planned",
    "Pressed",
    "Report",
    "case_of",
    "drill_id",
    "drill_of_device",
    "names_in",
    "plan_drill",
    "press_the_rest",
    "read_report",
    "report_of",
    "sheet",
    "start_drill",
]  # fmt: skip
