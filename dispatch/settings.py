"""Settings: environment variables that begin with `DISPATCH_`, and what `dispatch up` left in the data folder."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatch.errors import SetupError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
CONTACT = re.compile(r"mailto:[^@\s]+@[^@\s]+|https://[^/\s]+\S*")


def default_data_folder() -> Path:
    """Where embedded servers keep their data.

    As root it must be somewhere that the database's own system user may enter, so not in
    root's home; else it is the user's data folder (XDG Base Directory Specification).
    """
    if os.geteuid() == 0:
        return Path("/var/lib/joint-defence-dispatch")
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "joint-defence-dispatch"


Port = Annotated[int | None, Field(ge=1, le=65535)]


class RunningServers(BaseModel):
    """What `dispatch up` started: written to `servers.json` in the data folder, readable by its owner alone."""

    site: str
    nats_url: str
    postgres_dsn: str
    mqtt_port: int | None = None
    pid: int
    port: int


class Settings(BaseSettings):
    """Everything that can be set from outside. Times are in seconds, sizes in bytes unless a name says otherwise."""

    model_config = SettingsConfigDict(env_prefix="DISPATCH_", extra="ignore")

    site: str = Field("demo", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    data: Path = Field(default_factory=default_data_folder)
    nats_url: str | None = None
    postgres_dsn: str | None = None
    nats_port: Port = None
    mqtt_port: Port = None
    postgres_port: Port = None
    replicas: int = Field(1, ge=1, le=5)
    auth_callout_seed: SecretStr | None = None
    """The NATS account key that signs what a button may do; without it we authenticate no buttons."""
    nats_system_url: SecretStr | None = None
    """NATS with a login of its system account; without it no button gone mad is thrown out."""
    mqtt_url: SecretStr | None = None
    """MQTT with our own login; without it what the server keeps of buttons that are gone is never discarded."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    public_url: str | None = None
    admin_port: Port = None
    """A worker's own port for `/healthz`, `/readyz` and `/metrics`; none is opened when unset."""

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    private_push_endpoints: bool = False
    """Let phones register push endpoints on http or private addresses; for trials on one machine."""

    contact: str | None = None
    """By what push services can reach whoever runs this: a `mailto:` or `https:` address (RFC 8292, 2.1)."""

    sms_host: str | None = None
    """The SMSC that takes text messages over SMPP 3.4; without it none are sent."""
    sms_port: int = Field(2775, ge=1, le=65535)
    sms_system_id: str | None = None
    sms_password: SecretStr | None = None
    sms_sender: str | None = Field(None, pattern=r"^(\+?[0-9]{1,20}|[A-Za-z0-9 ._-]{1,11})$")
    """From whom texts come: `+86…`, a service number, or a name of at most 11 letters (which cannot be answered)."""
    sms_rate: float = Field(10.0, gt=0, le=10_000)
    """How many texts a second one worker hands over, each part of a long one counted."""
    sms_window: int = Field(10, ge=1, le=1000)
    """How many may wait for the SMSC's answer at a time."""

    archive: Path | None = None
    """Where the log is written down as it grows; `archive` in the data folder when unset."""

    warm_mib: int = Field(1024, ge=0)
    """How many MiB of each of roster, tokens and log `watch` keeps in nats-server's memory, the newest; 0: nothing."""

    timezone: str = "Asia/Shanghai"
    """The IANA name of the time zone by whose clocks reports count days, weeks, months and hours,
    and the command line shows times."""

    moved_clock: Path | None = None
    """A file by which the tests' stories move the time (`dispatch.moved_clock`); never set where people are called."""

    watch_urls: str = ""
    """Where the watchdog tells of incidents: Apprise URLs, separated by spaces (they hold secrets)."""

    @property
    def sms_missing(self) -> tuple[str, ...]:
        """What `sms_host` needs besides, and is not set."""
        wanted = {"SYSTEM_ID": self.sms_system_id, "PASSWORD": self.sms_password, "SENDER": self.sms_sender}
        return tuple(f"DISPATCH_SMS_{name}" for name, value in wanted.items() if value is None)

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("write the IANA name of a time zone, like Asia/Shanghai") from None
        return value

    @field_validator("contact")
    @classmethod
    def _reaches_somebody(cls, value: str | None) -> str | None:
        if value is not None and not CONTACT.fullmatch(value):
            raise ValueError("write it like mailto:duty@dispatch.example or https://dispatch.example/contact")
        return value

    @property
    def url(self) -> str:
        """Where people reach this system, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def archive_folder(self) -> Path:
        return self.archive or self.data / "archive"

    @property
    def servers_file(self) -> Path:
        return self.data / "servers.json"

    def require_nats(self) -> str:
        """The NATS URL. Raises `SetupError` when there is none."""
        if self.nats_url is None:
            raise SetupError(
                f"no NATS server is known, nothing runs on {self.data}: where `dispatch up` runs on another folder set "
                "DISPATCH_DATA to it; else run `dispatch up` in another terminal, or set DISPATCH_NATS_URL"
            )
        return self.nats_url

    def require_postgres(self) -> str:
        """The Postgres DSN. Raises `SetupError` when there is none."""
        if self.postgres_dsn is None:
            raise SetupError(
                "no Postgres server is known: run `dispatch up` in another terminal, or set DISPATCH_POSTGRES_DSN"
            )
        return self.postgres_dsn


def load_settings() -> Settings:
    """Settings from the environment; servers not named there are those that `dispatch up` is running.

    Raises `SetupError` naming each variable whose value cannot be used.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"DISPATCH_{'_'.join(map(str, e['loc'])).upper()}={e['input']!r}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise SetupError(f"settings that cannot be used: {wrong}") from None
    running = running_servers(settings)
    if running is not None:
        settings.nats_url = settings.nats_url or running.nats_url
        settings.postgres_dsn = settings.postgres_dsn or running.postgres_dsn
        settings.mqtt_port = settings.mqtt_port or running.mqtt_port
        if "site" not in settings.model_fields_set:
            settings.site = running.site
        if "port" not in settings.model_fields_set:
            settings.port = running.port
    return settings


def running_servers(settings: Settings) -> RunningServers | None:
    """What a live `dispatch up` wrote down, or None when none is running on this data folder."""
    try:
        running = RunningServers.model_validate(json.loads(settings.servers_file.read_text()))
        os.kill(running.pid, 0)
    except (OSError, ValueError):
        return None
    return running
