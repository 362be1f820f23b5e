"""What a server counts, in Prometheus's format.

Owns the names, labels and buckets. Labels are bounded: routes, engines and codes are the server's own words, voices and
models count by their names in the catalogue, and everything else is ``other``; nothing that a client makes up gets in.
Each server has a registry of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from lineread import catalogue
from lineread.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from lineread.server.sight.visit import Visit

#: The status of a request that became a session: how long it lasts is up to its client.
SWITCHED: Final = 101
#: What `Metrics.text` is.
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
#: From a line that is in the cache to the slowest start of a distant service.
_FIRST_AUDIO: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
#: One is as long as it lasts; above it a listener has to wait.
_REAL_TIME: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 3.0)
_DURATION: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """The counts of one server.

    Args:
        running: Tells how many HTTP requests are being answered.
        speaking: Tells how many of them are requests for speech with a seat, that is: are being spoken.
        seats: How many seats there are.
        sessions: Tells how many of them are realtime sessions.
        most_sessions: How many sessions there may be.
    """

    def __init__(
        self,
        *,
        running: Callable[[], int],
        speaking: Callable[[], int],
        seats: int,
        sessions: Callable[[], int],
        most_sessions: int,
    ) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "lineread_requests", "HTTP requests that were answered.", ("dialect", "route", "status"), registry=registry
        )
        self._duration = Histogram(
            "lineread_request_seconds",
            "From an HTTP request's head to the end of its answer.",
            ("route",),
            buckets=_DURATION,
            registry=registry,
        )
        self._errors = Counter("lineread_errors", "Errors, by their code.", ("dialect", "code"), registry=registry)
        self._speeches = Counter(
            "lineread_speeches",
            "Speeches; cached: all of it came from the cache.",
            ("dialect", "engine", "model", "cached"),
            registry=registry,
        )
        self._characters = Counter(
            "lineread_characters",
            "Characters of speeches as the service counts them; cached ones are not billed.",
            ("engine", "model", "cached"),
            registry=registry,
        )
        self._sound = Counter("lineread_audio_seconds", "Seconds of sound.", ("engine", "voice"), registry=registry)
        self._first_audio = Histogram(
            "lineread_first_audio_seconds",
            "From the head of a request for speech to its first sound.",
            ("dialect", "engine", "cached"),
            buckets=_FIRST_AUDIO,
            registry=registry,
        )
        self._real_time = Histogram(
            "lineread_real_time_factor",
            "Seconds from the head of a request for speech to its end, per second of sound; cached ones left out.",
            ("engine",),
            buckets=_REAL_TIME,
            registry=registry,
        )
        self._sent = Counter("lineread_sent_bytes", "Bytes of answers.", ("dialect",), registry=registry)
        self._gauge("lineread_requests_in_progress", "HTTP requests that are being answered.", running)
        self._gauge("lineread_speeches_in_progress", "Requests for speech that are being spoken.", speaking)
        self._gauge("lineread_speeches_limit", "Most requests for speech that are spoken at once.", lambda: seats)
        self._gauge("lineread_sessions_in_progress", "Realtime sessions that are open.", sessions)
        self._gauge("lineread_sessions_limit", "Most realtime sessions at once.", lambda: most_sessions)
        Gauge("lineread_info", "The release.", ("version",), registry=registry).labels(__version__).set(1)
        ProcessCollector(registry=registry)

    def count(self, visit: Visit) -> None:
        """Count an HTTP request that is over."""
        dialect, route = visit.dialect or "none", visit.route or "none"
        self._requests.labels(dialect, route, str(visit.status)).inc()
        self._duration.labels(route).observe(visit.ended or 0.0)
        self._sent.labels(dialect).inc(visit.sent)
        for code in [part.code for part in visit.parts if part.code] or [visit.code]:
            if code:
                self._errors.labels(dialect, code).inc()
        for part in visit.parts or [visit]:
            if part.first_audio is not None:
                self._count_speech(part, dialect)

    def text(self) -> bytes:
        """All counts, to be scraped."""
        return generate_latest(self._registry)

    def _count_speech(self, visit: Visit, dialect: str) -> None:
        engine, model, cached = visit.engine or "none", known_model(visit.model), str(visit.cached).lower()
        self._speeches.labels(dialect, engine, model, cached).inc()
        self._characters.labels(engine, model, cached).inc(visit.characters)
        self._sound.labels(engine, known_voice(visit.voice)).inc(visit.seconds)
        self._first_audio.labels(dialect, engine, cached).observe(visit.first_audio or 0.0)
        is_session = visit.status == SWITCHED
        if visit.seconds and not visit.cached and not visit.code and not is_session:
            self._real_time.labels(engine).observe((visit.ended or 0.0) / visit.seconds)

    def _gauge(self, name: str, meaning: str, tell: Callable[[], int]) -> None:
        Gauge(name, meaning, registry=self._registry).set_function(tell)


def known_model(name: str) -> str:
    """A model's name, if the catalogue has it; else ``other``."""
    return name if name in catalogue.load().models else "other"


def known_voice(name: str) -> str:
    """A voice's name, if the catalogue has it; else ``other``, which the user's own voices are as well."""
    return name if name in catalogue.load().voices else "other"
