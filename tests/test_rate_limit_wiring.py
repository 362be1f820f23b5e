"""A service's limit holds for all clients of the machine, whatever they keep and wherever they keep it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from lineread import Client, Request, Segment
from lineread.engines.base import Quota
from lineread.engines.fake import Fake
from lineread.speech import Chunk

#: One call in about half a second: the most that is still counted one by one.
QUOTA = Quota("fake-account", per_minute=119)
SLICE = 60 / QUOTA.per_minute


class Counted(Fake):
    """An engine of a service that counts; notes when it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.called_at = 0.0

    def quota(self, request: Request) -> Quota:
        return QUOTA

    def stream(self, segment: Segment) -> AsyncGenerator[Chunk, None]:
        self.called_at = time.monotonic()
        return super().stream(segment)


def called(text: str, **settings: Any) -> float:
    """When a client of its own, with an engine of its own, made its call."""
    engine = Counted()
    with Client(engine=engine, **settings) as client:
        client.generate(Request(text, "Cherry"))
    assert engine.called_at
    return engine.called_at


@pytest.mark.parametrize("first", [True, False])
def test_clients_with_and_without_cache_share_a_limit(first: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """A client that keeps nothing waits for the calls of one that does, and the other way round."""
    begun = called("The first line.", cache=first, cache_dir=tmp_path / "one")
    then = called("Another line.", cache=not first, cache_dir=tmp_path / "two")
    assert then - begun > 0.9 * SLICE
    assert (tmp_path / "home/.local/state/lineread/limits" / QUOTA.name).is_file()


def test_the_state_directory_is_the_users_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``XDG_STATE_HOME`` says where the counting is kept; the cache's directory has nothing of it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    called("The first line.", cache_dir=tmp_path / "store")
    assert list(tmp_path.rglob(QUOTA.name)) == [tmp_path / "state/lineread/limits" / QUOTA.name]
