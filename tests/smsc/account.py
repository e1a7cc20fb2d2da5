"""What a system needs to know of an SMSC on loopback."""

from __future__ import annotations

from pydantic import SecretStr

from dispatch.settings import Settings


def with_smsc(settings: Settings, port: int, password: str) -> Settings:
    """`settings` with an account at the SMSC on `port`."""
    account = {
        "sms_host": "127.0.0.1",
        "sms_port": port,
        "sms_system_id": "dispatch",
        "sms_password": SecretStr(password),
        "sms_sender": "10690110",
    }
    return settings.model_copy(update=account)
