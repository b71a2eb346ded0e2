"""Per process: each model as the API renders it, by the catalog's version, and what each viewer gets of it.

A view of the catalog is one state of it: every statement here reads the version beside the rows, so what was read by
two statements is joined only where both read the same version, which is also the caller's.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

import orjson
from cachetools import LRUCache
from django.db import connection
from django.db.models import F, Q, QuerySet, Subquery

from catalog import extensions
from catalog.access import rules
from catalog.access.callers import Caller
from catalog.access.viewers import Viewer
from catalog.api import rebuild
from catalog.api.cards import Card
from catalog.api.marks import MarkByKey
from catalog.api.metrics import KEPT_BYTES, REBUILD_SECONDS
from catalog.api.rebuild import Step
from catalog.api.serializers.items import CatalogItemSerializer
from catalog.capabilities import CHAT
from catalog.db.unreadable import render_or_report
from catalog.dialects.cli import CliRowSerializer
from catalog.dialects.openai import OpenAIModelSerializer
from catalog.models import AIModel, CatalogChange, CatalogVersion
from config.api.pieces import LARGE, Pieces

AVAILABLE, ENABLED, SWITCHED_OFF = 1, 2, 4
USABLE = AVAILABLE | ENABLED

# Of answers above LARGE the last one alone is stored, as many may ask for it at once; joined ones of no more bytes.
TOO_LARGE = 64_000_000

# How often a catalog that goes on changing is read for one request.
_TRIES = 5


class CatalogBusy(Exception):
    """The catalog changed under each attempt to read one state of it."""


def fitted(made: bytes) -> bytes:
    """The same bytes in no more memory than they need: orjson leaves those of one model in a block of 8 kB."""
    return bytes(memoryview(made))


_ITEM, _CLI_ROW, _OPENAI_MODEL = CatalogItemSerializer(), CliRowSerializer(), OpenAIModelSerializer()


@dataclass(frozen=True, slots=True)
class RenderedModel:
    """One model, serialised. `item` and `cli` lack their closing brace: what differs between callers follows."""

    model_id: str
    item: bytes
    # None: no chat model, so not for pickers.
    cli: bytes | None
    # None: not for /v1.
    openai: bytes | None
    card: Card
    # The id of what it stands for, which not everyone who sees it may know; "" where it is no alias.
    alias_of: str = ""
    # The id of what replaces it, which the same holds for.
    successor: str = ""
    deprecated_at: date | None = None
    retires_at: date | None = None
    priority: int = 0
    # Dialect -> its row of the model, made when it is first asked for; b"" where it has none.
    rows: dict[str, bytes] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, model: AIModel) -> RenderedModel:
        """Raises what `render_or_report` turns into None, where a stored value cannot be rendered."""
        return cls(
            model.model_id,
            orjson.dumps(_ITEM.to_representation(model))[:-1],
            orjson.dumps(_CLI_ROW.to_representation(model))[:-1] if CHAT in model.capabilities else None,
            fitted(orjson.dumps(_OPENAI_MODEL.to_representation(model))) if model.supported_in_api else None,
            Card.of(model),
            model.alias_of if model.kind == AIModel.Kind.CATALOG else "",
            model.successor,
            model.deprecated_at,
            model.retires_at,
            model.priority,
        )


@dataclass(frozen=True)
class RenderedCatalog:
    """Every model of one version of the catalog, by primary key."""

    version: int
    by_pk: dict[int, RenderedModel]
    # Those that cannot be rendered.
    left_out: frozenset[int] = frozenset()
    # The last changes, the newest at the end.
    steps: tuple[Step, ...] = ()
    # Order of the pages -> every key in it, where it was asked for.
    orders: dict[str, list[int]] = field(default_factory=dict, compare=False)

    @cached_property
    def pk_of(self) -> dict[str, int]:
        return {rendered_model.model_id: pk for pk, rendered_model in self.by_pk.items()}

    def rank(self, pk: int) -> tuple[int, str]:
        """What catalog answers are sorted by."""
        return -self.by_pk[pk].priority, self.by_pk[pk].model_id

    def at(self, version: int) -> RenderedCatalog | None:
        """The catalog at a later version, of which only what has changed is read.

        None where the journal does not say what that is, or where it goes on changing while it is read.
        """
        changed = CatalogChange.objects.between(self.version, version) if self.by_pk else None
        if changed is None or changed.keys is None or changed.keys & self.left_out:
            return None
        former_ids = {self.by_pk[pk].model_id for pk in changed.keys if pk in self.by_pk}
        models = rebuild.read(changed.keys, former_ids) if changed.keys else {}
        # What was read by several statements is of one state, if that is still the state.
        if models is None or (models and CatalogVersion.objects.current() != version):
            return None
        by_pk, left_out = dict(self.by_pk), set(self.left_out)
        born = frozenset(pk for pk in models if pk not in by_pk and pk not in left_out)
        for pk, model in models.items():
            by_pk.pop(pk, None)
            left_out.discard(pk)
            if model is None:
                continue
            rendered_model = render_or_report(model.model_id, RenderedModel.of, model)
            if rendered_model is None:
                left_out.add(pk)
            else:
                by_pk[pk] = rendered_model
        step = Step(self.version, models, born, changed.sight)
        return RenderedCatalog(version, by_pk, frozenset(left_out), rebuild.remembered(self.steps, step))

    def brought_up(self, visibility: Visibility, viewer: Viewer) -> Visibility | None:
        """What the viewer sees now, from what they saw at an earlier version; None where it must be read."""
        step = rebuild.since(self.steps, visibility.version)
        if step is None:
            return None
        old = dict(zip(visibility.pks, visibility.marks, strict=True))
        marks = rebuild.marks_of(viewer, (model for pk, model in step.models.items() if model and pk in self.by_pk))
        # Which default models there are was read of those in sight alone, and in their order.
        defaults = step.models.keys() & {*visibility.group_defaults}
        if defaults or any(pk not in old and pk not in step.born for pk in marks):
            return None
        pks = rebuild.moved(visibility.pks, step.models, marks, self.rank)
        mark_of = {**old, **{pk: _mark(*mark) for pk, mark in marks.items()}}
        seen = frozenset(pks) if step.models.keys() & {visibility.own_default, visibility.site_default} else None
        return replace(
            visibility,
            version=self.version,
            pks=pks,
            marks=bytes(mark_of[pk] for pk in pks),
            own_default=visibility.own_default if seen is None or visibility.own_default in seen else None,
            site_default=visibility.site_default if seen is None or visibility.site_default in seen else None,
        )


@dataclass(frozen=True)
class Visibility:
    """What one viewer sees, in rank order, with what they may do with each."""

    version: int
    pks: array[int]
    marks: bytes
    # Default models among those visible: the user's own, of their groups (the highest rank first), the site's.
    own_default: int | None = None
    group_defaults: tuple[int, ...] = ()
    site_default: int | None = None

    def without(self, left_out: frozenset[int]) -> Visibility:
        """The same less these models."""
        if not left_out:
            return self
        rows = [(pk, mark) for pk, mark in zip(self.pks, self.marks, strict=True) if pk not in left_out]
        return replace(
            self,
            pks=array("q", [pk for pk, _ in rows]),
            marks=bytes(mark for _, mark in rows),
            own_default=None if self.own_default in left_out else self.own_default,
            group_defaults=tuple(pk for pk in self.group_defaults if pk not in left_out),
            site_default=None if self.site_default in left_out else self.site_default,
        )

    @cached_property
    def mark_of(self) -> MarkByKey:
        return MarkByKey(self.pks, self.marks)

    def is_usable(self, pk: int | None) -> bool:
        return pk is not None and self.mark_of.get(pk, 0) & USABLE == USABLE


@dataclass(frozen=True, slots=True)
class VisibleCatalog:
    """One state of the catalog as one viewer gets it."""

    caller: Caller
    rendered: RenderedCatalog
    visibility: Visibility

    def marked(self) -> Iterator[tuple[int, RenderedModel, int]]:
        """Each visible model with its marks, in rank order."""
        by_pk = self.rendered.by_pk
        for pk, mark in zip(self.visibility.pks, self.visibility.marks, strict=True):
            yield pk, by_pk[pk], mark

    def having(self, mask: int, wanted: int | None = None) -> Iterator[tuple[int, RenderedModel]]:
        """The visible models whose marks under `mask` are `wanted`, by default all of them."""
        wanted = mask if wanted is None else wanted
        return ((pk, rendered_model) for pk, rendered_model, mark in self.marked() if mark & mask == wanted)

    @property
    def first_for_chat(self) -> int | None:
        """The key of the first usable chat model: the one that nobody had to choose."""
        return next((pk for pk, rendered_model in self.having(USABLE) if rendered_model.cli is not None), None)

    def where_seen(self, model_id: str) -> str:
        """The id where the viewer sees a model of it, else "": for what another model stands for or is replaced by."""
        return model_id if model_id and self.rendered.pk_of.get(model_id) in self.visibility.mark_of else ""

    def successor_of_retired(self, model_id: str) -> str:
        """What replaces a model that nobody offers any more, where the viewer sees both; else ""."""
        pk = self.rendered.pk_of.get(model_id)
        mark = AVAILABLE if pk is None else self.visibility.mark_of.get(pk, AVAILABLE)
        return "" if mark & AVAILABLE or pk is None else self.where_seen(self.rendered.by_pk[pk].successor)

    def usable(self, model_id: str) -> RenderedModel | None:
        pk = self.rendered.pk_of.get(model_id)
        return self.rendered.by_pk[pk] if pk is not None and self.visibility.is_usable(pk) else None


@dataclass
class Snapshot:
    """What a process has read and rendered. Any of it may be dropped at any time."""

    rendered: RenderedCatalog = field(default_factory=lambda: RenderedCatalog(-1, {}))
    # By who looks, and by dialect and fingerprint; bounded by about the bytes that they take.
    visibilities: LRUCache[str, Visibility] = field(
        default_factory=lambda: LRUCache(16_000_000, lambda visibility: 18 * len(visibility.marks) + 2_000)
    )
    bodies: LRUCache[tuple[str, str], bytes] = field(
        default_factory=lambda: LRUCache(24_000_000, lambda body: len(body) + 1_000)
    )
    last_large: tuple[tuple[str, str], bytes | Pieces] = (("", ""), b"")
    _loading: threading.Lock = field(default_factory=threading.Lock)
    # Of the caches.
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def clear(self) -> None:
        self.rendered = RenderedCatalog(-1, {})
        with self._lock:
            self.visibilities.clear()
            self.bodies.clear()
            self.last_large = ("", ""), b""

    def view(self, caller: Caller, caller_now: Callable[[], Caller]) -> VisibleCatalog:
        """The catalog at the caller's version; where that has moved on, the caller is read again.

        Raises CatalogBusy.
        """
        for _ in range(_TRIES):
            if self.rendered.version > caller.catalog_version:
                # Another request has read a newer state since this caller was read. Where the same version is
                # read once more, the database itself has gone back: it was restored, or has lost its last writes.
                before, caller = caller, caller_now()
                if caller.catalog_version != before.catalog_version:
                    continue
            found = self._read(caller)
            if found is not None and found[0].version == found[1].version == caller.catalog_version:
                return VisibleCatalog(caller, *found)
            caller = caller_now()
        raise CatalogBusy("The catalog is being changed. Try again shortly.")

    def body(self, dialect: str, fingerprint: str) -> bytes | None:
        """The bytes of one answer to one viewer, where they were stored joined."""
        found = self.answer(dialect, fingerprint)
        return found if isinstance(found, bytes) else None

    def answer(self, dialect: str, fingerprint: str) -> bytes | Pieces | None:
        """One answer to one viewer, where it was stored."""
        key = dialect, fingerprint
        large_key, large = self.last_large
        if large_key == key:
            return large
        with self._lock:
            return self.bodies.get(key)

    def stored(self, name: str, fingerprint: str, make: Callable[[], bytes]) -> bytes:
        """The same, made and stored where it was not there. What `make` raises is not stored."""
        body = self.body(name, fingerprint)
        if body is None:
            body = make()
            self.store_body(name, fingerprint, body)
        return body

    def store_body(self, dialect: str, fingerprint: str, body: bytes | Pieces) -> None:
        key = dialect, fingerprint
        if isinstance(body, bytes) and len(body) <= LARGE:
            self._store(self.bodies, key, fitted(body))
        elif (isinstance(body, Pieces) or len(body) <= TOO_LARGE) and not _in_transaction():
            self.last_large = key, body

    def _store(self, cache: LRUCache[Any, Any], key: Any, value: Any) -> None:
        # One that is larger than the whole cache is refused by it.
        if not _in_transaction():
            with self._lock, suppress(ValueError):
                cache[key] = value
                KEPT_BYTES.labels("bodies" if cache is self.bodies else "visibilities").set(cache.currsize)

    def _read(self, caller: Caller) -> tuple[RenderedCatalog, Visibility] | None:
        """Both at the caller's version; None where others have read another one meanwhile."""
        rendered = self.rendered
        if rendered.version != caller.catalog_version:
            # One thread reads; those that wait take what it has read.
            with self._loading:
                if self.rendered is rendered:
                    with REBUILD_SECONDS.labels("changes").time():
                        later = None if _in_transaction() else rendered.at(caller.catalog_version)
                    if later is None:
                        with REBUILD_SECONDS.labels("whole").time():
                            return self._read_all(caller)
                    self.rendered = later
                rendered = self.rendered
        if rendered.version != caller.catalog_version:
            return None
        with self._lock:
            stored = self.visibilities.get(caller.identity)
        if stored is not None and stored.version == rendered.version:
            return rendered, stored
        visibility = stored and rendered.brought_up(stored, caller.viewer)
        if visibility is None:
            visibility = _read_visibility(caller.viewer).without(rendered.left_out)
        self._store_visibility(caller, visibility)
        return rendered, visibility

    def _read_all(self, caller: Caller) -> tuple[RenderedCatalog, Visibility]:
        rendered, visibility = _read_all(caller.viewer)
        if not _in_transaction():
            self.rendered = rendered
            self._store_visibility(caller, visibility)
        return rendered, visibility

    def _store_visibility(self, caller: Caller, visibility: Visibility) -> None:
        # Read later than the caller was: under another version it would be the wrong one.
        if visibility.version == caller.catalog_version:
            self._store(self.visibilities, caller.identity, visibility)


