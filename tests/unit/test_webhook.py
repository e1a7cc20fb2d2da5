"""Webhooks, checked by the reference library of Standard Webhooks."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from standardwebhooks import Webhook, WebhookVerificationError

from dispatch.clock import now
from dispatch.fanout.channels import Poster, Sent, WebhookSender
from dispatch.fanout.channels.webhook import secret_key, signed_headers
from dispatch.fanout.lanes import Lane, Limits
from dispatch.fanout.ring import take_back
from dispatch.fanout.turns import Place, Rank
from dispatch.roster import WebhookPoint
from tests.receivers import receiving, status
from tests.rings import ring

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()


async def test_the_reference_library_accepts_what_arrives() -> None:
    async with receiving() as receiver, Poster(guarded=False) as poster:
        sent = await WebhookSender(poster).send(ring(), WebhookPoint(url=receiver.url, secret=SECRET))
    assert sent == Sent("sent")
    (request,) = receiver.requests
    payload = Webhook(SECRET).verify(request.body, dict(request.headers))
    assert payload == json.loads(request.body)
    assert payload["type"] == "responder.called"
    assert payload["data"]["notification"] == ring().notification
    assert request.headers["webhook-id"] == f"{ring().notification}-0"
    assert request.headers["Content-Type"] == "application/json"


async def test_an_endpoint_that_drops_what_it_knows_rings_for_each_step_and_takes_back_what_it_rang() -> None:
    """As Standard Webhooks asks of a receiver: what comes again under a `webhook-id` is dropped."""
    async with receiving() as receiver, Poster(guarded=False) as poster:
        sender, point = WebhookSender(poster), WebhookPoint(url=receiver.url, secret=SECRET)
        first, again = ring(), replace(ring(), step=1)
        backs = [take_back(again, word, enough=True) for word in ("stood_down", "over")]
        for one in (first, first, again, *backs):
            assert await sender.send(one, point) == Sent("sent")
    heard = {request.headers["webhook-id"]: json.loads(request.body)["data"] for request in receiver.requests}
    assert [(one["step"], one["word"]) for one in heard.values()] == [
        (0, "called"),
        (1, "called"),
        (1, "stood_down"),
        (1, "over"),
    ]
    assert len({one["notification"] for one in heard.values()}) == 1, "the phone shows one alert"


async def test_a_changed_body_or_another_secret_is_refused() -> None:
    headers = signed_headers(secret_key(SECRET), "m-1", int(now().timestamp()), b'{"a":1}')
    assert Webhook(SECRET).verify(b'{"a":1}', headers) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(b'{"a":2}', headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(b"another").decode()).verify(b'{"a":1}', headers)


async def test_a_retry_is_signed_anew_under_the_same_id() -> None:
    times = iter(datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=n) for n in range(9))
    async with receiving(status(500, 200)) as receiver, Poster(guarded=False) as poster:
        sender = WebhookSender(poster, clock=lambda: next(times))
        point = WebhookPoint(url=receiver.url, secret=SECRET)
        lane, place = Lane("webhook", Limits()), Place(Rank.FIRST, drill=False, area="a")
        assert await lane.send(sender.provider(point), place, lambda: sender.send(ring(), point)) == Sent("sent")
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) == int(first.headers["webhook-timestamp"]) + 1
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!", "whsec_AAA"])
async def test_a_secret_that_is_none_fails_in_words_and_is_not_shown(secret: str) -> None:
    async with receiving() as receiver, Poster(guarded=False) as poster:
        sent = await WebhookSender(poster).send(ring(), WebhookPoint(url=receiver.url, secret=secret))
    assert sent.outcome == "failed"
    assert "whsec_ followed by base64" in str(sent.reason)
    assert not receiver.requests


async def test_a_webhook_that_is_gone_is_not_retired() -> None:
    async with receiving(status(410)) as receiver, Poster(guarded=False) as poster:
        sent = await WebhookSender(poster).send(ring(), replace(WebhookPoint(url=receiver.url, secret=SECRET)))
    assert sent == Sent("failed", "HTTP 410")
