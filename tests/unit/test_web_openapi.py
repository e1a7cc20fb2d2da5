"""The table of routes and the document made from it."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from dispatch.errors import SetupError
from dispatch.web.endpoint import Route
from dispatch.web.openapi import document
from dispatch.web.routes import ROUTES


async def nothing(_request: Any) -> None:
    return None


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(document(ROUTES)).validate()


def test_every_route_is_in_the_document_with_its_security() -> None:
    paths = document(ROUTES)["paths"]
    for route in ROUTES:
        operation = paths[route.path][route.method.lower()]
        assert (operation["security"] == []) == route.open
        assert ("requestBody" in operation) == (route.body is not None)
        assert str(route.status) in operation["responses"]


def test_the_case_view_is_described_field_by_field() -> None:
    schemas = document(ROUTES)["components"]["schemas"]
    case = schemas["CaseView"]
    assert {"id", "seq", "status", "responders", "nearest_eta_at"} <= case["properties"].keys()
    assert "notes" not in case["required"]
    assert schemas["ResponderView"]["properties"]["state"]["enum"][0] == "owed"


def test_operation_ids_are_unique() -> None:
    ids = [o["operationId"] for methods in document(ROUTES)["paths"].values() for o in methods.values()]
    assert len(ids) == len(set(ids)) == len(ROUTES)


def test_a_route_without_roles_cannot_be_made() -> None:
    with pytest.raises(SetupError, match="must name its roles"):
        Route(method="GET", path="/v1/everything", handler=nothing, summary="", answer=str)


def test_an_open_route_with_roles_cannot_be_made() -> None:
    with pytest.raises(SetupError):
        Route(
            method="GET", path="/x", handler=nothing, summary="", answer=str, open=True, roles=frozenset({"operator"})
        )
