"""What happens around every request: ids, one line in the log, metrics, and errors as problem documents."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from time import perf_counter

import structlog
from aiohttp import web
from structlog.contextvars import bound_contextvars

from dispatch.errors import DispatchError
from dispatch.web.metrics import REQUESTS, SECONDS
from dispatch.web.pages import asks_for_a_page, no_such_page
from dispatch.web.problems import Fault, of_http, problem_response

log = structlog.get_logger()

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]
REQUEST_ID = web.RequestKey("request_id", str)
CALLER_HAS_GONE = 499
"""As nginx writes it down ("client closed request")."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@web.middleware
async def observed(request: web.Request, handler: Next) -> web.StreamResponse:
    """Give the request an id, and write one line about it that holds no token and no link's secret."""
    began, route = perf_counter(), route_of(request)
    ids = {"request": secrets.token_hex(8)}
    request[REQUEST_ID] = ids["request"]
    if "/cases/" in route:
        ids["case"] = request.match_info.get("id", "")[:80]
    with bound_contextvars(**ids):
        response = await _answered(request, handler)
        seconds = perf_counter() - began
        REQUESTS.labels(request.method if route != UNKNOWN else "-", route, str(response.status)).inc()
        if response.content_type != "text/event-stream":
            SECONDS.labels(request.method if route != UNKNOWN else "-", route).observe(seconds)
        log.info(
            "http.answered",
            method=request.method[:20],
            route=route,
            status=response.status,
            ms=round(seconds * 1000, 1),
            remote=request.remote,
        )
    return response


async def _answered(request: web.Request, handler: Next) -> web.StreamResponse:
    try:
        return await handler(request)
    except DispatchError as error:
        return _refusal(_public(error, request), request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _refusal(of_http(error, request), request)
    except Exception as error:
        if isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing()):
            return web.Response(status=CALLER_HAS_GONE)  # for the log and the counters: nobody is left to read it
        log.exception("http.fault")
        return problem_response(_fault(request))


def _refusal(error: DispatchError, request: web.Request) -> web.Response:
    return no_such_page() if error.status == 404 and asks_for_a_page(request) else problem_response(error)


def _public(error: DispatchError, request: web.Request) -> DispatchError:
    """Only what is meant for callers goes to callers: a refusal, or that something is away."""
    if error.status != 500:
        return error
    log.error("http.fault", reason=error.detail)
    return _fault(request)


def _fault(request: web.Request) -> Fault:
    return Fault(
        "this is our mistake, and it is written down; try again, and report the request id", request=request[REQUEST_ID]
    )


async def secured(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that every answer has."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    if (request_id := request.get(REQUEST_ID)) is not None:
        response.headers["Request-Id"] = request_id


UNKNOWN = "unknown"


def route_of(request: web.Request) -> str:
    """The pattern of the request's path, e.g. `/r/{link}`: never the path itself, which may hold a secret."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else UNKNOWN
