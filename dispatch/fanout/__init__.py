"""One call, many responders: plan, call everybody at once, record what came of it; and watch that it happens."""

from dispatch.fanout.calls import Links
from dispatch.fanout.watchdog import Watchdog
from dispatch.fanout.worker import Fanout, Keys

__all__ = ["Fanout", "Keys", "Links", "Watchdog"]
