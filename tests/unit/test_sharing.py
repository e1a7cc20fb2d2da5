"""Of several test processes one takes a whole file, one all stories, and one all that drives a browser."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from xdist.remote import Producer

from tests.conftest import pytest_xdist_make_scheduler

FILES = tuple(
    f"tests/{file}.py"
    for file in ("acceptance/test_a", "acceptance/test_b", "browser/test_c", "browser/test_d", "unit/test_e")
)
TESTS = [f"{file}::test_{number}[{way}]" for file in FILES for number in range(3) for way in ("desk", "a/b::c")]
OPTIONS: Any = SimpleNamespace(getvalue={"tx": ["3*popen"]}.__getitem__, option=SimpleNamespace(loadscopereorder=False))


class Process:
    """Takes whatever it is given."""

    def __init__(self) -> None:
        self.took: list[str] = []
        self.shutting_down, self.gateway = False, self
        self.id = str(id(self))

    def send_runtest_some(self, indices: list[int]) -> None:
        self.took += [TESTS[index] for index in indices]

    def shutdown(self) -> None:
        self.shutting_down = True


def test_no_two_processes_share_a_file_the_stories_or_the_browser() -> None:
    scheduler: Any = pytest_xdist_make_scheduler(OPTIONS, Producer("silent", enabled=False))
    processes = [Process() for _ in range(3)]
    for process in processes:
        scheduler.add_node(process)
        scheduler.add_node_collection(process, TESTS)
    scheduler.schedule()
    for number in range(len(TESTS)):
        for process in processes:
            for test in process.took[number : number + 1]:
                scheduler.mark_test_complete(process, TESTS.index(test))
    assert sorted(test for process in processes for test in process.took) == sorted(TESTS)
    places = [{test.partition("/test_")[0] for test in process.took} for process in processes]
    assert sorted(map(sorted, places)) == [["tests/acceptance"], ["tests/browser"], ["tests/unit"]]
