"""/metrics for Prometheus: what the requests of all workers came to, and what the apps tell of the database."""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Iterator

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

from config.api import errors

REQUESTS = Counter("modeldex_requests", "Requests that were answered.", ("route", "method", "status"))
SECONDS = Histogram(
    "modeldex_request_seconds",
    "Seconds from a request to its answer.",
    ("route",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REFUSALS = Counter("modeldex_refusals", "Requests that were refused, by the code of the refusal.", ("code",))
# Not a sum: what a worker that has ended wrote down would count on.
COMPRESSED_BYTES = Gauge(
    "modeldex_compressed_bytes", "Bytes of compressed answers that a worker keeps, at most.", multiprocess_mode="max"
)
STORED_BYTES = Gauge(
    "modeldex_stored_bytes",
    "Bytes of whole answers that a worker keeps, at most; most are those of other caches.",
    multiprocess_mode="max",
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class MetricsMiddleware:
    """Counts, where METRICS_TOKEN is set. Labels are of ours: strangers choose none of them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not settings.METRICS_TOKEN:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        route = match.route if match is not None else "none"
        method = request.method if request.method in _METHODS else "other"
        count(route, method, response.status_code, time.perf_counter() - began)
        if code := getattr(response, "refusal", None):
            REFUSALS.labels(code).inc()
        return response


def count(route: str, method: str, status: int, seconds: float) -> None:
    """One request, where METRICS_TOKEN is set."""
    if settings.METRICS_TOKEN:
        REQUESTS.labels(route, method, status).inc()
        SECONDS.labels(route).observe(seconds)


class DatabaseCollector(Collector):
    """What METRICS_COLLECTORS read of the database at each scrape."""

    def collect(self) -> Iterator[Metric]:
        answers = 1
        try:
            for path in settings.METRICS_COLLECTORS:
                yield from import_string(path)()
        except DatabaseError:
            answers = 0
        yield GaugeMetricFamily("modeldex_database_up", "Whether the database answered this scrape.", value=answers)


@csrf_exempt
def metrics(request: HttpRequest) -> HttpResponse:
    """404 where there is no token or another one is sent: nobody learns that there is anything."""
    sent = request.headers.get("Authorization", "")
    if (
        request.method not in ("GET", "HEAD")
        or not settings.METRICS_TOKEN
        or not hmac.compare_digest(sent.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    ):
        return errors.answer(request, 404)
    told = CollectorRegistry()
    told.register(DatabaseCollector())
    # Of all workers where the server has given them a folder; else this process is the only one.
    counted = CollectorRegistry() if "PROMETHEUS_MULTIPROC_DIR" in os.environ else REGISTRY
    if counted is not REGISTRY:
        MultiProcessCollector(counted)
    body = generate_latest(counted) + generate_latest(told)
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
