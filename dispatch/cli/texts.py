"""What is typed for people to read."""

from __future__ import annotations

from dispatch.errors import Malformed

LONGEST_TEXT = 2000


def checked_text(text: str, field: str, *, empty: bool = False) -> str:
    """`text`, where it can be shown on any terminal and page. Raises `Malformed`, naming `field`."""
    printable = all(character.isprintable() or character in "\n\t" for character in text)
    if len(text) > LONGEST_TEXT or not printable or not (text.strip() or empty):
        raise Malformed(f"{field} of {len(text)} characters: use 1 to {LONGEST_TEXT} that can be printed", field=field)
    return text
