"""Where the suite keeps its temporary files: in memory, where there is room for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers import in_memory

EVERYTHING = 1 << 60


def test_they_are_in_memory_where_there_is_room(tmp_path: Path) -> None:
    assert in_memory(tmp_path, 1) == tmp_path
    assert in_memory(tmp_path, EVERYTHING) is None


def test_a_machine_without_such_a_place_uses_its_disk(tmp_path: Path) -> None:
    assert in_memory(tmp_path / "none", 1) is None


def test_where_no_program_may_run_there_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(os.statvfs(tmp_path))
    found[8] |= os.ST_NOEXEC
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(found))
    assert in_memory(tmp_path, 1) is None
