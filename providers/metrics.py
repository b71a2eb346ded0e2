"""What /metrics tells of the sources and their syncs."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily

from providers.models import Provider, SyncRun
from providers.reports import freshness


def gauges() -> Iterator[GaugeMetricFamily]:
    """Of the database, at each scrape."""
    read = GaugeMetricFamily(
        "modeldex_source_last_success_timestamp_seconds",
        "When an active provider was last read whole; 0: never.",
        labels=("provider",),
    )
    last = GaugeMetricFamily(
        "modeldex_source_last_run", "1 for the state of each provider's last run.", labels=("provider", "state")
    )
    for source in freshness.sources():
        read.add_metric([source.slug], source.last_success_at.timestamp() if source.last_success_at else 0)
        last.add_metric([source.slug, source.state or "none"], 1)
    yield from (read, last)
    held = SyncRun.objects.filter(state=SyncRun.State.HELD, decision="").count()
    yield GaugeMetricFamily("modeldex_held_runs", "Sync runs that wait for a decision.", value=held)
    refused = Provider.objects.filter(is_active=True, credential_refused_at__isnull=False).count()
    yield GaugeMetricFamily(
        "modeldex_refused_credentials", "Active providers that refuse their credential.", value=refused
    )
