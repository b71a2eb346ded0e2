"""The provider lists of the API: what an upstream lists, in the shapes that web frontends know.

A list is answered from the stored copy (providers/lists/cache.py), else from the curated list; either way less what the
viewer may not see.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from cachetools import LRUCache, cached

from catalog.access import rules
from catalog.access.callers import Caller
from catalog.access.viewers import Viewer
from catalog.capabilities import CHAT, task_of_facts
from catalog.db.functions import as_bool
from catalog.db.unreadable import render_or_report
from catalog.models import AIModel
from catalog.pricing import Tariff
from providers.lists import cache
from providers.lists.items import LISTS, ProviderList, item
from providers.lists.serializers import (
    EmbeddingItemSerializer,
    LanguageItemSerializer,
    LocalItemSerializer,
    RecordSerializer,
)
from providers.models import Provider, ProviderCopy
from providers.reading import curated
from providers.reading.namespaces import EMBEDDINGS, LANGUAGE

# The shape of a list's items.
_SHAPES: dict[ProviderList, RecordSerializer] = {
    LISTS["openrouter"]: LanguageItemSerializer(),
    LISTS["embeddings"]: EmbeddingItemSerializer(),
    LISTS["ollama"]: LocalItemSerializer(),
    LISTS["openai"]: LanguageItemSerializer(),
}


@dataclass(frozen=True, slots=True)
class State:
    """Where an answer comes from: decided before anything is loaded, so that a 304 costs little."""

    source: str
    as_of: int
    copy: ProviderCopy | None = None
    error: str = ""

    @property
    def stamp(self) -> str:
        """A short text that differs wherever the answers could, for one viewer."""
        fetched = self.copy.fetched_at.timestamp() if self.copy and self.copy.fetched_at else ""
        return f"{self.source}-{self.as_of}-{fetched}"


# Whose sight.


def seen(caller: Caller, items: cache.Items) -> cache.Items:
    """The items that the viewer may see, what upstream leaves out filled in from the catalog. One query.

    An item with a catalog entry is judged by catalog/access/rules.py, one without an entry by the key's policy alone,
    and so is the target of an alias.
    """
    viewer = caller.viewer
    named = {record["model_id"] for record in items} | {_target_of(record) for record in items}
    entries = {
        entry["model_id"]: entry
        for entry in AIModel.objects.catalog_entries()
        .filter(model_id__among=sorted(named))
        .annotate(
            seen=as_bool(rules.visible(AIModel, viewer)), seen_as_target=as_bool(rules.target_seen(AIModel, viewer))
        )
        .order_by()
        .values("model_id", "seen", "seen_as_target", "name", "context_length", "embedding_dimensions", "pricing")
    }
    allowed = []
    for record in items:
        entry = entries.get(record["model_id"])
        if entry is None:
            if _is_allowed(viewer, record, entries):
                allowed.append(record)
        elif entry["seen"]:
            allowed.append(_completed(record, entry))
    return allowed


def _target_of(record: Mapping[str, Any]) -> str:
    # Copies of an older release do not have it.
    return str(record.get("alias_of", ""))


def _is_allowed(viewer: Viewer, record: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the viewer may see an item that has no catalog entry."""
    policy, target = viewer.policy, _target_of(record)
    if policy is not None and not policy.allows(record["model_id"]):
        return False
    if target in entries:
        return bool(entries[target]["seen_as_target"])
    return policy is None or not target or policy.spares(target)


def _is_shown(listed: ProviderList, record: Mapping[str, Any]) -> bool:
    # A local server is asked for models to talk to; the vendors have lists of their own for the others.
    return listed.has_curated or (record.get("task") or task_of_facts(record["model_id"], {})) == CHAT


