"""Every error as an RFC 9457 problem document."""

from __future__ import annotations

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from dispatch.errors import DispatchError, NotFound, NotSignedIn, Oversized, Refused, TooFrequent, Unavailable

PROBLEM = "application/problem+json"


class WrongMethod(Refused):
    """The address is right, the method is not; `allowed` are those that are."""

    type, title, status = "wrong-method", "Wrong method / 请求方法不对", 405

    def __init__(self, method: str, allowed: set[str]) -> None:
        self.allowed = sorted(allowed)
        super().__init__(f"{method[:20]} is not possible here: use {', '.join(self.allowed)}", allowed=self.allowed)


class TooSlow(Refused):
    """The body did not arrive in time."""

    type, title, status = "too-slow", "Too slow / 发送过慢", 408


class WrongContentType(Refused):
    """The body is of another kind than is read here."""

    type, title, status = "wrong-content-type", "Wrong content type / 内容类型不对", 415


class Fault(DispatchError):
    """Our mistake. What it was stands in the log under `request`, and nowhere else."""

    type, title, status = "fault", "Our mistake / 系统内部错误", 500


def problem_response(error: DispatchError) -> web.Response:
    """The answer that tells a caller about `error`."""
    headers: CIMultiDict[str] = CIMultiDict()
    if isinstance(error, TooFrequent):
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    elif isinstance(error, Unavailable):
        headers["Retry-After"] = "1"
    elif isinstance(error, NotSignedIn):
        headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, WrongMethod):
        headers["Allow"] = ", ".join(error.allowed)
    return web.Response(
        status=error.status, body=msgspec.json.encode(printable(error.problem())), content_type=PROBLEM, headers=headers
    )


def printable(value: object) -> object:
    """`value` with lone surrogates replaced, which no encoder of JSON may write."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {str(printable(k)): printable(v) for k, v in value.items()}
        case list() | tuple():
            return [printable(v) for v in value]
        case _:
            return value


def of_http(error: web.HTTPException, request: web.Request) -> DispatchError:
    """What aiohttp refuses by itself, in our words."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return WrongMethod(error.method, set(error.allowed_methods))
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return Oversized("the body is larger than is ever needed; send less", field="body")
    if error.status == 404:
        return NotFound(f"there is nothing at {request.path[:80]!r}; GET /v1/openapi.json lists what there is")
    problem = Refused(error.reason or "refused")
    problem.status = error.status
    return problem
