"""`dispatch …` and `python -m dispatch …`."""

from __future__ import annotations

import sys

from rich.console import Console

from dispatch.cli import build
from dispatch.errors import DispatchError


def main() -> None:
    """Run a command; whatever we raise on purpose becomes a message on stderr and exit code 1."""
    try:
        build(sys.argv[1] if len(sys.argv) > 1 else None)()
    except DispatchError as error:
        Console(stderr=True).print(
            f"dispatch: {error.detail}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
