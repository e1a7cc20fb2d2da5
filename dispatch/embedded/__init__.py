"""A local nats-server and Postgres, from wheels: what `dispatch up` and the tests run on."""

from dispatch.embedded.nats import EmbeddedNats
from dispatch.embedded.postgres import EmbeddedPostgres
from dispatch.embedded.server import EmbeddedServer

__all__ = ["EmbeddedNats", "EmbeddedPostgres", "EmbeddedServer"]
