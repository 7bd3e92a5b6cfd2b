"""The description of the service, by the OpenAPI specification 3.1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..runtime.model import Model

JSON = "application/json"


def describe(model: Model, name: str, version: str) -> dict[str, Any]:
    """The OpenAPI document of a model's service.

    Parameters
    ----------
    model : Model
    name : str
        The file's name.
    version : str
        That of dcz.
    """
    refusals = {
        "400": _answer("The body is not what is expected, or does not fit the network.", _error()),
        "408": _answer("The body does not come.", _error()),
        "413": _answer("The body, its image or its array is too large.", _error()),
        "429": _answer("Too many requests at a time; try again.", _error()),
    }
    image = {
        kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/*", "application/octet-stream")
    }
    prediction = _object(label={"type": "string"}, index={"type": "integer"}, score={"type": ["number", "null"]})
    classify = {
        "summary": "Classify an image, or the images or inputs in a .npy file",
        "parameters": [{"name": "top", "in": "query", "schema": {"type": "integer", "minimum": 1, "default": 5}}],
        "requestBody": {"required": True, "content": image},
        "responses": {
            "200": _answer("The best classes, for each image.", _object(predictions=_list(_list(prediction))))
        }
        | refusals,
    }
    run = {
        "summary": "Run the network on arrays",
        "requestBody": {"required": True, "content": {JSON: {"schema": _object(inputs=_arrays(model.input_shapes))}}},
        "responses": {"200": _answer("The outputs.", _object(outputs=_arrays(model.output_shapes)))} | refusals,
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": version},
        "paths": {
            "/classify": {"post": classify},
            "/run": {"post": run},
            "/health": {
                "get": {
                    "summary": "Whether the service answers",
                    "responses": {"200": _answer("It does.", {"type": "object"})},
                }
            },
            "/metrics": {"get": {"summary": "Figures for Prometheus", "responses": {"200": {"description": "Text."}}}},
        },
    }


def _arrays(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    return _object(**{name: _list({"description": f"shape {shape}"}) for name, shape in shapes.items()})


def _answer(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {JSON: {"schema": schema}}}


def _error() -> dict[str, Any]:
    return _object(error={"type": "string"})


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}
