"""San Francisco Fire Department Calls for Service as files that `dispatch roster` and `dispatch history` import.

Made for the city's open data (columns as of 2017, times local to America/Los_Angeles). One row per unit and call.

    python -m bench.san_francisco sffd_calls_2017.csv --to sf
    dispatch roster import sf/areas.csv
    dispatch history import sf/calls.csv --timezone America/Los_Angeles
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from dispatch.events import Kind
from dispatch.history import COLUMNS

CITY = "sf"
MOMENTS = {
    "raised_at": "Received DtTm",
    "called_at": "Dispatch DtTm",
    "en_route_at": "Response DtTm",
    "on_scene_at": "On Scene DtTm",
    "cleared_at": "Available DtTm",
}
_FIRE = ("Fire", "Alarms", "Smoke", "Odor", "Gas Leak", "Electrical")


def kind_of(call_type: str) -> Kind:
    """Our kind of case for the city's type of call."""
    if call_type == "Medical Incident":
        return "medical"
    return "fire" if any(word in call_type for word in _FIRE) else "help"


def area_of(row: Mapping[str, str]) -> str:
    """The battalion's part of a station's area; the battalion where no station is given."""
    battalion = f"{CITY}-{row['Battalion'].lower()}"
    return f"{battalion}-{row['Station Area']}" if row["Station Area"] else battalion


def moment_of(text: str) -> str:
    """`12/31/2016 11:57:56 PM` as `2016-12-31T23:57:56`; empty stays empty. Raises `ValueError` for anything else."""
    return datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p").isoformat() if text else ""  # noqa: DTZ007 (local time)


def calls(rows: Iterator[Mapping[str, str]]) -> Iterator[dict[str, str]]:
    """Each row of the city as a row of ours."""
    for row in rows:
        moments = {ours: moment_of(row[theirs]) for ours, theirs in MOMENTS.items()}
        yield {
            "call_id": row["Call Number"],
            "kind": kind_of(row["Call Type"]),
            "area": area_of(row),
            "responder_id": row["Unit ID"],
        } | moments


def areas(ids: set[str]) -> Iterator[tuple[str, str, str, str]]:
    """The city, its battalions, and their stations' areas: id, name, kind, parent."""
    yield CITY, "San Francisco", "county", ""
    battalions = {"-".join(area.split("-")[:2]) for area in ids}
    for battalion in sorted(battalions):
        yield battalion, f"Battalion {battalion.upper()}", "township", CITY
    for area in sorted(ids - battalions):
        yield area, f"Station area {area.upper()}", "village", area.rpartition("-")[0]


def convert(source: Path, folder: Path) -> int:
    """Write `areas.csv` and `calls.csv` into `folder` (made when it is not there); gives how many rows there were."""
    folder.mkdir(parents=True, exist_ok=True)
    with source.open(newline="", encoding="utf-8-sig") as file:
        converted = list(calls(csv.DictReader(file)))
    with (folder / "calls.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(converted)
    with (folder / "areas.csv").open("w", newline="", encoding="utf-8") as file:
        sheet = csv.writer(file)
        sheet.writerow(("辖区编号", "名称", "级别", "上级辖区"))
        sheet.writerows(areas({row["area"] for row in converted}))
    return len(converted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="the city's CSV file")
    parser.add_argument("--to", type=Path, required=True, help="the folder for areas.csv and calls.csv")
    given = parser.parse_args()
    rows = convert(given.source, given.to)
    print(f"{rows} rows in {given.to / 'calls.csv'}; the areas in {given.to / 'areas.csv'}")


if __name__ == "__main__":
    main()
