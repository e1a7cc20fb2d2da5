"""How several test processes share the suite: one takes a whole file, one all stories, one all that drives a browser.

What is made once for a file, such as a server of its own, is then started once, and so is what a whole folder stands
on: the running system of its tests, and the one Chromium. pytest-xdist's own `loadgroup` gives out every test by itself
under pytest 9.2: it writes the group where nobody reads it any more.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

FOLDERS = ("tests/acceptance/", "tests/browser/")
"""All that is in one of them stands on one running system."""
FIRST = (*FOLDERS, "tests/integration/sms/", "tests/integration/standing_in/")
"""Whole systems, so that nobody waits for the last of them; beside them those that wait and hardly compute."""


def turn(nodeid: str) -> int:
    """The place of a test in the order, which it shares with all others of its folder."""
    return next((place for place, folder in enumerate(FIRST) if nodeid.startswith(folder)), len(FIRST))


class WholeFiles(LoadScopeScheduling):  # type: ignore[misc]
    """Gives whole files and these folders to the processes, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next(filter(file.startswith, FOLDERS), file)
