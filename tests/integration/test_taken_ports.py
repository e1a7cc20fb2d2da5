"""A role that cannot have its port says which, why, by which setting and what to do, and ends as refusals do."""

from __future__ import annotations

import socket

import pytest
from nats.aio.client import Client
from nats.errors import NoRespondersError

from dispatch.errors import SetupError
from dispatch.process import alive
from dispatch.roles import ROLES, ping_subject
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


async def test_a_process_that_cannot_have_its_port_is_not_heard_of(nc: Client, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        theirs = settings.model_copy(update={"admin_port": taken.getsockname()[1]})
        with pytest.raises(SetupError, match="is taken by another program"):
            async with alive(nc, "fanout", theirs):
                raise AssertionError("it has no port")
    with pytest.raises(NoRespondersError):
        await nc.request(ping_subject(settings.site, "fanout"))
