"""A process that died is to be back soon: what is slow to import and seldom needed is not imported at its start."""

from __future__ import annotations

import subprocess
import sys

SEEN = """
import sys
from dispatch import app, archive, drills, fanout, intake, projections, web
from dispatch.cli import running, serve
from dispatch.roster import demo
print(*sys.modules)
"""


def test_no_role_waits_for_what_it_seldom_needs() -> None:
    seen = subprocess.run([sys.executable, "-c", SEEN], capture_output=True, check=True, text=True, timeout=60)
    assert {"dispatch.web", "aiohttp"} <= set(seen.stdout.split())
    assert not {"apprise", "numpy", "openpyxl", "PIL"} & set(seen.stdout.split())
