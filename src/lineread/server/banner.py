"""What a server says when it starts: where it is, who speaks, who is let in, and three commands to try it with.

Owns the words. The commands run as they are when they are pasted into a shell of this machine, so they call the server
where it listens: a proxy that leads to it may not be there yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lineread.config import Settings
    from lineread.server.desk import Desk

_MODEL: Final = "qwen3-tts-flash"
_VOICE: Final = "Cherry"
_TEXT: Final = "Hello, this is a short voice line."
#: Hosts that stand for all addresses, each with one that this machine reaches.
_EVERYWHERE: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
#: Where the commands take a key from, when the server wants one.
_KEY_VARIABLE: Final = "LINEREAD_KEY"


def banner(desk: Desk, host: str, port: int) -> str:
    """The lines to print.

    Args:
        desk: What takes requests.
        host: Address that the server listens at.
        port: Its port.
    """
    here = f"http://{_name(host)}:{port}"
    base = (desk.options.public_url or here).rstrip("/")
    settings, keys = desk.client.settings, desk.keys
    export = [f"\nexport {_KEY_VARIABLE}=...   # one of those keys"] if keys.configured else []
    lines = [
        f"Serving DashScope's and OpenAI's speech calls at {base}",
        f"  listens  at {_place(host, port)}",
        f"  realtime ws{base.removeprefix('http')}/api-ws/v1/realtime",
        *([f"  agents   {base}/mcp (Model Context Protocol)"] if desk.options.mcp else []),
        f"  engine   {_engine(settings, desk.client.engine().name)}",
        f"  keys     {keys.notice}",
        *([f"  budget   {desk.client.purse.budget}"] if desk.client.purse else []),
        f"  see      {base}/docs, {base}/metrics",
        "",
        "Try it:",
        *export,
        "",
        _curl(here, keyed=keys.configured),
        "",
        _dashscope(here, keyed=keys.configured),
        "",
        _openai(here, keyed=keys.configured),
        "",
    ]
    return "\n".join(lines)


def _engine(settings: Settings, name: str) -> str:
    """Who speaks, and why."""
    fallback = f"; {settings.fallback} when it fails" if settings.fallback else ""
    if settings.engine is not None:
        why = "as set"
        if name == "dashscope" and settings.key is not None:
            why += f", with the key from {settings.key_source}"
    elif settings.key is not None:
        why = f"since a key was found in {settings.key_source}"
    else:
        why = "the machine's own voices, since no DashScope key was found"
    return f"{name} ({why}{fallback})"


def _name(host: str) -> str:
    """A name by which this machine reaches that address."""
    host = _EVERYWHERE.get(host, host)
    return f"[{host}]" if ":" in host else host


def _place(host: str, port: int) -> str:
    """Where it listens."""
    if host in _EVERYWHERE:
        return f"port {port} of every address of this machine{f' ({host})' if host else ''}"
    return f"{_name(host)}:{port}"


def _curl(base: str, *, keyed: bool) -> str:
    key = f' \\\n  -H "Authorization: Bearer ${_KEY_VARIABLE}"' if keyed else ""
    return f"""\
curl --fail-with-body {base}/v1/audio/speech -H "Content-Type: application/json"{key} \\
  -d '{{"model": "{_MODEL}", "voice": "{_VOICE}", "input": "{_TEXT}", "response_format": "wav"}}' -o curl.wav"""


def _dashscope(base: str, *, keyed: bool) -> str:
    return f"""\
python3 - <<'END'
import os, dashscope
dashscope.base_http_api_url = "{base}/api/v1"
response = dashscope.MultiModalConversation.call(
    model="{_MODEL}", api_key={_key(keyed=keyed)}, text="{_TEXT}", voice="{_VOICE}")
print(response.output.audio.url if response.output else response)
END"""


def _openai(base: str, *, keyed: bool) -> str:
    return f"""\
python3 - <<'END'
import os, openai
client = openai.OpenAI(base_url="{base}/v1", api_key={_key(keyed=keyed)})
client.audio.speech.create(model="{_MODEL}", voice="{_VOICE}", input="{_TEXT}").write_to_file("openai.mp3")
END"""


def _key(*, keyed: bool) -> str:
    return f'os.environ["{_KEY_VARIABLE}"]' if keyed else '"any"'
