"""What Prometheus counts here."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("dispatch_http_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "dispatch_http_request_seconds",
    "From a request's headers to its answer",
    ["method", "route"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
OPEN_PAGES = Gauge("dispatch_live_pages", "Open live streams", ["role"])
DROPPED_PAGES = Counter("dispatch_live_dropped_total", "Live streams ended because their socket was stuck", ["role"])
BOARD_CASES = Gauge("dispatch_board_cases", "Cases in the live board's memory")
BOARD_POSITION = Gauge("dispatch_board_position", "The log's sequence that the live board has reached")
