"""Bad input gets a clear answer: an RFC 9457 problem document that names the field, the value and the way out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient
from multidict import CIMultiDict
from structlog.testing import capture_logs

from dispatch.cases import Case, CaseDesk
from dispatch.web import reading, routes
from dispatch.web.middlewares import observed
from dispatch.web.openapi import document
from dispatch.web.parts import PARTS
from tests.integration.web_world import World
from tests.waiting import until

Client = TestClient[Any, Any]
JSON = {"Content-Type": "application/json"}


async def problem(response: Any, status: int) -> dict[str, Any]:
    body = await response.json(content_type="application/problem+json")
    assert (response.status, body["status"]) == (status, status)
    assert body["type"].startswith("urn:dispatch:problem:")
    assert body["title"]
    assert body["detail"]
    return dict(body)


async def test_an_unknown_address_is_a_problem(client: Client) -> None:
    await problem(await client.get("/v1/nothing"), 404)
    await problem(await client.get("/favicon.ico"), 404)


async def test_an_unknown_address_is_a_page_for_a_browser_alone(client: Client) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    for path in ("/nothing", "/desk/not%20a%20name", "/static/nothing.css"):
        async with client.get(path, headers=browser) as response:
            assert (response.status, response.content_type) == (404, "text/html")
            assert 'href="tel:110"' in await response.text()
        for accept in ("*/*", "application/json"):
            await problem(await client.get(path, headers={"Accept": accept}), 404)
    await problem(await client.post("/nothing", headers=browser), 404)


async def test_a_wrong_method_names_those_that_are_right(client: Client) -> None:
    response = await client.put("/v1/alarms", json={})
    assert (await problem(response, 405))["allowed"] == ["POST"]
    assert response.headers["Allow"] == "POST"


async def test_a_body_that_is_not_json_is_refused_by_its_type(client: Client, operator: dict[str, str]) -> None:
    response = await client.post("/v1/cases/h-1-ABCDEFGH/notes", data={"text": "x"}, headers=operator)
    await problem(response, 415)


@pytest.mark.parametrize(
    ("type_", "body"), [(None, b""), ("application/x-www-form-urlencoded", b'{"kind": "fire", "battery": 9}')]
)
async def test_an_alarm_is_not_refused_for_the_type_of_its_body(
    type_: str | None, body: bytes, client: Client, village: World
) -> None:
    headers = await village.bearer("device", "h-1") | ({"Content-Type": type_} if type_ else {})
    async with client.post("/v1/alarms", data=body, headers=headers) as response:
        assert response.status == 202


BAD_JSON = {
    "half": b'{"kind": ',
    "a key twice": b'{"kind": "help", "kind": "fire"}',
    "NaN": b'{"pressed_at": NaN}',
    "infinity": b'{"pressed_at": -Infinity}',
    "nested without end": b'{"kind": ' + b"[" * 3000,
    "not UTF-8": b'{"kind": "\xff\xfe"}',
    "a list": b"[]",
    "null": b"null",
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON.keys())
async def test_bad_json_is_named(body: bytes, client: Client, village: World) -> None:
    headers = {**JSON, **await village.bearer("device", "h-1")}
    assert (await problem(await client.post("/v1/alarms", data=body, headers=headers), 400))["field"]


async def test_every_wrong_field_is_named_with_its_value_and_the_way_out(
    client: Client, case: Case, operator: dict[str, str]
) -> None:
    body = {"answer": "perhaps", "eta_minutes": 241, "extra": 1}
    found = await problem(await client.post(f"/v1/cases/{case.id}/replies", json=body, headers=operator), 400)
    errors = {error["field"]: error for error in found["errors"]}
    assert errors.keys() == {"answer", "eta_minutes", "extra"}
    assert errors["eta_minutes"]["value"] == "241"
    assert "240" in errors["eta_minutes"]["way_out"]


@pytest.mark.parametrize("minutes", [-1, 241, 1.5, "5", True, 10**30])
async def test_minutes_are_whole_and_between_0_and_240(
    minutes: Any, client: Client, village: World, case: Case
) -> None:
    headers = await village.bearer("responder", "p-1")
    body = {"answer": "going", "eta_minutes": minutes}
    await problem(await client.post(f"/v1/cases/{case.id}/replies", json=body, headers=headers), 400)


async def test_minutes_go_with_going_alone(client: Client, village: World, case: Case) -> None:
    headers = await village.bearer("responder", "p-1")
    body = {"answer": "cannot", "eta_minutes": 3}
    await problem(await client.post(f"/v1/cases/{case.id}/replies", json=body, headers=headers), 400)


@pytest.mark.parametrize(
    "text",
    ["", "x" * 2001, "a\x00b", "a\x1b[31mb", "a\u202eb", "a\x85b"],
    ids=["empty", "long", "nul", "esc", "rlo", "nel"],
)
async def test_texts_are_short_and_plain(text: str, client: Client, case: Case, operator: dict[str, str]) -> None:
    await problem(await client.post(f"/v1/cases/{case.id}/notes", json={"text": text}, headers=operator), 400)


async def test_a_long_chinese_note_is_taken_whole(client: Client, case: Case, operator: dict[str, str]) -> None:
    text = "警" * 1999 + "\n"
    shown = await (await client.post(f"/v1/cases/{case.id}/notes", json={"text": text}, headers=operator)).json()
    assert shown["notes"][0]["text"] == text


async def test_what_is_too_large_is_refused_whether_it_says_so_or_not(client: Client, village: World) -> None:
    headers = {**JSON, **await village.bearer("device", "h-1")}
    body = b'{"kind": "' + b"x" * 5000 + b'"}'

    async def unannounced() -> AsyncIterator[bytes]:
        yield body

    for data in (body, unannounced()):
        assert (await problem(await client.post("/v1/alarms", data=data, headers=headers), 413))["limit"] == 4096


async def test_a_body_that_drips_is_given_up(client: Client, village: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BODY_SECONDS", 0.2)
    release = asyncio.Event()

    async def dripping() -> AsyncIterator[bytes]:
        yield b'{"kind"'
        await release.wait()
        yield b': "fire"}'

    headers = {**JSON, **await village.bearer("device", "h-1")}
    asyncio.get_running_loop().call_later(1.5, release.set)
    with contextlib.suppress(ConnectionError):
        await problem(await client.post("/v1/alarms", data=dripping(), headers=headers), 408)


async def test_a_query_is_checked_like_a_body(client: Client, operator: dict[str, str]) -> None:
    for query in ("status=now", "limit=0", "limit=201", "color=red", "status=open&status=closed", "area=../x"):
        await problem(await client.get(f"/v1/cases?{query}", headers=operator), 400)
    await problem(await client.get("/v1/cases/h-1-ABCDEFGH/timeline?min_seq=-1", headers=operator), 400)
    await problem(await client.get("/v1/live", headers={**operator, "Last-Event-ID": "1e9"}), 400)


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel"])
async def test_an_idempotency_key_is_plain_and_no_alarm_is_refused_for_it(
    key: str, client: Client, village: World, case: Case, operator: dict[str, str]
) -> None:
    note = await client.post(
        f"/v1/cases/{case.id}/notes", json={"text": "x"}, headers={**operator, "Idempotency-Key": key}
    )
    assert (await problem(note, 400))["field"] == "Idempotency-Key"
    headers = {**await village.bearer("device", "h-1"), "Idempotency-Key": key}
    for _ in range(2):
        accepted = await client.post("/v1/alarms", json={}, headers=headers)
        assert (accepted.status, (await accepted.json())["duplicate"]) == (202, False)


@pytest.mark.parametrize("error", [LookupError, ConnectionResetError])  # the latter of ours, and not of the caller
async def test_our_own_fault_tells_nothing_but_its_number(
    client: Client, case: Case, operator: dict[str, str], monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    async def broken(*_: object) -> None:
        raise error("the secret inside")

    monkeypatch.setattr(CaseDesk, "load", broken)
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        response = await client.get(f"/v1/cases/{case.id}", headers=operator)
    found = await problem(response, 500)
    assert "secret" not in await response.text()
    fault = next(line for line in logs if line["event"] == "http.fault")
    assert fault["request"] == found["request"] == response.headers["Request-Id"]


async def test_who_hangs_up_within_a_request_is_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """On a server as it runs: that of the test client cancels what the caller has left."""

    async def read(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app = web.Application(middlewares=[observed])
    app.router.add_post("/", read)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with capture_logs() as logs:
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n{")
        assert b"100 Continue" in await reader.readline()
        writer.transport.abort()

        def answered() -> list[int]:
            return [line["status"] for line in logs if line["event"] == "http.answered"]

        await until(answered, "the request to end")
        await runner.cleanup()
    assert answered() == [499]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_request_s_line_in_the_log_holds_no_secret(client: Client, village: World, case: Case) -> None:
    link = village.links.make(case.id, next(iter(case.called()))).rpartition("/r/")[2]
    secret = await village.token("operator", "wang")
    headers = {"Authorization": f"Bearer {secret}"}
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        await client.get(f"/r/{link}/case")
        await client.get(f"/v1/cases/{case.id}?as=operator:wang", headers=headers)
        await client.get(f"/{secret}")
    text = repr(logs)
    assert link not in text
    assert secret not in text
    lines = [line for line in logs if line["event"] == "http.answered"]
    assert [line["route"] for line in lines] == ["/r/{link}/case", "/v1/cases/{id}", "unknown"]
    assert lines[1]["case"] == case.id


async def test_every_answer_has_the_headers_that_protect_it(client: Client, operator: dict[str, str]) -> None:
    for path in ("/", "/v1/me", "/v1/nothing", "/static/css/base.css"):
        response = await client.get(path, headers=operator)
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == ("no-store" if "/v1" in path else "no-cache")


async def test_no_path_leads_out_of_the_static_folder(client: Client) -> None:
    for hostile in ("../server.py", "..%2fserver.py", "%2e%2e/server.py", "/etc/passwd", "css/../../server.py", "css"):
        reader, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(f"GET /static/{hostile} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        assert answer.split()[1] == b"404", hostile


async def test_a_header_cannot_be_put_into_an_answer(client: Client) -> None:
    response = await client.get("/desk/wang%0d%0aSet-Cookie:%20a=b", allow_redirects=False)
    await problem(response, 404)
    assert "Set-Cookie" not in response.headers


async def test_headers_without_end_are_refused(client: Client) -> None:
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 60_000 + b"\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.split()[1] == b"400"


async def test_a_static_file_is_sent_again_only_when_it_changed(client: Client) -> None:
    first = await client.get("/static/css/base.css")
    assert first.content_type == "text/css"
    again = await client.get("/static/css/base.css", headers=CIMultiDict({"If-None-Match": first.headers["ETag"]}))
    assert again.status == 304


async def test_the_service_worker_may_serve_every_page(client: Client) -> None:
    response = await client.get("/sw.js")
    assert (response.status, response.content_type) == (200, "text/javascript")
    assert response.headers["Service-Worker-Allowed"] == "/"


async def test_a_responder_s_manifest_opens_their_own_page(client: Client) -> None:
    response = await client.get("/manifest/p-1.webmanifest")
    assert response.content_type == "application/manifest+json"
    body = await response.json(content_type=None)
    assert body["start_url"] == "/responder/p-1"
    for icon in body["icons"]:
        assert (await client.get(icon["src"])).status == 200
    assert body["icons"]
    await problem(await client.get("/manifest/..%2fx.webmanifest"), 404)


async def test_health_readiness_and_metrics(client: Client, village: World, operator: dict[str, str]) -> None:
    assert await (await client.get("/healthz")).json() == {"status": "up"}
    await client.app[PARTS].board.ready()
    ready = await (await client.get("/readyz")).json()
    assert (ready["status"], ready["postgres"], ready["board"]) == ("ready", "up", "caught_up")
    text = await (await client.get("/metrics", headers=await village.bearer("monitor", "prom"))).text()
    assert 'dispatch_http_requests_total{method="GET",route="/healthz",status="200"}' in text
    assert (await client.get("/v1/openapi.json", headers=operator)).status == 200


async def test_the_document_is_made_once_however_often_anybody_asks(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []

    def counted(table: Any) -> dict[str, Any]:
        made.append(table)
        return document(table)

    monkeypatch.setattr(routes, "document", counted)
    routes.described.cache_clear()
    answers = [await (await client.get("/v1/openapi.json")).text() for _ in range(3)]
    assert (len(set(answers)), len(made)) == (1, 1)
