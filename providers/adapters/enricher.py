"""What the sources share that add facts to models which others list."""

from collections.abc import Iterator
from typing import Any, ClassVar

from providers.adapters.base import Adapter
from providers.adapters.builder import mapping
from providers.client.http import UpstreamClient, UpstreamError


class Enricher(Adapter):
    """Its listings carry our ids; it lists nothing by itself, so nothing is retired on its account."""

    # What its answer is an object of, and the field by which such a part is known.
    parts: ClassVar[str]
    mark: ClassVar[str]

    def records(self, payload: Any) -> list[Any]:
        """One record for each of our ids, the first that names it."""
        if not isinstance(payload, dict) or "error" in payload:
            raise UpstreamError.of_answer("wrong_shape", f"is not an object of {self.parts}.")
        if payload and not any(self.mark in mapping(part) for part in payload.values()):
            raise UpstreamError.of_answer(
                "not_recognised", f"is none of {self.kind}: {self.parts} by name, each with its {self.mark}."
            )
        found: dict[str, Any] = {}
        for model_id, record in self.rows(payload):
            found.setdefault(model_id, {**record, "id": model_id})
        return list(found.values())

    def rows(self, payload: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """What the answer says, under our ids."""
        raise NotImplementedError

    def catalog_id(self, upstream_id: str) -> str:
        return upstream_id

    def probe(self, client: UpstreamClient, credential: str | None = None) -> str:
        listing = next(iter(self.listings))
        known = self.parse(self.fetch(client, listing, credential), listing).listings
        return f"Connected: facts about {len(known)} models."
