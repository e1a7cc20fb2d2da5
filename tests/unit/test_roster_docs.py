"""`docs/roster.md` and the import name the same columns."""

from __future__ import annotations

import re
from pathlib import Path

from dispatch.roster.imports.columns import COLUMNS, SHEETS

DOCS = Path(__file__).parents[2] / "docs" / "roster.md"


def test_the_docs_have_every_column_of_the_import_and_no_other() -> None:
    sections = re.split(r"^### (\w+) .*$", DOCS.read_text(), flags=re.MULTILINE)[1:]
    documented = {
        title.lower(): re.findall(r"^\| `(\w+)`(\*?) \| ([^|]+) \|", text, flags=re.MULTILINE)
        for title, text in zip(sections[::2], sections[1::2], strict=True)
    }
    assert documented == {
        SHEETS[kind]: [(c.name, "*" if c.required else "", ", ".join(c.headers)) for c in columns]
        for kind, columns in COLUMNS.items()
    }
