"""Connecting to NATS: a server that is not there is named, with the reason."""

from __future__ import annotations

import pytest

from dispatch.errors import SetupError
from dispatch.events import connect, connection
from tests.system import free_port


async def test_where_nobody_listens_it_is_said_and_not_that_time_ran_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_CONNECT_SECONDS", 0.5)
    port = free_port()
    with pytest.raises(SetupError, match=f"127.0.0.1:{port} does not answer .ConnectionRefusedError") as refused:
        await connect(f"nats://dispatch:secret@127.0.0.1:{port}", "test")
    assert "secret" not in refused.value.detail
