"""How several test processes share the suite: one takes a whole file, and one all that drives a browser.

What is made once for a file, such as a running system, is then started once, and there is one Chromium. pytest-xdist's
own `loadgroup` gives out every test by itself under pytest 9.2: it writes the group where nobody reads it any more.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling


class WholeFiles(LoadScopeScheduling):  # type: ignore[misc]
    """Gives whole files to the processes, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "browser" if file.startswith("tests/browser/") else file
