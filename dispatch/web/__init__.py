"""The web: API, live stream, access and pages, on aiohttp."""

from dispatch.web.ahead import Ahead
from dispatch.web.ports import Accept, Accepted, ReadModels, WebDeps
from dispatch.web.server import make_web_app

__all__ = ["Accept", "Accepted", "Ahead", "ReadModels", "WebDeps", "make_web_app"]
