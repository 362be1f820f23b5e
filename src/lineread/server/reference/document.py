"""What the server answers, for programs (``/openapi.json``) and for people (``/docs``).

Owns the OpenAPI document. Its fields are those of ``lineread.fields``, under the names that each dialect has for them;
the page is made from the document and needs no script and no other host.
"""

from __future__ import annotations

import json
from typing import Any, Final

from aiohttp import web

from lineread.fields import DASHSCOPE_ONLY, GENERATE, Field, json_schema
from lineread.server.reference.page import page
from lineread.version import __version__
from lineread.wire import customization_server, openai
from lineread.wire.customization import MAKERS
from lineread.wire.customization import PATH as CUSTOMIZATION
from lineread.wire.dashscope import PATH

_DASHSCOPE: Final = f"/api/v1{PATH}"
_CUSTOMIZATION: Final = f"/api/v1{CUSTOMIZATION}"
_AUDIO_TYPES: Final = ("audio/mpeg", "audio/ogg", "audio/aac", "audio/flac", "audio/wav", "audio/pcm")
_REFUSALS: Final = {
    400: "The request cannot be done as asked; the message says what to change.",
    404: "There is no such model, or nothing at this address.",
    401: "The key is none of this server's.",
    403: "The key may not do that, or the page's host or origin may not call this server.",
    408: "The body did not come in time.",
    413: "The body is too large.",
    415: "The body is not declared to be JSON.",
    429: "Too much at once, or as much as the key may ask for; Retry-After says when to come again.",
    500: "The engine, or the service behind it, failed.",
    502: "The service behind this server failed.",
    503: "The server is about to stop, or the service behind it is down.",
    504: "The service behind this server ran out of time.",
}


