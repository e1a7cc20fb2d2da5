"""The language: what happens, how it is written down, and how it is read.

`from dispatch.events import …` names what a reader of the domain needs; what only this package
needs stays in its modules.
"""

from dispatch.events.buckets import as_read, bucket_at, is_deleted, latest
from dispatch.events.codec import Commit, all_cases, live_cases
from dispatch.events.connection import connect
from dispatch.events.direct import as_delivered, direct_get, last_of_each
from dispatch.events.dlq import DeadLetter, bury, decode_letter
from dispatch.events.dlq_desk import OLD_PRESS, DlqDesk, Retry, since
from dispatch.events.envelope import is_cloud_event
from dispatch.events.inbox import inbox_of
from dispatch.events.incidents import Incident, IncidentBook
from dispatch.events.letters import Kept, Letters, Mark, decode_mark, letter_of, marks_of, state_of
from dispatch.events.log import CaseLog, Head, Stale, commit_of
from dispatch.events.open_pages import SAID_EVERY_SECONDS, OpenPages, decode_open_pages, open_pages_subject
from dispatch.events.press import (
    MAX_PRESS_BYTES,
    Press,
    answer_subject,
    believed,
    decode_press,
    drill_of,
    encode_press,
    kind_of,
    moment_of,
    press_subject,
    silent_of,
)
from dispatch.events.strain import Strained, decode_strained
from dispatch.events.streams import (
    AUDIT,
    CASES,
    DLQ,
    DRILLS,
    INCIDENTS,
    INTAKE,
    KEYS,
    PIN_TRIES,
    ROSTER,
    SMS,
    TIMERS,
    TOKENS,
    TOLD,
    ensure_streams,
)
from dispatch.events.subscription import begin_behind, consume, follow, work_consumer
from dispatch.events.timers import Timers, due_subject
from dispatch.events.types import (
    AlarmRaised,
    Answer,
    AtOnce,
    Because,
    CallOutcome,
    CallsRecorded,
    CaseCancelled,
    CaseNoted,
    CaseResolved,
    Channel,
    DuressSignalled,
    Escalated,
    EscalationPaused,
    Event,
    FallbackSeconds,
    FellBack,
    Gap,
    HandedOver,
    HouseholdStamped,
    Kind,
    Moment,
    NextBecause,
    NextCall,
    Outcome,
    PlannedCall,
    PolicyStamped,
    PolicyStep,
    PressedAgain,
    Quorum,
    Reason,
    ResidentsSpared,
    Resolution,
    ResponderCleared,
    ResponderLeftOut,
    ResponderReplied,
    RespondersCalled,
    RespondersStoodDown,
    Role,
    Source,
    Target,
    Via,
    WideningAsked,
)
from dispatch.events.warm import keep_warm

__all__ = [
    "AUDIT", "CASES", "DLQ", "DRILLS", "INCIDENTS", "INTAKE", "KEYS", "MAX_PRESS_BYTES", "OLD_PRESS", "PIN_TRIES",
    "ROSTER", "SAID_EVERY_SECONDS", "SMS", "TIMERS", "TOKENS", "TOLD", "AlarmRaised", "Answer", "AtOnce", "Because",
    "CallOutcome", "CallsRecorded", "CaseCancelled", "CaseLog", "CaseNoted", "CaseResolved", "Channel", "Commit",
    "DeadLetter", "DlqDesk", "DuressSignalled", "Escalated", "EscalationPaused", "Event", "FallbackSeconds", "FellBack",
    "Gap", "HandedOver", "Head", "HouseholdStamped", "Incident", "IncidentBook", "Kept", "Kind", "Letters", "Mark",
    "Moment", "NextBecause", "NextCall", "OpenPages", "Outcome", "PlannedCall", "PolicyStamped", "PolicyStep", "Press",
    "PressedAgain", "Quorum", "Reason", "ResidentsSpared", "Resolution", "ResponderCleared", "ResponderLeftOut",
    "ResponderReplied", "RespondersCalled", "RespondersStoodDown", "Retry", "Role", "Source", "Stale", "Strained",
    "Target", "Timers", "Via", "WideningAsked", "all_cases", "answer_subject", "as_delivered", "as_read",
    "begin_behind", "believed", "bucket_at", "bury", "commit_of", "connect", "consume", "decode_letter", "decode_mark",
    "decode_open_pages", "decode_press", "decode_strained", "direct_get", "drill_of", "due_subject", "encode_press",
    "ensure_streams", "follow", "inbox_of", "is_cloud_event", "is_deleted", "keep_warm", "kind_of", "last_of_each",
    "latest", "letter_of", "live_cases", "marks_of", "moment_of", "open_pages_subject", "press_subject", "silent_of",
    "since", "state_of", "work_consumer",
]  # fmt: skip
