"""The server keeps to its own OpenAPI document, whatever is sent to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lineread.server.reference.document import document
from server.voicemaking import PATH, Making
from support import serving

schema = schemathesis.openapi.from_dict(document())
voices = schema.include(path=PATH)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("home"), "--engine", "fake") as address:
        yield f"http://{address}"


@pytest.fixture(scope="module")
def maker(serve_all: Callable[..., str]) -> str:
    """The root URL of a server that makes voices."""
    return serve_all(Making())


EXAMPLES = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@schema.parametrize()
@EXAMPLES
def test_no_answer_is_undeclared_and_none_is_our_fault(case: schemathesis.Case, server: str) -> None:
    """Requests made from the schema, and others made to break it, get no 5xx and no answer that is not declared."""
    case.call_and_validate(base_url=server, checks=CHECKS)


@voices.parametrize()
@EXAMPLES
def test_voices_are_made_as_declared(case: schemathesis.Case, maker: str) -> None:
    """The same where the engine makes voices, so that there is something to list, to find and to delete."""
    case.call_and_validate(base_url=maker, checks=CHECKS)
