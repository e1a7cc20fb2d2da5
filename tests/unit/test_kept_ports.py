"""Ports: why one cannot be had is told by what the system said."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from dispatch.embedded import kept
from dispatch.errors import SetupError
from dispatch.listening import why_not


def test_a_free_port_is_free_and_a_taken_one_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert why_not(port) == "is taken by another program"
    assert why_not(port) is None


def test_a_port_that_only_root_may_open_is_not_called_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class OfAPlainUser(socket.socket):
        def bind(self, *_: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket, "socket", OfAPlainUser)
    with pytest.raises(SetupError, match=r"port 80 for mqtt is not ours to open: only root.*DISPATCH_MQTT_PORT"):
        kept.KeptPorts(tmp_path / "ports.json", print).port("mqtt", 80)


def test_an_address_of_another_machine_is_named() -> None:
    assert "cannot be opened on 192.0.2.1" in (why_not(8080, "192.0.2.1") or "")
