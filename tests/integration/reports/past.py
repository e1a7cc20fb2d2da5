"""Periods that are long over, and a case of theirs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.integration.reports.told import LOCAL, Told

LONG_AGO: dict[str, Any] = {"since": datetime(2025, 2, 1, tzinfo=LOCAL), "until": datetime(2025, 7, 1, tzinfo=LOCAL)}
WHERE: dict[str, Any] = {"since": LONG_AGO["since"], "until": datetime(2025, 3, 1, tzinfo=LOCAL)}
"""February 2025."""


def one_of_february(household: str, **told: Any) -> Told:
    answers = (("p-1", "going", 9.0), ("p-2", "on_scene", 60.0))
    at = LONG_AGO["since"] + timedelta(days=9)
    return Told(household, at, called={"p-1": 1.0, "p-2": 1.0}, answers=answers, ended=(99, "helped"), **told)