def _completed(record: dict[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **record,
        "name": entry["name"] if record["name"] == record["id"] else record["name"],
        "context": record["context"] or entry["context_length"],
        "dimensions": record["dimensions"] or entry["embedding_dimensions"],
        "pricing": record["pricing"] or Tariff(entry["pricing"]).by_token,
    }


# The curated list.


def curated_items(listed: ProviderList) -> cache.Items:
    """The curated list in the form of a copy."""
    # A vendor's ids lack its namespace; OpenRouter's are ours.
    own = "" if listed.kinds else f"{listed.provider}/"
    return [
        {
            **item(entry.model_id.removeprefix(own), entry.model_id, facts=entry.facts, pricing=entry.pricing),
            "name": entry.facts["name"],
        }
        for entry in curated.entries().values()
        if entry.model_id.startswith(own)
        and listed.kinds in ("", EMBEDDINGS if entry.facts.get("supports_embeddings") else LANGUAGE)
    ]


def curated_as_of(listed: ProviderList) -> int:
    day = curated.as_of(listed.kinds or LANGUAGE)
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


# The answer.


def state_of(listed: ProviderList, reader: Callable[[Provider, str], Callable[[], cache.Items] | None]) -> State:
    """Where the answer comes from now; renews an old copy on the way.

    `reader` gives the function that reads upstream, None where no credential is configured, and raises
    cache.Unreadable where a configured one cannot be used.
    """
    stored = cache.read(listed.provider, listed.listing)
    provider = stored.provider if stored else Provider.objects.filter(slug=listed.provider).first()
    if provider is None or not provider.is_active:
        return _without(listed, "curated", f"The provider {listed.provider} is switched off.")
    try:
        fetch = reader(provider, listed.listing)
    except cache.Unreadable as error:
        return _without(listed, "curated_fallback", str(error))
    if fetch is None:
        return _without(listed, "curated", f"No credential is configured for {listed.provider}.")
    copy = cache.at_hand(stored or ProviderCopy(provider=provider, listing=listed.listing), fetch)
    if copy.fetched_at is not None and _serves(listed, copy):
        return State(listed.source, int(copy.fetched_at.timestamp()), copy)
    reason = copy.error or f"{listed.provider} has not answered yet; ask again in a moment."
    tried = int(copy.failed_at.timestamp()) if copy.failed_at else 0
    return _without(listed, "curated_fallback", reason, tried)


def _serves(listed: ProviderList, copy: ProviderCopy) -> bool:
    if copy.failed_at is None or cache.is_fresh(copy):
        return True
    # What a local server listed an hour ago cannot be called while it is down; a vendor's list can be shown.
    return listed.has_curated and cache.is_recent(copy)


def _without(listed: ProviderList, source: str, error: str, tried: int = 0) -> State:
    if listed.has_curated:
        return State(source, curated_as_of(listed))
    return State(f"{listed.provider}_unreachable", tried or int(datetime.now(UTC).timestamp()), error=error)


@cached(
    LRUCache(16_000_000, len),
    lambda listed, state, caller: (listed, caller.fingerprint, state.stamp),
    lock=threading.Lock(),
)
def answer(listed: ProviderList, state: State, caller: Caller) -> bytes:
    """The body for this viewer, as JSON. A process makes each once, not once a request."""
    return orjson.dumps(_body(listed, state, caller))


def _body(listed: ProviderList, state: State, caller: Caller) -> dict[str, Any]:
    if state.copy is not None:
        items = [record for record in _items_of(state.copy) if _is_shown(listed, record)]
    else:
        items = curated_items(listed) if listed.has_curated else []
    found = (
        render_or_report(record["id"], _rendered, listed, record) for record in (seen(caller, items) if items else ())
    )
    models = [orjson.Fragment(body) for body in found if body is not None]
    data: dict[str, Any] = {"models": models, "source": state.source}
    if state.copy is not None:
        data["total"] = len(models)
    data["as_of"] = state.as_of
    if state.error:
        data["error"] = state.error
    return {"success": True, "data": data}


def _rendered(listed: ProviderList, record: Mapping[str, Any]) -> bytes:
    return orjson.dumps(_SHAPES[listed].to_representation(record))


# A list that is longer than any real one is parsed again rather than kept.
@cached(LRUCache(10_000, len), lambda copy: (copy.pk, copy.fetched_at), lock=threading.Lock())
def _items_of(copy: ProviderCopy) -> cache.Items:
    return cache.items_of(copy)