snapshot = Snapshot()


def _in_transaction() -> bool:
    """Whether what is read may yet be rolled back, and another change get the same version.

    The transaction that a test is wrapped in does not count, as for `transaction.atomic(durable=True)`.
    """
    return any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def _marked(rows: QuerySet[AIModel], viewer: Viewer) -> QuerySet[AIModel]:
    """Rows in rank order, with the viewer's marks and the catalog's version.

    What staff asked to see besides may not be used for that, so it counts as not available.
    """
    marks: dict[str, Any] = {
        "_version": Subquery(CatalogVersion.objects.values("number")[:1]),
        "_available": rules.available() & Q(active=True, hidden=False),
        "_enabled": rules.enabled(viewer),
        "_switched_off": rules.switched_off(viewer),
        **extensions.default_marks(viewer),
    }
    return rows.annotate(**marks).order_by(F("priority").desc(), "model_id")


_MARKS = (
    "pk", "_version", "_available", "_enabled", "_switched_off", "_own_default", "_group_default", "_site_default",
)  # fmt: skip


def _read_visibility(viewer: Viewer) -> Visibility:
    """One statement; another one where nothing is visible, as no row then brings the version."""
    rows = list(_marked(AIModel.objects.visible_to(viewer), viewer).values_list(*_MARKS))
    return _visibility(rows, rows[0][1] if rows else CatalogVersion.objects.current())


