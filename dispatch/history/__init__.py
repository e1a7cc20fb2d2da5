"""The past: calls of an older system, brought into the log as events with their own times. They call nobody."""

from dispatch.history.importing import Report, import_history
from dispatch.history.past_calls import PastCall, PastResponse, as_events
from dispatch.history.rows import COLUMNS, read_calls

__all__ = ["COLUMNS", "PastCall", "PastResponse", "Report", "as_events", "import_history", "read_calls"]
