"""Ways to reach a responder, a file each. A sender knows how to send and what came of it, and nothing of cases."""

from dispatch.fanout.channels.apprise import AppriseSender
from dispatch.fanout.channels.http import Poster
from dispatch.fanout.channels.live import LiveSender
from dispatch.fanout.channels.sender import HasProviders, Sender, Sent
from dispatch.fanout.channels.webhook import WebhookSender
from dispatch.fanout.channels.webpush import WebPushSender

__all__ = [
    "AppriseSender", "HasProviders", "LiveSender", "Poster", "Sender", "Sent", "WebPushSender", "WebhookSender",
]  # fmt: skip
