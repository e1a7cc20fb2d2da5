"""Files that a command writes for people."""

from __future__ import annotations

from pathlib import Path

import typer

from dispatch.errors import SetupError


def write_file(file: Path, body: bytes, rows: int) -> None:
    """Write `file`, and say so on the error output with its number of `rows`. Raises `SetupError` when it cannot be."""
    try:
        file.write_bytes(body)
    except OSError as error:
        raise SetupError(f"{file}: cannot be written: {error.strerror}") from None
    typer.echo(f"写入 written: {file}，{rows} 行 {'row' if rows == 1 else 'rows'}", err=True)
