"""The roster: who is called, for whom, and why. The only place with names, phones and addresses."""

from dispatch.roster.aid import AID, aid_list
from dispatch.roster.audit import Audit, Audited
from dispatch.roster.call_list import OFFICERS, Called, CallList, call_list
from dispatch.roster.channels import channel_of, channels_after, channels_of, every_channel_of, is_mute, points_for
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
    LeftOut,
    Person,
    Post,
    SmsPoint,
    WebhookPoint,
    WebPushPoint,
    document_kind,
    left_out_of,
)
from dispatch.roster.entries import MAX_DOCUMENT_BYTES, Entry
from dispatch.roster.leaving_out import leave_out, let_in
from dispatch.roster.policies import read_policies
from dispatch.roster.reachability import PROOF_DAYS, GroupReach, Reachable, bound, reach_of
from dispatch.roster.scope import Places, has_to_do_with, who_has_to_do_with
from dispatch.roster.store import Roster, RosterConflict

__all__ = [
    "AID", "KINDS", "MAX_BOUND_NUMBERS", "MAX_DOCUMENT_BYTES", "OFFICERS", "PROOF_DAYS", "ApprisePoint", "Area",
    "Audit", "Audited", "CallList", "Called", "ContactPoint", "Document", "DocumentKind", "Duty", "Entry",
    "EscalationPolicy", "Group", "GroupReach", "Household", "LeftOut", "Person", "Places", "Post", "Reachable",
    "Roster", "RosterConflict", "SmsPoint", "WebPushPoint", "WebhookPoint", "aid_list", "bound", "call_list",
    "channel_of", "channels_after", "channels_of", "document_kind", "every_channel_of", "has_to_do_with", "is_mute",
    "leave_out", "left_out_of", "let_in", "points_for", "reach_of", "read_policies", "who_has_to_do_with",
]  # fmt: skip
