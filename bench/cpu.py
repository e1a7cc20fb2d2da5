"""How much work it was: processor time, which a busy machine changes less than the time by the clock."""

from __future__ import annotations

import os
from pathlib import Path

from bench.scene import Scene
from tests.system import ROLES

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Cpu:
    """What each role of the system has used since it was asked first."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._before = self._seconds()

    @classmethod
    async def of(cls, scene: Scene) -> Cpu:
        pids = {role: await scene.system.pid(role) for role in ROLES}
        return cls({role: pid for role, pid in pids.items() if pid is not None})

    def used(self) -> dict[str, float]:
        """Seconds of processor time by role, those spent in the kernel among them."""
        return {role: round(seconds - self._before[role], 2) for role, seconds in self._seconds().items()}

    def _seconds(self) -> dict[str, float]:
        return {role: _seconds_of(pid) for role, pid in self._pids.items()}


def _seconds_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND
