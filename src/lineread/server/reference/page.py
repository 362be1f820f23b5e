"""The reference as a page: an OpenAPI document made readable, without script and without any other host.

Pure: takes the document, gives HTML.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8885; --soft: #8882; --mark: #0a7; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
h3 { margin: 2rem 0 .5rem; font-size: 1rem; overflow-wrap: anywhere; }
code { font: .9em ui-monospace, monospace; background: var(--soft); padding: .1em .3em; border-radius: 4px; }
.verb { color: var(--mark); font-weight: 700; margin-right: .5em; }
.table { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
td:first-child { white-space: nowrap; } summary { cursor: pointer; margin: .8rem 0; }
@media (max-width: 40rem) {
  tr, td { display: block; } th, td:empty { display: none; }
  tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  td, td:first-child { padding: 0; border: 0; white-space: normal; overflow-wrap: anywhere; }
  td:nth-child(3):has(code)::before { content: "default: "; } td:nth-child(4)::before { content: "limits: "; }
}
"""


def page(document: Mapping[str, Any]) -> str:
    """The whole page."""
    about = document["info"]
    schemas = document["components"]["schemas"]
    tags = dict.fromkeys(call["tags"][0] for call in _calls(document))
    body = "\n".join(_section(tag, document, schemas) for tag in tags)
    title = f"{about['title']} {about['version']}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body><h1>{escape(title)}</h1><p>{escape(about['summary'])} "
        f'The same for programs: <a href="openapi.json">openapi.json</a>.</p>\n{body}\n</body></html>\n'
    )


def _calls(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            yield {"path": path, "method": method.upper(), **call}


def _section(tag: str, document: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    calls = "\n".join(_call(call, schemas) for call in _calls(document) if call["tags"][0] == tag)
    return f"<section><h2>{escape(tag)}</h2>\n{calls}</section>"


def _call(call: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    parts = [
        f'<h3><span class="verb">{call["method"]}</span><code>{escape(call["path"])}</code></h3>',
        f"<p>{escape(call['summary'])}</p>",
    ]
    rows = [*_parameters(call), *_body(call, schemas)]
    if rows:
        parts.append(_table(("field", "type", "default", "limits", "meaning"), rows))
    answers = [
        (f"<code>{status}</code>", escape(answer["description"])) for status, answer in call["responses"].items()
    ]
    parts.append(f"<details><summary>Answers</summary>{_table(('status', 'meaning'), answers)}</details>")
    return "\n".join(parts)


def _parameters(call: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for parameter in call.get("parameters", ()):
        about = {"description": f"In the {parameter['in']}.", **parameter["schema"]}
        about["description"] = parameter.get("description", about["description"])
        yield _row(parameter["name"], about, required=parameter.get("required", False))


def _body(call: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    if "requestBody" in call:
        reference = call["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        yield from _fields(schemas[reference.rpartition("/")[2]], "")


def _fields(schema: Mapping[str, Any], place: str) -> Iterator[tuple[str, ...]]:
    for name, about in schema["properties"].items():
        if about["type"] == "object":
            yield from _fields(about, f"{place}{name}.")
        else:
            yield _row(place + name, about, required=name in schema.get("required", ()))


def _row(name: str, about: Mapping[str, Any], *, required: bool) -> tuple[str, ...]:
    default = "required" if required else _json(about.get("default"))
    return f"<code>{escape(name)}</code>", escape(about["type"]), default, _limits(about), escape(about["description"])


def _limits(about: Mapping[str, Any]) -> str:
    if "enum" in about:
        return ", ".join(f"<code>{escape(each)}</code>" for each in about["enum"])
    return f"{about['minimum']:.10g} to {about['maximum']:.10g}" if "minimum" in about else ""


def _json(value: object) -> str:
    return (
        "" if value is None else f"<code>{escape(str(value).lower() if isinstance(value, bool) else str(value))}</code>"
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    return f'<div class="table"><table><tr>{titles}</tr>\n{lines}</table></div>'
