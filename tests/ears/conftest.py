"""The ears that all listening tests share; loading them takes a second."""

from __future__ import annotations

import pytest

from ears.listening import Ears


@pytest.fixture(scope="session")
def ears() -> Ears:
    """A recogniser."""
    return Ears()
