"""What the sources share that add facts to models which others list."""

from providers.adapters.base import Adapter
from providers.client.http import UpstreamClient


class Enricher(Adapter):
    """Its listings carry our ids; it lists nothing by itself, so nothing is retired on its account."""

    enricher = True

    def catalog_id(self, upstream_id: str) -> str:
        return upstream_id

    def probe(self, client: UpstreamClient, credential: str | None = None) -> str:
        known = self.facts_by_id(self.fetch(client, next(iter(self.listings)), credential))
        return f"Connected: facts about {len(known)} models."
