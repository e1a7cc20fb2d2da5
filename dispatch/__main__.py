"""`dispatch …` and `python -m dispatch …`."""

from __future__ import annotations

import sys

from rich.console import Console

from dispatch.cli import build
from dispatch.errors import DispatchError, Malformed, Unreadable


def main() -> None:
    """Run a command; whatever we raise on purpose becomes a message on stderr.

    Exit code 2 for what was typed wrongly, as the parser has it, 1 for everything else that failed.
    """
    try:
        build(sys.argv[1] if len(sys.argv) > 1 else None)()
    except DispatchError as error:
        Console(stderr=True).print(
            f"dispatch: {error.detail}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        sys.exit(2 if isinstance(error, Malformed) and not isinstance(error, Unreadable) else 1)


if __name__ == "__main__":
    main()
