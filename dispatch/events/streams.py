"""Streams and buckets: what they hold and how, created when they are missing and brought up to date when not."""

from __future__ import annotations

from datetime import timedelta

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, KeyValueConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError, NotFoundError

INTAKE, CASES, TIMERS, DLQ, AUDIT = "INTAKE", "CASES", "TIMERS", "DLQ", "AUDIT"
ROSTER, TOKENS, KEYS, INCIDENTS, DRILLS, SMS = "ROSTER", "TOKENS", "KEYS", "INCIDENTS", "DRILLS", "SMS"
PIN_TRIES, TOLD = "PIN_TRIES", "TOLD"

_DEDUPLICATION = timedelta(minutes=10).total_seconds()


def stream_configs(replicas: int = 1) -> list[StreamConfig]:
    """Every stream of ours. `replicas` is 1 on a single server, 3 on a cluster."""
    return [
        StreamConfig(
            name=INTAKE,
            description="Presses from every kind of device",
            subjects=["intake.press.*.*"],
            storage=StorageType.FILE,
            num_replicas=replicas,
            max_age=timedelta(days=30).total_seconds(),
            # A button gone mad pushes out old presses of its own household and nobody else's; so many that none
            # is lost unread, unless it sends 5,000 while no fan-out runs. Presses are 4 KiB at most.
            max_msgs_per_subject=5_000,
            discard=DiscardPolicy.OLD,
            max_msg_size=16 * 1024,
            duplicate_window=_DEDUPLICATION,
            allow_direct=True,
        ),
        StreamConfig(
            name=CASES,
            description="What happened: one message is one commit of one case",
            # Imported calls are history: nobody who acts on cases hears of them.
            subjects=["cases.*.*.*", "history.*.*.*"],
            storage=StorageType.FILE,
            num_replicas=replicas,
            discard=DiscardPolicy.NEW,
            deny_delete=True,
            deny_purge=True,
            duplicate_window=_DEDUPLICATION,
            allow_direct=True,
        ),
        StreamConfig(
            name=AUDIT,
            description="Who was left out of the calls for a household, by whom, when and why: kept for good",
            subjects=["audit.*.*"],
            storage=StorageType.FILE,
            num_replicas=replicas,
            discard=DiscardPolicy.NEW,
            deny_delete=True,
            deny_purge=True,
            allow_direct=True,
        ),
        StreamConfig(
            name=TIMERS,
            description="When a case is to be looked at again: one schedule for each case, and those that are due",
            subjects=["timers.*.*", "due.*.*"],
            storage=StorageType.FILE,
            num_replicas=replicas,
            retention=RetentionPolicy.WORK_QUEUE,
            # A case is due or it is not; how often that was said does not matter.
            max_msgs_per_subject=1,
            discard=DiscardPolicy.OLD,
            allow_msg_schedules=True,
            allow_direct=True,
        ),
        StreamConfig(
            name=DLQ,
            description="What could not be processed, with the reason",
            subjects=["dlq.*.*", "dlq.*.mark.*"],
            storage=StorageType.FILE,
            num_replicas=replicas,
            # Rubbish must not fill the disk that the alarms need; the oldest letters go first.
            max_bytes=256 * 1024 * 1024,
            discard=DiscardPolicy.OLD,
            duplicate_window=_DEDUPLICATION,
            allow_direct=True,
        ),
    ]


def bucket_configs(replicas: int = 1) -> list[KeyValueConfig]:
    """Every key-value bucket of ours. Keys begin with the site."""
    described = {
        ROSTER: "Who is called",
        TOKENS: "Access, by the hash of the token",
        KEYS: "Keys made on first run",
        INCIDENTS: "What is wrong with the system itself",
        DRILLS: "Which households take part in which drill, and until when",
    }
    return [
        # direct: without it the server answers 503 to direct gets.
        KeyValueConfig(
            bucket=name, description=text, history=8 if name == ROSTER else 1, replicas=replicas, direct=True
        )
        for name, text in described.items()
    ] + [
        KeyValueConfig(
            bucket=SMS,
            description="Texts under way: whose they are, and for what a number was called",
            history=64,
            ttl=timedelta(days=3).total_seconds(),
            replicas=replicas,
            direct=True,
        ),
        KeyValueConfig(
            bucket=PIN_TRIES,
            description="When a household's PIN was tried lately",
            ttl=timedelta(minutes=2).total_seconds(),
            replicas=replicas,
        ),
        KeyValueConfig(
            bucket=TOLD,
            description="Who was told of a commit that somebody was cut off in telling of",
            ttl=timedelta(hours=1).total_seconds(),
            replicas=replicas,
        ),
    ]


async def ensure_streams(js: JetStreamContext, replicas: int = 1) -> None:
    """Create what is missing and update what differs; safe to run at every start, by every process at once."""
    for config in stream_configs(replicas):
        try:
            await js.add_stream(config)
        except BadRequestError:
            await _update(js, config)
    for bucket in bucket_configs(replicas):
        try:
            await js.stream_info(f"KV_{bucket.bucket}")
        except NotFoundError:
            await js.create_key_value(bucket)


async def _update(js: JetStreamContext, config: StreamConfig) -> None:
    """Bring a stream up to date; it keeps the copies it has when a command asks for fewer."""
    there = (await js.stream_info(str(config.name))).config.num_replicas or 1
    config.num_replicas = max(there, config.num_replicas or 1)
    await js.update_stream(config)
