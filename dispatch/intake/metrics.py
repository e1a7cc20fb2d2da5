"""What intake counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

STORED = Histogram(
    "dispatch_press_stored_seconds",
    "From a press being handed to a process of ours to its being stored",
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
UNACKNOWLEDGED = Counter("dispatch_presses_unacknowledged_total", "Presses that the store did not acknowledge")
