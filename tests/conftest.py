"""What holds for every test: no network beyond loopback, no trace of the user's machine, the same examples each time.

Owns the guard and the clean-up; helpers live beside the tests that use them, or in folders that import from here on
(``from loopback.dashscope import ...``).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, os.path.dirname(__file__))

from support import watch_network

settings.register_profile("lineread", derandomize=True, deadline=None)
settings.load_profile("lineread")

#: Variables that would let the user's own set-up into a test.
FOREIGN = ("DASHSCOPE_", "ALIBABA", "ALICLOUD", "LINEREAD_", "OUTPUT_DIR", "XDG_", "PYTHONUNBUFFERED", "PYTHONIOENC")
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "ws_proxy", "wss_proxy", "all_proxy", "no_proxy")


def _unmoved(*_: object) -> None:
    """Go on."""


# A shell has what it starts in the background ignore Ctrl-C, and nohup the terminal's end. Children inherit that.
# A signal that is handled, in whatever way, is not ignored by the commands under test.
for signal_number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(signal_number) is signal.SIG_IGN:
        signal.signal(signal_number, signal.default_int_handler if signal_number == signal.SIGINT else _unmoved)

# An audit hook sees every socket of the process, also one made below the socket module, and in every thread.
sys.addaudithook(watch_network)


@pytest.fixture(autouse=True)
def clean_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fresh home and working directory, and nothing of the caller's environment that lineread heeds."""
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name.lower() in PROXIES:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    work = tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.chdir(work)
    yield
    if "lineread.tts" in sys.modules:
        sys.modules["lineread.tts"]._clients.clear()
