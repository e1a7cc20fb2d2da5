"""Nobody reads what is not theirs: every route, every role, and what a browser may do for another site."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient

from dispatch.cases import Case
from dispatch.clock import now
from dispatch.errors import TooFrequent
from dispatch.events import DeadLetter
from dispatch.web import access
from dispatch.web.endpoint import Route
from dispatch.web.routes import ROUTES
from tests.integration.web_world import World

SUBJECTS = {"device": "h-1", "responder": "p-1", "operator": "wang", "monitor": "prom"}
CLOSED = [route for route in ROUTES if not route.open]
Client = TestClient[Any, Any]


def path_of(route: Route, case: str = "h-1-ABCDEFGH") -> str:
    return route.path.format(id=case, notification="A" * 26, link="forged", seq="9999999", person="p-1")


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_no_route_is_open_but_those_that_must_be() -> None:
    """To sign in, what a link in a call opens, and what says of the system itself how it is and what it can do."""
    assert {name_of(route) for route in ROUTES if route.open} == {
        "POST /v1/session",
        "GET /r/{link}/case",
        "POST /r/{link}",
        "POST /r/{link}/receipt",
        "GET /healthz",
        "GET /readyz",
        "GET /v1/openapi.json",
    }


async def test_without_a_token_a_closed_route_answers_401(client: Client) -> None:
    for route in CLOSED:
        response = await client.request(route.method, path_of(route), json={} if route.body else None)
        assert response.status == 401, name_of(route)
        assert response.content_type == "application/problem+json", name_of(route)
        assert response.headers["WWW-Authenticate"] == "Bearer", name_of(route)


@pytest.mark.parametrize("route", CLOSED, ids=name_of)
async def test_a_closed_route_answers_its_roles_and_no_other(
    route: Route, client: Client, village: World, case: Case
) -> None:
    body: dict[str, object] | None = {} if route.body else None
    for role, subject in SUBJECTS.items():
        headers = await village.bearer(role, subject)
        async with client.request(route.method, path_of(route, case.id), json=body, headers=headers) as response:
            if role in route.roles:
                assert response.status not in {401, 403}, role
                assert response.status < 500, role
            else:
                assert response.status == 403, role
                assert (await response.json())["role"] == role


OTHERS = [
    ("device", "h-2", None),
    ("responder", "p-3", None),
    ("operator", "li", "v-2"),
]


@pytest.mark.parametrize("stranger", OTHERS, ids=lambda one: f"{one[0]} of {one[2] or one[1]}")
async def test_a_case_of_others_is_as_one_that_is_not_there(
    stranger: tuple[str, str, str | None], client: Client, village: World, case: Case
) -> None:
    headers = await village.bearer(*stranger)
    role: Any = stranger[0]
    absent = "h-1-ZZZZZZZZ"
    for route in CLOSED:
        if not route.path.startswith("/v1/cases/{id}") or role not in route.roles:
            continue
        bodies: dict[str, dict[str, object]] = {
            "replies": {"answer": "going", "responder": None},
            "notes": {"text": "x"},
            "resolve": {"resolution": "helped"},
            "calls": {"responder": "p-3"},
            "left-out": {"person": "p-3", "reason": "x"},
        }
        body = bodies.get(route.path.rpartition("/")[2], {})
        answers = []
        for case_id in (case.id, absent):
            async with client.request(
                route.method, path_of(route, case_id), json=body if route.body else None, headers=headers
            ) as response:
                problem = await response.json()
                answers.append((response.status, problem["title"], problem["detail"].replace(case_id, "…")))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
    assert (await village.desk.load(case.id)).seq == case.seq


async def test_an_operator_of_a_larger_area_sees_the_case(client: Client, village: World, case: Case) -> None:
    for area in ("v-1", "t-1", None):
        headers = await village.bearer("operator", "zhao", area)
        assert (await client.get(f"/v1/cases/{case.id}", headers=headers)).status == 200


async def test_a_case_id_that_cannot_be_one_is_not_found(client: Client, village: World) -> None:
    headers = await village.bearer("operator", "wang")
    for hostile in ("x", "h-1-", "%00", "..%2f..%2fetc", "h.>-ABCDEFGH", "*", "a" * 400):
        assert (await client.get(f"/v1/cases/{hostile}", headers=headers)).status == 404


async def test_an_operator_cannot_list_another_area(client: Client, village: World) -> None:
    headers = await village.bearer("operator", "li", "v-2")
    assert (await client.get("/v1/cases?area=v-1", headers=headers)).status == 404
    assert (await client.get("/v1/latency?area=t-1", headers=headers)).status == 404
    assert (await client.get("/v1/cases?area=v-2", headers=headers)).status == 200
    above = await village.bearer("operator", "sun", "t-1")
    assert (await client.get("/v1/cases?area=v-1", headers=above)).status == 200


async def test_a_device_presses_for_its_own_household_alone(client: Client, village: World) -> None:
    headers = await village.bearer("device", "h-1")
    other = await client.post("/v1/alarms", json={"household": "h-2"}, headers=headers)
    assert other.status == 403
    own = await client.post("/v1/alarms", json={"household": "h-1"}, headers=headers)
    assert own.status == 202


async def test_an_operator_presses_only_for_households_of_their_area(client: Client, village: World) -> None:
    foreign, own = await village.bearer("operator", "li", "v-2"), await village.bearer("operator", "sun", "t-1")
    assert (await client.post("/v1/alarms", json={"household": "h-1"}, headers=foreign)).status == 404
    assert (await client.post("/v1/alarms", json={"household": "h-404"}, headers=own)).status == 404
    assert (await client.post("/v1/alarms", json={}, headers=own)).status == 400
    assert (await client.post("/v1/alarms", json={"household": "h-1"}, headers=own)).status == 202


async def test_a_responder_answers_for_nobody_else(client: Client, village: World, case: Case) -> None:
    headers = await village.bearer("responder", "p-1")
    body = {"answer": "going", "responder": "p-2"}
    assert (await client.post(f"/v1/cases/{case.id}/replies", json=body, headers=headers)).status == 403


class TestCookies:
    """What a browser that is signed in does by itself must change nothing."""

    @pytest.fixture
    async def browser(self, client: Client, village: World) -> Client:
        token = await village.token("device", "h-1")
        response = await client.post("/v1/session", json={"token": token})
        assert await response.json() == {"role": "device", "subject": "h-1", "page": "/resident/h-1"}
        cookie = response.cookies["dispatch_device_h-1"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
        assert not cookie["secure"]
        return client

    async def test_a_changing_request_needs_the_header(self, browser: Client) -> None:
        assert (await browser.post("/v1/alarms", json={})).status == 401
        assert (await browser.post("/v1/alarms?as=device:h-1", json={})).status == 401
        assert (await browser.post("/v1/alarms", json={}, headers={"Dispatch-As": "device:h-1"})).status == 202

    async def test_a_read_may_name_the_identity_in_the_query(self, browser: Client) -> None:
        assert (await browser.get("/v1/me")).status == 401
        me = await (await browser.get("/v1/me?as=device:h-1")).json()
        assert (me["name"], me["household"], me["area"]) == ("李家", "h-1", "v-1")

    async def test_another_site_s_origin_is_refused(self, browser: Client) -> None:
        own = str(browser.make_url("/")).rstrip("/")
        for origin, status in (("https://evil.example", 403), ("null", 403), (own, 202)):
            headers = {"Dispatch-As": "device:h-1", "Origin": origin}
            assert (await browser.post("/v1/alarms", json={}, headers=headers)).status == status

    async def test_another_site_cannot_sign_a_browser_in(self, client: Client, village: World) -> None:
        token = await village.token("device", "h-1")
        foreign = {"Origin": "https://evil.example"}
        assert (await client.post("/v1/session", json={"token": token}, headers=foreign)).status == 403
        plain = await client.post("/v1/session", data='{"token": "x"}', headers={"Content-Type": "text/plain"})
        assert plain.status == 415

    async def test_one_identity_s_cookie_is_not_another_s(self, browser: Client, village: World) -> None:
        stolen = {"dispatch_operator_wang": await village.token("device", "h-1")}
        response = await browser.get("/v1/me?as=operator:wang", cookies=stolen)
        assert response.status == 401

    async def test_an_identity_that_cannot_be_is_refused(self, browser: Client) -> None:
        for hostile in ("device", "device:", "root:h-1", "device:h-1;x=y", "device:../h-1", "device:h 1"):
            assert (await browser.get("/v1/me", headers={"Dispatch-As": hostile})).status == 401

    async def test_signing_out_forgets_the_cookie(self, browser: Client) -> None:
        headers = {"Dispatch-As": "device:h-1"}
        assert (await browser.delete("/v1/session")).status == 401
        assert (await browser.delete("/v1/session", headers=headers)).status == 200
        assert (await browser.get("/v1/me", headers=headers)).status == 401

    async def test_a_page_is_for_its_own_identity(self, browser: Client) -> None:
        own = await browser.get("/resident/h-1", allow_redirects=False)
        assert (own.status, own.content_type) == (200, "text/html")
        for other in ("/resident/h-2", "/desk/wang", "/responder/p-1"):
            response = await browser.get(other, allow_redirects=False)
            assert (response.status, response.headers["Location"]) == (302, f"/?next={other}")


async def test_a_revoked_token_opens_nothing(client: Client, village: World) -> None:
    issued = await village.tokens.issue("operator", "chen")
    headers = {"Authorization": f"Bearer {issued.secret}"}
    assert (await client.get("/v1/me", headers=headers)).status == 200
    await village.tokens.revoke(issued.token_id)
    assert (await client.get("/v1/me", headers=headers)).status == 401


async def test_failed_sign_ins_are_limited_and_hold_nobody_else_up(
    client: Client, village: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "FAILURES", 3)
    statuses = [(await client.post("/v1/session", json={"token": f"guess-{n}"})).status for n in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    bearer = await client.get("/v1/me", headers={"Authorization": "Bearer nonsense"})
    assert bearer.status == 429
    assert 1 <= int(bearer.headers["Retry-After"]) <= 60
    good = await village.bearer("device", "h-1")
    assert (await client.post("/v1/alarms", json={}, headers=good)).status == 202


async def test_failures_are_forgotten_after_a_while() -> None:
    time = 0.0
    failures = access.Failures(lambda: time)
    for _ in range(access.FAILURES):
        failures.add("a")
    with pytest.raises(TooFrequent):
        failures.add("a")
    failures.add("b")
    time = access.FAILURE_SECONDS + 1
    failures.add("a")


async def test_an_area_operator_reads_no_dead_letter_s_content(client: Client, village: World) -> None:
    letter = DeadLetter(
        by="fanout",
        reason="not a press",
        stream="INTAKE",
        subject=f"intake.press.{village.site}.h-1",
        seq=1,
        at=now(),
        headers={},
        body=b"oops",
    )
    await village.nc.jetstream().publish(f"dlq.{village.site}.fanout", msgspec.json.encode(letter))
    for area, reason, body in ((None, "not a press", "oops"), ("v-1", "", "")):
        headers = await village.bearer("operator", "wang", area)
        found = (await (await client.get("/v1/dlq", headers=headers)).json())["letters"]
        assert [(one["reason"], one["body"], bool(one["subject"])) for one in found] == [(reason, body, area is None)]
