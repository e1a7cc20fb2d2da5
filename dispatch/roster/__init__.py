"""The roster: who is called, for whom, and why. The only place with names, phones and addresses."""

from dispatch.roster.call_list import OFFICERS, Called, CallList, call_list
from dispatch.roster.documents import (
    KINDS,
    MAX_BOUND_NUMBERS,
    Area,
    ContactPoint,
    Document,
    DocumentKind,
    Duty,
    Group,
    Household,
    Person,
    Post,
    WebhookPoint,
    WebPushPoint,
    document_kind,
)
from dispatch.roster.entries import MAX_DOCUMENT_BYTES, Entry
from dispatch.roster.store import Roster, RosterConflict

__all__ = [
    "KINDS", "MAX_BOUND_NUMBERS", "MAX_DOCUMENT_BYTES", "OFFICERS",
    "Area", "CallList", "Called", "ContactPoint", "Document", "DocumentKind", "Duty", "Entry", "Group", "Household",
    "Person", "Post", "Roster", "RosterConflict", "WebPushPoint", "WebhookPoint",
    "call_list", "document_kind",
]  # fmt: skip
