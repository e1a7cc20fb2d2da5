"""One call, many responders: plan, call everybody at once, record what came of it; and watch that it happens."""

from dispatch.fanout.again import DUE, JOBS, CommitAgain, DueAgain
from dispatch.fanout.calls import Links
from dispatch.fanout.senders import Keys
from dispatch.fanout.stand_in import standing_in
from dispatch.fanout.watchdog import Watchdog
from dispatch.fanout.worker import Fanout

__all__ = ["DUE", "JOBS", "CommitAgain", "DueAgain", "Fanout", "Keys", "Links", "Watchdog", "standing_in"]
