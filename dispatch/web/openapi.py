"""The OpenAPI 3.1 document, made from the table of routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NotRequired

from pydantic import BaseModel, TypeAdapter
from typing_extensions import TypedDict

from dispatch.web.endpoint import KEY_HEADER, Route
from dispatch.web.problems import PROBLEM

Json = dict[str, Any]

PATH_NAME = re.compile(r"\{(\w+)\}")
API_VERSION = "1"
MODELS = "#/components/schemas/{model}"


class Problem(TypedDict):
    """RFC 9457: what is wrong, with which field and value, and what to do about it."""

    type: str
    title: str
    status: int
    detail: str
    field: NotRequired[str]
    errors: NotRequired[list[dict[str, str]]]
    retry_after: NotRequired[float]


def document(routes: Iterable[Route]) -> Json:
    """The OpenAPI document of `routes`."""
    routes = list(routes)
    models: dict[Any, TypeAdapter[Any]] = {Problem: TypeAdapter(Problem)}
    for route in routes:
        for model in (route.body, route.answer):
            if model is not None and route.media == "application/json":
                models.setdefault(_key(model), TypeAdapter(model))
    schemas, definitions = TypeAdapter.json_schemas(
        [(key, "validation", adapter) for key, adapter in models.items()], ref_template=MODELS
    )
    by_model = {key: schema for (key, _mode), schema in schemas.items()}
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_model)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Dispatch 一呼多应",
            "version": API_VERSION,
            "description": "One call, many responders. Every error is an RFC 9457 problem document.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "responses": {"Problem": {"description": "What is wrong", "content": _content(by_model[Problem], PROBLEM)}},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "page": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Dispatch-As",
                    "description": "`role:subject`: use that identity's cookie, set by POST /v1/session",
                },
            },
        },
    }


def _key(model: Any) -> Any:
    return model if isinstance(model, type) else str(model)


def _operation(route: Route, schemas: dict[Any, Json]) -> Json:
    known = route.media == "application/json"
    content = _content(schemas[_key(route.answer)] if known else {"type": "string"}, route.media)
    operation: Json = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": {
            str(route.status): {"description": "As asked", "content": content},
            **{status: {"$ref": "#/components/responses/Problem"} for status in _refusals(route)},
        },
        "security": [] if route.open else [{"token": []}, {"page": []}],
    }
    if route.roles:
        operation["description"] = f"For: {', '.join(sorted(route.roles))}."
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(schemas[_key(route.body)])}
    return operation


def _operation_id(route: Route) -> str:
    words = re.findall(r"[a-z0-9]+", PATH_NAME.sub(r"\1", route.path.removeprefix("/v1")))
    return "_".join([route.method.lower(), *words])


def _parameters(route: Route) -> list[Json]:
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in PATH_NAME.findall(route.path)
    ]
    if route.query is not None:
        found += _query(route.query)
    if route.method == "POST":
        found.append(
            {
                "name": KEY_HEADER,
                "in": "header",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
                "description": "The same request with the same key is carried out once",
            }
        )
    return found


def _query(model: type[BaseModel]) -> list[Json]:
    schema = model.model_json_schema(ref_template=MODELS)
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": field}
        for name, field in schema["properties"].items()
    ]


def _refusals(route: Route) -> list[str]:
    refusals = {"429", "500", "503"}
    if not route.open or "{link}" in route.path or "session" in route.path:
        refusals |= {"401", "403"}
    if route.query or route.body or route.method == "POST":
        refusals |= {"400"}
    if route.body:
        refusals |= {"408", "413", "415"}
    if "{" in route.path or route.path == "/v1/alarms":
        refusals |= {"404"}
    if route.method == "POST" and ("cases" in route.path or "{link}" in route.path):
        refusals |= {"409", "403"}
    return sorted(refusals)


def _content(schema: Json, media: str = "application/json") -> Json:
    return {media: {"schema": schema}}
