"""The roster: who is called, for whom, and why. The only place with names, phones and addresses."""

from dispatch.roster.aid import AID, aid_list
from dispatch.roster.call_list import OFFICERS, Called, CallList, call_list
from dispatch.roster.channels import channel_of, channels_of, every_channel_of, points_for
from dispatch.roster.documents import (
    KINDS,
    MAX_BOUND_NUMBERS,
    ApprisePoint,
    Area,
    ContactPoint,
    Document,
    DocumentKind,
    Duty,
    EscalationPolicy,
    Group,
    Household,
    Person,
    Post,
    SmsPoint,
    WebhookPoint,
    WebPushPoint,
    document_kind,
)
from dispatch.roster.entries import MAX_DOCUMENT_BYTES, Entry
from dispatch.roster.store import Roster, RosterConflict

__all__ = [
    "AID", "KINDS", "MAX_BOUND_NUMBERS", "MAX_DOCUMENT_BYTES", "OFFICERS", "ApprisePoint", "Area", "CallList",
    "Called", "ContactPoint", "Document", "DocumentKind", "Duty", "Entry", "EscalationPolicy", "Group", "Household",
    "Person", "Post", "Roster", "RosterConflict", "SmsPoint", "WebPushPoint", "WebhookPoint", "aid_list", "call_list",
    "channel_of", "channels_of", "document_kind", "every_channel_of", "points_for",
]  # fmt: skip
