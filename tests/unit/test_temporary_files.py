"""Where the suite keeps its temporary files: in memory, where there is room for them."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tests.servers import in_memory

ROOM = 1 << 40


@pytest.mark.parametrize(
    ("there", "of_the_machine", "room"), [(ROOM, ROOM, True), (ROOM - 4096, ROOM, False), (ROOM, ROOM - 1, False)]
)
def test_they_are_in_memory_where_it_and_the_machine_have_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: int, of_the_machine: int, room: bool
) -> None:
    found = list(os.statvfs(tmp_path))
    found[1], found[4] = 4096, there // 4096  # f_frsize and f_bavail
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(found))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=of_the_machine))
    assert in_memory(tmp_path, ROOM) == (tmp_path if room else None)


def test_a_machine_without_such_a_place_uses_its_disk(tmp_path: Path) -> None:
    assert in_memory(tmp_path / "none", 1) is None


def test_where_no_program_may_run_there_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(os.statvfs(tmp_path))
    found[8] |= os.ST_NOEXEC
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(found))
    assert in_memory(tmp_path, 1) is None