def document() -> dict[str, Any]:
    """The OpenAPI document of this release."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "lineread",
            "version": __version__,
            "summary": "Text in, voice lines out: Qwen TTS and a voice of the machine, for the clients that you have.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "DashScopeRequest": _dashscope_request(),
                "DashScopeReply": _dashscope_reply(),
                "CustomizationRequest": _customization_request(),
                "CustomizationReply": _customization_reply(),
                "DashScopeError": _object({name: {"type": "string"} for name in ("request_id", "code", "message")}),
                "SpeechRequest": _openai_request(),
                "OpenAIError": _object({"error": _openai_error()}),
            },
        },
        "security": [{}, {"key": []}],
        "paths": {
            _DASHSCOPE: {"post": _dashscope_call()},
            _CUSTOMIZATION: {"post": _customization_call()},
            "/audio/{name}": {"get": _audio_file()},
            "/v1/audio/speech": {"post": _openai_call()},
            "/v1/audio/voices": {"get": _listing("The voices.", {"voices": {"type": "array"}})},
            "/v1/audio/models": {
                "get": _listing("The models, as Open WebUI asks for them.", {"models": {"type": "array"}})
            },
            "/v1/models": {"get": _listing("The models.", {"data": {"type": "array"}})},
            "/v1/models/{model}": {"get": _one_model()},
            "/healthz": {"get": _plain("Whether the server is alive.", 200)},
            "/readyz": {"get": _plain("Whether it takes work.", 200, 503)},
            "/metrics": {"get": _metrics()},
        },
    }


class Reference:
    """The routes of the reference."""

    def __init__(self) -> None:
        facts = document()
        self._json = json.dumps(facts, ensure_ascii=False, indent=1)
        self._page = page(facts)

    def routes(self) -> list[web.RouteDef]:
        """Where it answers."""
        return [
            web.get("/openapi.json", self.openapi, name="openapi"),
            web.get("/docs", self.docs, name="docs"),
            web.get("/", self.root, name="root"),
        ]

    async def openapi(self, http: web.Request) -> web.Response:
        """The document."""
        return web.Response(text=self._json, content_type="application/json")

    async def root(self, http: web.Request) -> web.Response:
        """The way to the page, also where a proxy serves all this below a path of its own."""
        return web.Response(status=302, headers={"Location": "docs"})

    async def docs(self, http: web.Request) -> web.Response:
        """The page."""
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return web.Response(text=self._page, content_type="text/html", headers=headers)


def _dashscope_request() -> dict[str, Any]:
    places: dict[str, dict[str, Field]] = {"": {}, "input": {}, "parameters": {}}
    for field in (*GENERATE.request, *DASHSCOPE_ONLY):
        part, _, name = field.dashscope.rpartition(".")
        if field.dashscope and part in places and " " not in field.dashscope:
            places[part][name] = field
    return {
        "type": "object",
        "required": ["model", "input"],
        "properties": {
            **{name: field.schema() for name, field in places[""].items()},
            "input": _part(places["input"], "What is spoken, and by whom."),
            "parameters": _part(places["parameters"], "How it is spoken. Each is read from input as well."),
        },
    }


def _part(fields: dict[str, Field], meaning: str) -> dict[str, Any]:
    required = [name for name, field in fields.items() if field.required]
    schema: dict[str, Any] = {
        "type": "object",
        "description": meaning,
        "properties": {name: field.schema() for name, field in fields.items()},
    }
    return schema | ({"required": required} if required else {})


def _dashscope_reply() -> dict[str, Any]:
    audio = {
        "data": {"type": "string", "description": "New sound as Base64; empty in a reply that is no event."},
        "url": {"type": "string", "description": "Where the whole is; in the last event of a stream."},
        "id": {"type": "string"},
        "expires_at": {"type": "integer", "description": "Unix seconds at which the URL ends."},
    }
    output = {
        "audio": {**_object(audio), "required": ["data", "id", "expires_at"]},
        "finish_reason": {"type": "string", "enum": ["null", "stop"]},
    }
    usage = {"characters": {"type": "integer", "description": "Characters as the service bills them."}}
    return _object({"output": _object(output), "usage": _object(usage), "request_id": {"type": "string"}})


def _customization_request() -> dict[str, Any]:
    """One schema for all actions: what each takes is in the fields' own words, and nothing else is."""
    places: dict[str, dict[str, Field]] = {"input": {}, "input.audio": {}, "parameters": {}}
    actions: dict[str, None] = {}
    for kind in customization_server.FIELDS.values():
        for action, fields in kind.items():
            actions[action] = None
            for field in fields:
                part, _, name = field.dashscope.rpartition(".")
                places[part].setdefault(name, field._replace(default=None) if field.required else field)
    asked = _part(places["input"], "What is to be done, and with which voice.")
    asked["properties"] |= {
        "action": {"type": "string", "enum": [*actions], "description": "query is for designed voices."},
        "audio": _part(places["input.audio"], "The recording to clone."),
    }
    return {
        "type": "object",
        "required": ["model", "input"],
        "properties": {
            "model": {"type": "string", "enum": [*MAKERS.values()], "description": "Clones, or designed voices."},
            "input": asked | {"required": ["action"]},
            "parameters": _part(places["parameters"], "What the preview of a designed voice is like."),
        },
    }


def _customization_reply() -> dict[str, Any]:
    text = {"type": "string"}
    preview = {"data": text, "sample_rate": {"type": "integer"}, "response_format": text}
    names = ("voice", "target_model", "gmt_create", "gmt_modified", "language", "voice_prompt", "preview_text")
    facts = dict.fromkeys(names, text)
    voice = {"type": "object", "required": ["voice"], "properties": facts}
    page = {name: {"type": "integer"} for name in ("page_index", "page_size", "total_count")}
    output = {
        "type": "object",
        "description": "The voice; or with list, a page of them.",
        "properties": {
            **facts,
            "preview_audio": _object(preview) | {"description": "A designed voice says the preview_text, as Base64."},
            **page,
            "voice_list": {"type": "array", "items": voice},
        },
    }
    usage = {"count": {"type": "integer", "description": "Voices that were made."}}
    return _object({"output": output, "usage": _object(usage), "request_id": text})


def _openai_request() -> dict[str, Any]:
    return json_schema(openai.FIELDS) | {"additionalProperties": True}


