"""The web application, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from dispatch.web.api.operations import READINESS, readiness
from dispatch.web.endpoint import register
from dispatch.web.middlewares import observed, secured
from dispatch.web.pages import add_pages
from dispatch.web.parts import PARTS, assemble
from dispatch.web.ports import WebDeps
from dispatch.web.routes import ROUTES

MAX_BODY = 64 * 1024


def make_web_app(deps: WebDeps) -> web.Application:
    """The application that serves API, live stream and pages with what `deps` gives it.

    Its live board runs from the application's start-up to its clean-up; a shutdown ends every open stream at once.
    """
    app = web.Application(middlewares=[observed], client_max_size=MAX_BODY)
    parts = app[PARTS] = assemble(deps)
    app[READINESS] = readiness(parts)
    register(app, ROUTES)
    add_pages(app)
    app.cleanup_ctx.append(_running)
    app.on_shutdown.append(_close_pages)
    app.on_response_prepare.append(secured)
    return app


async def _running(app: web.Application) -> AsyncIterator[None]:
    parts = app[PARTS]
    async with parts.rings, parts.board:
        yield


async def _close_pages(app: web.Application) -> None:
    app[PARTS].board.close_pages()
