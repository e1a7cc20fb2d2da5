"""One call, many responders: plan, call everybody at once, record what came of it; and watch that it happens."""

from dispatch.fanout.again import DUE, JOBS, CommitAgain, DueAgain
from dispatch.fanout.calls import Links
from dispatch.fanout.placing import place_behind
from dispatch.fanout.plan import due_step, policies_by_kind, policy_among, targets_of
from dispatch.fanout.senders import Keys
from dispatch.fanout.stand_in import standing_in
from dispatch.fanout.watchdog import Watchdog
from dispatch.fanout.worker import Fanout

__all__ = [
    "DUE", "JOBS", "CommitAgain", "DueAgain", "Fanout", "Keys", "Links", "Watchdog", "due_step", "place_behind",
    "policies_by_kind", "policy_among", "standing_in", "targets_of",
]  # fmt: skip
