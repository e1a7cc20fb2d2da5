"""Pages: shells of HTML at their paths, and the files they are made of."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from dispatch.errors import NotFound, NotSignedIn
from dispatch.identifiers import TOKEN
from dispatch.web.access import cookie_name
from dispatch.web.api.session import PAGES
from dispatch.web.endpoint import json_response
from dispatch.web.parts import PARTS

STATIC = Path(__file__).with_name("static")

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
ICON_SIZES = {"icon-192.png": "192x192", "icon-512.png": "512x512", "icon.svg": "any", "favicon.svg": "any"}


def add_pages(app: web.Application) -> None:
    """Serve the pages in `app`. No path of a request ever becomes a path on the disk."""
    router = app.router
    for path in ("/", "/in"):
        router.add_get(path, _shell("sign-in.html"))
    router.add_get("/r/{link}", _shell("reply.html"))
    for role, page in PAGES.items():
        router.add_get(f"/{page}/{{subject}}", _own_page(role, f"{page}.html"))
    router.add_get("/desk/{subject}/report", _own_page("operator", "report.html"))
    router.add_get("/sw.js", _shell("sw.js", {"Service-Worker-Allowed": "/"}))
    router.add_get("/manifest/{responder}.webmanifest", _manifest)
    router.add_get("/static/{path:.+}", _static)


def file_response(name: str, headers: dict[str, str] | None = None) -> web.FileResponse:
    """The static file `name`, to be asked for again each time and sent only when it has changed (by its ETag).

    Raises `NotFound` unless `name` is that of a file in the folder.
    """
    path = _files().get(name)
    if path is None or not path.is_file():
        raise NotFound(f"there is no file {name[:80]!r}")
    content_type = CONTENT_TYPES.get(path.suffix, "application/octet-stream")
    return web.FileResponse(
        path, headers={"Content-Type": content_type, "Cache-Control": "no-cache", **(headers or {})}
    )


def asks_for_a_page(request: web.Request) -> bool:
    """Whether somebody opened an address in a browser: programs, ours on the pages among them, do not ask for HTML."""
    return request.method in {"GET", "HEAD"} and "text/html" in request.headers.get("Accept", "")


def no_such_page() -> web.Response:
    """The answer 404 for people: it says so in two languages and leads to the start page and to 110."""
    body = (STATIC / "not-found.html").read_bytes()
    return web.Response(status=404, body=body, content_type="text/html", charset="utf-8", headers={"Vary": "Accept"})


@cache
def _files() -> dict[str, Path]:
    return {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.is_file()}


def _shell(name: str, headers: dict[str, str] | None = None) -> Any:
    async def serve(_request: web.Request) -> web.FileResponse:
        return file_response(name, headers)

    return serve


def _own_page(role: str, name: str) -> Any:
    """The page of one identity, for the browser that is signed in as just that; else the way to the sign-in."""

    async def serve(request: web.Request) -> web.StreamResponse:
        subject = request.match_info["subject"]
        if not TOKEN.fullmatch(subject):
            raise NotFound(f"there is no page of {subject[:80]!r}")
        secret = request.cookies.get(cookie_name(role, subject))
        try:
            known = await request.app[PARTS].gate.check(request, secret) if secret else None
        except NotSignedIn:
            known = None
        if known is None or (known.role, known.subject) != (role, subject):
            raise web.HTTPFound(f"/?next={quote(request.path)}")
        return file_response(name)

    return serve


async def _static(request: web.Request) -> web.FileResponse:
    return file_response(request.match_info["path"])


async def _manifest(request: web.Request) -> web.Response:
    """The web app manifest with which one responder's page is installed (W3C Web Application Manifest)."""
    responder = request.match_info["responder"]
    if not TOKEN.fullmatch(responder):
        raise NotFound(f"there is no manifest of {responder[:80]!r}")
    page, files = f"/responder/{responder}", _files()
    response = json_response(
        {
            "id": page,
            "name": "一呼多应 Dispatch",
            "short_name": "一呼多应",
            "lang": "zh-CN",
            "start_url": page,
            "scope": "/",
            "display": "standalone",
            "background_color": "#0f1418",
            "theme_color": "#0f1418",
            "icons": [
                {"src": f"/static/icons/{name}", "sizes": sizes, "type": CONTENT_TYPES[Path(name).suffix]}
                for name, sizes in ICON_SIZES.items()
                if f"icons/{name}" in files
            ],
        }
    )
    response.headers["Content-Type"] = CONTENT_TYPES[".webmanifest"]
    return response
