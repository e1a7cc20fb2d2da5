"""Errors, named by what a caller can do about them.

`Refused` means that the request is wrong and will be wrong again; `Unavailable`
means that it is right and may be tried again. Both carry what RFC 9457 asks of a
problem: a stable type, a title, a detail for people, and fields for machines.
"""

from __future__ import annotations


class DispatchError(Exception):
    """Anything this project raises on purpose.

    `detail` says what is wrong with which value and what to do about it; `fields`
    are added to the problem document as they are.
    """

    type = "about:blank"
    title = "Something went wrong / 出错了"
    status = 500

    def __init__(self, detail: str, **fields: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields

    def problem(self) -> dict[str, object]:
        """The RFC 9457 problem document of this error."""
        return {
            **self.fields,
            "type": f"urn:dispatch:problem:{self.type}" if self.type != "about:blank" else self.type,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }


class Refused(DispatchError):
    """The request cannot be carried out as it stands; sending it again will not help."""

    type, title, status = "refused", "Refused / 拒绝", 422


class Malformed(Refused):
    """What was sent cannot be read, or a field of it is not what it should be."""

    type, title, status = "malformed", "Cannot be read / 内容有误", 400


class Oversized(Refused):
    """What was sent is larger than is ever needed."""

    type, title, status = "oversized", "Too large / 内容过大", 413


class NotSignedIn(Refused):
    """No token, or one that is unknown, expired or revoked."""

    type, title, status = "not-signed-in", "Not signed in / 未登录", 401


class Forbidden(Refused):
    """The token is good, but not for this."""

    type, title, status = "forbidden", "Not allowed / 无权访问", 403


class NotFound(Refused):
    """There is no such thing, or none that this token may see."""

    type, title, status = "not-found", "Not found / 未找到", 404


class Conflict(Refused):
    """The state of the case does not allow it (it is over, or has not begun)."""

    type, title, status = "conflict", "Not possible now / 当前无法执行", 409


class TooFrequent(Refused):
    """The same sender asked too often; `retry_after` is in seconds."""

    type, title, status = "too-frequent", "Too frequent / 过于频繁", 429

    def __init__(self, detail: str, retry_after: float, **fields: object) -> None:
        super().__init__(detail, retry_after=retry_after, **fields)
        self.retry_after = retry_after


class Unavailable(DispatchError):
    """A server that is needed does not answer; the same request may be sent again."""

    type, title, status = "unavailable", "Try again / 请重试", 503


class Unreadable(Malformed):
    """A stored message cannot be decoded; it belongs in the DLQ with this reason."""


class SetupError(DispatchError):
    """The installation is not right; `detail` says what to change."""

    type, title = "setup", "Not set up / 配置有误"
