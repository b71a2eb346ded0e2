"""What /metrics tells of the catalog."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily

from catalog.models import AIModel, CatalogVersion

# Of `changes` alone, or of the `whole` catalog.
REBUILD_SECONDS = Histogram(
    "modeldex_rebuild_seconds",
    "Seconds in which a worker brought its rendered catalog up to date.",
    ("of",),
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10),
)
# Not a sum: what a worker that has ended wrote down would count on.
KEPT_BYTES = Gauge(
    "modeldex_kept_bytes", "Bytes of answers that a worker keeps, at most.", ("cache",), multiprocess_mode="max"
)


def gauges() -> Iterator[GaugeMetricFamily]:
    """Of the database, at each scrape."""
    yield GaugeMetricFamily(
        "modeldex_catalog_version", "The catalog's version number.", value=CatalogVersion.objects.current()
    )
    models = GaugeMetricFamily("modeldex_models", "AI models, by what readers get of them.", labels=("state",))
    shown = AIModel.objects.filter(active=True, hidden=False)
    for state, rows in (
        ("available", shown.filter(is_available=True)),
        ("unavailable", shown.filter(is_available=False)),
        ("withheld", AIModel.objects.exclude(active=True, hidden=False)),
    ):
        models.add_metric([state], rows.count())
    yield models
