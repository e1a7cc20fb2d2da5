"""CloudEvents 1.0 in its NATS binding, binary mode: attributes in headers, data in the body.

Sources: CloudEvents 1.0.2 specification; NATS Protocol Binding for CloudEvents 1.0.2, 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

CONTENT_TYPE = "application/json"


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes of one event. `subject` is what it is about; `time` is in UTC."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime


def headers_of(event: CloudEvent) -> dict[str, str]:
    """The NATS headers that carry `event`'s attributes."""
    return {
        "ce-specversion": "1.0",
        "ce-id": event.id,
        "ce-source": event.source,
        "ce-type": event.type,
        "ce-subject": event.subject,
        "ce-time": event.time.astimezone(UTC).isoformat(),
        "content-type": CONTENT_TYPE,
    }


def is_cloud_event(headers: Mapping[str, str] | None) -> bool:
    """Whether a message carries a CloudEvent in binary mode."""
    return headers is not None and headers.get("ce-specversion") == "1.0"
