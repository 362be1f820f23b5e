"""The frameworks are loaded here: what they warn of while they load is their own affair. What comes later is not."""

from __future__ import annotations

import contextlib
import importlib
import warnings

FRAMEWORKS = (
    "pipecat.pipeline.worker",
    "pipecat.processors.aggregators.llm_response_universal",
    "pipecat.services.tts_service",
    "pipecat.transports.base_output",
    "pipecat.workers.runner",
    "livekit.agents",
)

for name in FRAMEWORKS:
    with warnings.catch_warnings(), contextlib.suppress(ImportError):
        warnings.simplefilter("ignore")
        importlib.import_module(name)
