"""The page that documents the interface, made of its OpenAPI document, without any script."""

from __future__ import annotations

from html import escape
from typing import Any

__all__ = ["docs_page"]


def docs_page(document: dict[str, Any]) -> str:
    """All routes with what they take and give, and all models with their fields."""
    routes = "".join(
        _route(path, method, one)
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    )
    schemas = document.get("components", {}).get("schemas", {})
    models = "".join(_model(name, schema) for name, schema in sorted(schemas.items()))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Parsimony {escape(document['info']['version'])}: HTTP interface</title></head>"
        f"<body><main><h1>HTTP interface</h1><p>{escape(document['info']['description'])} "
        f'The same as data: <a href="/api/v1/openapi.json">openapi.json</a>.</p>'
        f"<h2>Routes</h2>{routes}<h2>Models</h2>{models}</main></body></html>"
    )


def _route(path: str, method: str, one: dict[str, Any]) -> str:
    given = [
        f"<li><code>{escape(p['name'])}</code> in the {escape(p['in'])}: {_type(p['schema'])}"
        f"{' (needed)' if p.get('required') else ''}</li>"
        for p in one.get("parameters", ())
    ]
    for where, part in (("body", one.get("requestBody")), ("answer", _ok(one))):
        schema = (part or {}).get("content", {}).get("application/json", {}).get("schema")
        if schema:
            given.append(f"<li>{where}: {_type(schema)}</li>")
    return (
        f"<section><h3><code>{escape(method.upper())} {escape(path)}</code></h3>"
        f"<p>{escape(one.get('description', ''))}</p><ul>{''.join(given)}</ul></section>"
    )


def _ok(one: dict[str, Any]) -> dict[str, Any]:
    replies: dict[str, Any] = one.get("responses", {})
    found: dict[str, Any] = next((r for code, r in replies.items() if code.startswith("2")), {})
    return found


def _model(name: str, schema: dict[str, Any]) -> str:
    needed = set(schema.get("required", ()))
    rows = "".join(
        f"<li><code>{escape(key)}</code>: {_type(part)}{' (needed)' if key in needed else ''} "
        f"{escape(part.get('description', ''))}</li>"
        for key, part in schema.get("properties", {}).items()
    )
    return (
        f'<section id="{escape(name)}"><h3>{escape(name)}</h3>'
        f"<p>{escape(schema.get('description', ''))}</p><ul>{rows}</ul></section>"
    )


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return escape(", ".join(map(str, schema["enum"])))
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_type(schema['items'])}"
    limits = [
        f"{words} {schema[key]}"
        for key, words in (("minimum", "from"), ("maximum", "to"), ("maxLength", "up to letters:"))
        if key in schema
    ]
    return escape(" ".join([str(schema.get("type", "any")), *limits]))
