"""What the fan-out counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16)

PRESSES = Counter("dispatch_presses_total", "Presses processed", ["result"])
CALLS = Counter("dispatch_calls_total", "Calls made", ["channel", "outcome"])
CALL_SECONDS = Histogram("dispatch_call_seconds", "How long one call took", ["channel"], buckets=_SECONDS)
ACCEPTED_TO_SENT = Histogram(
    "dispatch_accepted_to_sent_seconds", "From the press being stored to a provider having the call", buckets=_SECONDS
)
IN_FLIGHT = Gauge("dispatch_fanout_in_flight", "Messages being worked on", ["consumer"])
BURIED = Counter("dispatch_fanout_buried_total", "Messages given up, to the DLQ", ["consumer"])
STEPS = Counter("dispatch_steps_total", "Steps of escalation taken", ["because"])
SMS_BOUND = Gauge("dispatch_sms_bound", "Whether there is a session with the SMSC")
SMS_HEARD = Counter("dispatch_sms_heard_total", "What the SMSC brought", ["what"])
WAITING = Gauge("dispatch_lane_waiting", "Calls that wait for a turn with a provider", ["channel", "rank"])
OLDEST_WAITING = Gauge(
    "dispatch_lane_oldest_waiting_seconds",
    "How long the oldest of the calls that wait for a turn has waited",
    ["channel"],
)
DECISIONS_WAITING = Gauge(
    "dispatch_decisions_waiting", "Presses (first), steps (widened) and notices that wait to be decided", ["rank"]
)
NOT_ANSWERING = Gauge(
    "dispatch_provider_held_back", "1 while a provider's calls are held back", ["channel", "provider"]
)
REFUSED = Counter("dispatch_lane_refused_total", "Calls given up because their provider is held back", ["channel"])
NEXT_CHANNELS = Counter("dispatch_next_channels_total", "Next channels of people who were not reached", ["because"])
RESCUED = Counter("dispatch_rescued_total", "Rings that the watchdog made itself", ["channel", "outcome"])
NOTICES = Counter("dispatch_notices_total", "Word sent that somebody need not come", ["channel", "outcome"])