def _openai_error() -> dict[str, Any]:
    nullable = {"type": ["string", "null"]}
    error = {"message": {"type": "string"}, "type": {"type": "string"}, "param": nullable, "code": nullable}
    return _object(error)


def _dashscope_call() -> dict[str, Any]:
    reply = {"$ref": "#/components/schemas/DashScopeReply"}
    return {
        "tags": ["DashScope"],
        "operationId": "generation",
        "summary": "Qwen TTS as DashScope's own clients call it.",
        "parameters": [
            {
                "name": "X-DashScope-SSE",
                "in": "header",
                "schema": {"type": "string", "enum": ["enable", "disable"]},
                "description": "enable answers with events as the sound comes.",
            }
        ],
        "requestBody": _body("DashScopeRequest"),
        "responses": {
            "200": {
                "description": "The speech: one reply with a URL, or events with the sound.",
                "content": {"application/json": {"schema": reply}, "text/event-stream": {}},
            },
            **_refusals("DashScopeError"),
        },
    }


def _customization_call() -> dict[str, Any]:
    reply = {"$ref": "#/components/schemas/CustomizationReply"}
    return {
        "tags": ["DashScope"],
        "operationId": "customization",
        "summary": "Voices of your own: cloned from a recording or designed by description, listed, found, deleted.",
        "requestBody": _body("CustomizationRequest"),
        "responses": {
            "200": {"description": "It is done.", "content": {"application/json": {"schema": reply}}},
            **_refusals("DashScopeError"),
        },
    }


def _openai_call() -> dict[str, Any]:
    sound = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _AUDIO_TYPES}
    return {
        "tags": ["OpenAI"],
        "operationId": "speech",
        "summary": "OpenAI's speech call, by Qwen's voices.",
        "requestBody": _body("SpeechRequest"),
        "responses": {
            "200": {
                "description": "The audio, sent as it comes; or events, when stream_format is sse.",
                "content": {**sound, "text/event-stream": {}},
            },
            **_refusals("OpenAIError"),
        },
    }


def _audio_file() -> dict[str, Any]:
    xml = {"application/xml": {"schema": {"type": "object"}}}
    sound = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _AUDIO_TYPES}
    query = [
        {"name": name, "in": "query", "required": True, "schema": {"type": "string"}}
        for name in ("Expires", "OSSAccessKeyId", "Signature")
    ]
    return {
        "tags": ["DashScope"],
        "operationId": "audio",
        "summary": "A finished file, by the URL of a reply; valid for a day.",
        "security": [],
        "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}, *query],
        "responses": {
            "200": {"description": "The file.", "content": sound},
            "206": {"description": "A part of it.", "content": sound},
            "304": {"description": "It has not changed."},
            "400": {"description": "The path is none.", "content": xml},
            "403": {"description": "Not signed by this server, changed, or expired.", "content": xml},
            "404": {"description": "No longer kept.", "content": xml},
            "416": {"description": "It is not that long."},
        },
    }


def _listing(summary: str, properties: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": _object(properties)}}
    return {
        "tags": ["OpenAI"],
        "summary": summary,
        "responses": {"200": {"description": summary, "content": content}, **_refusals("OpenAIError")},
    }


def _one_model() -> dict[str, Any]:
    call = _listing("One model.", {"id": {"type": "string"}})
    call["parameters"] = [{"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}]
    return call


def _plain(summary: str, *statuses: int) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    answers = {str(status): {"description": summary, "content": content} for status in statuses}
    return {"tags": ["Server"], "summary": summary, "security": [], "responses": answers}


def _metrics() -> dict[str, Any]:
    answers = {"200": {"description": "The figures.", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    refused = _refusal("OpenAIError", _REFUSALS[401])
    summary = "Figures for Prometheus. They need a key once the server has keys."
    return {"tags": ["Server"], "summary": summary, "responses": {**answers, "401": refused}}


def _body(schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"required": True, "content": content}


def _refusals(schema: str) -> dict[str, Any]:
    return {str(status): _refusal(schema, meaning) for status, meaning in _REFUSALS.items()}


def _refusal(schema: str, meaning: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": meaning, "content": content}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}
