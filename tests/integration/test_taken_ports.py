"""A role that cannot have its port says which, why, by which setting and what to do, and ends as refusals do."""

from __future__ import annotations

import socket

import pytest

from dispatch.roles import ROLES
from dispatch.settings import Settings
from tests.commands import dispatch, environment_of

ADMIN = "DISPATCH_ADMIN_PORT"


@pytest.mark.parametrize(("role", "setting"), [*((role, ADMIN) for role in ROLES), ("serve", "DISPATCH_PORT")])
async def test_a_taken_port_is_named_with_its_setting_and_a_way_out(
    role: str, setting: str, settings: Settings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        others = {"DISPATCH_PORT": "0", "DISPATCH_LOG_LEVEL": "error"}
        code, out, err = await dispatch(role, env={**environment_of(settings), **others, setting: str(port)})
    assert code == 1
    (said,) = (out + err).splitlines()
    assert said.startswith(f"dispatch: port {port} is taken by another program: ")
    assert setting in said
    assert (f"`dispatch {role}` without /healthz" in said) == (setting == ADMIN)
