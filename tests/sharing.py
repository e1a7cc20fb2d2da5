"""How several test processes share the suite: one takes a whole file, one all stories, one all that drives a browser.

What is made once for a file, such as a server of its own, is then started once, and so is what a whole folder stands
on: the running system of its tests, and the one Chromium. pytest-xdist's own `loadgroup` gives out every test by itself
under pytest 9.2: it writes the group where nobody reads it any more.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

FOLDERS = ("tests/acceptance/", "tests/browser/")
"""All that is in one of them stands on one running system."""


class WholeFiles(LoadScopeScheduling):  # type: ignore[misc]
    """Gives whole files and these folders to the processes, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next(filter(file.startswith, FOLDERS), file)