def _read_all(viewer: Viewer) -> tuple[RenderedCatalog, Visibility]:
    """Every model, and what this viewer sees of them, by the same one statement."""
    rows = _marked(rebuild.tagged(AIModel.objects.all()), viewer).annotate(_visible=rules.visible(AIModel, viewer))
    rendered: dict[int, RenderedModel] = {}
    left_out = []
    seen = []
    version = None
    # Not all at once: an instance takes several times what is kept of it.
    for row in rows.iterator(chunk_size=500):
        annotated: Any = row
        version = annotated._version
        rendered_model = render_or_report(row.model_id, RenderedModel.of, row)
        if rendered_model is None:
            left_out.append(row.pk)
            continue
        rendered[row.pk] = rendered_model
        if annotated._visible:
            seen.append(tuple(getattr(annotated, name) for name in _MARKS))
    if version is None:
        version = CatalogVersion.objects.current()
    return RenderedCatalog(version, rendered, frozenset(left_out)), _visibility(seen, version)


def _mark(available: bool, enabled: bool, switched_off: bool) -> int:
    return (available and AVAILABLE) | (enabled and ENABLED) | (switched_off and SWITCHED_OFF)


def _visibility(rows: Iterable[tuple[Any, ...]], version: int) -> Visibility:
    pks, marks = array("q"), bytearray()
    own = site = None
    groups: list[tuple[int, int]] = []
    for pk, _, available, enabled, switched_off, is_own, group_rank, is_site in rows:
        pks.append(pk)
        marks.append(_mark(available, enabled, switched_off))
        if is_own:
            own = pk
        if is_site:
            site = pk
        if group_rank is not None:
            groups.append((-group_rank, pk))
    # Of two groups of one rank, the one that comes first in the catalog.
    groups.sort(key=lambda pair: pair[0])
    return Visibility(version, pks, bytes(marks), own, tuple(pk for _, pk in groups), site)
