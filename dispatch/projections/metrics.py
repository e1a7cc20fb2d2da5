"""What the projections tell Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

LAG_COMMITS = Gauge(
    "dispatch_projection_lag_commits", "Sequences of the log between its end and the read model", ["projection"]
)
LAG_SECONDS = Gauge(
    "dispatch_projection_lag_seconds", "Seconds since the read model was last at the end of the log", ["projection"]
)
RUNNING = Gauge(
    "dispatch_projection_running", "1 while the read model follows the log, 0 while it fails", ["projection"]
)
ROWS = Counter("dispatch_projection_rows_total", "Rows written", ["projection"])
FAILURES = Counter(
    "dispatch_projection_failures_total", "Times that a read model stopped and was tried again", ["projection"]
)
POISON = Counter("dispatch_projection_poison_total", "Commits that could not be projected", ["by"])
DELAY = Histogram(
    "dispatch_projection_delay_seconds",
    "From a commit stored in the log to its rows committed",
    ["projection"],
    buckets=(0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5, 30, 300),
)
