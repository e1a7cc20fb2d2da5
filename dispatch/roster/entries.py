"""A document as it stands in the bucket: under which key, and in what bytes, with who wrote it and when."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from dispatch.errors import Malformed, Oversized, Unreadable
from dispatch.identifiers import token
from dispatch.roster.documents import KINDS, Document, DocumentKind, Post

MAX_DOCUMENT_BYTES = 64 * 1024
"""A document is a few hundred bytes; a larger one is refused, so that an alarm never waits for it."""

D_co = TypeVar("D_co", bound=Document, covariant=True)


class Entry(msgspec.Struct, Generic[D_co], frozen=True, kw_only=True):
    """A document of the roster with its revision (a stream sequence), and who wrote it when."""

    document: D_co
    revision: int
    by: str
    at: datetime


class _Value(msgspec.Struct, Generic[D_co]):
    doc: D_co
    by: str
    at: datetime


_encoder = msgspec.json.Encoder()
_decoders = {kind: msgspec.json.Decoder(_Value[document]) for kind, document in KINDS.items()}  # type: ignore[valid-type]
_KIND_OF = {document: kind for kind, document in KINDS.items()}


def kind_of_document(document: Document) -> DocumentKind:
    return _KIND_OF[type(document)]


def key_of(document: Document) -> str:
    """The key of `document` behind the site. Raises `Malformed` when its id is none."""
    kind = kind_of_document(document)
    tail = token(document.id, f"{kind}.id")
    return f"{kind}.{token(document.area, 'post.area')}.{tail}" if isinstance(document, Post) else f"{kind}.{tail}"


def encode(document: Document, by: str, at: datetime) -> bytes:
    """The value that is stored. Raises `Oversized`, or `Malformed` for what could not be read again."""
    value = _encoder.encode(_Value(document, by, at))
    if len(value) > MAX_DOCUMENT_BYTES:
        raise Oversized(
            f"{kind_of_document(document)} {document.id} has {len(value)} bytes; "
            f"at most {MAX_DOCUMENT_BYTES} are kept: shorten it or remove what is retired",
            field="document",
        )
    try:
        _decoders[kind_of_document(document)].decode(value)
    except msgspec.ValidationError as error:
        raise Malformed(f"{kind_of_document(document)} {document.id} cannot be kept: {error}") from None
    return value


def decode(kind: DocumentKind, value: bytes, revision: int) -> Entry[Document]:
    """The entry in a stored value. Raises `Unreadable` with the reason when it is none."""
    try:
        read = _decoders[kind].decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"revision {revision} of the roster is no {kind}: {error}") from None
    return Entry(document=read.doc, revision=revision, by=read.by, at=read.at)
