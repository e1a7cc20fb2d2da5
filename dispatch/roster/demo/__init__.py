"""A demo roster: a real county with invented people, imported from the CSV files beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from dispatch.errors import SetupError
from dispatch.identifiers import AreaId, HouseholdId
from dispatch.roster.imports import import_files
from dispatch.roster.store import Roster

FILES = sorted(Path(__file__).parent.glob("*.csv"))
WRITTEN_BY = "demo"
_COUNTY = AreaId("mouding")


class CastMember(msgspec.Struct, frozen=True):
    """Somebody to sign in as: what a token needs, and a label in both languages."""

    role: Literal["device", "responder", "operator"]
    subject: str
    label: str
    area: AreaId | None = None


class DemoCast(msgspec.Struct, frozen=True):
    """One household that presses, four of the thirteen who are called for it, and who watches."""

    household: HouseholdId
    resident: CastMember
    neighbour: CastMember
    leader: CastMember
    auxiliary_officer: CastMember
    community_police_officer: CastMember
    operator: CastMember

    def members(self) -> tuple[CastMember, ...]:
        return (
            self.resident,
            self.neighbour,
            self.leader,
            self.auxiliary_officer,
            self.community_police_officer,
            self.operator,
        )


def demo_cast() -> DemoCast:
    """Whom `dispatch up --demo` prints sign-in links for."""
    return DemoCast(
        household=HouseholdId("h-0002"),
        resident=CastMember("device", "h-0002", "居民 茅州村段家 / resident"),
        neighbour=CastMember("responder", "p-0003", "组员 高德贵 / neighbour"),
        leader=CastMember("responder", "p-0001", "联防组长 罗玉珍 / group leader"),
        auxiliary_officer=CastMember("responder", "a-0069", "辅警 普桂芳 / auxiliary officer"),
        community_police_officer=CastMember("responder", "c-0077", "社区民警 周丽萍 / community police officer"),
        operator=CastMember("operator", "mouding-desk", "牟定县指挥中心 / command centre", area=_COUNTY),
    )


async def seed_demo(roster: Roster) -> DemoCast:
    """Fill an empty roster with the demo people, or finish what an earlier run began; what is there stays.

    Raises `SetupError` when the roster is somebody's own, `Unavailable` when it does not answer.
    """
    if not await roster.is_empty():
        county = await roster.entry("area", _COUNTY)
        if county is None or county.by != WRITTEN_BY:
            raise SetupError(
                f"the roster of site {roster.site} is not empty and not the demo's; "
                "leave out --demo, or choose another site with DISPATCH_SITE"
            )
    report = await import_files(roster, FILES, by=WRITTEN_BY, only_new=True)
    if report.problems:
        raise SetupError(f"the demo roster has mistakes: {'; '.join(map(str, report.problems))}")
    return demo_cast()
