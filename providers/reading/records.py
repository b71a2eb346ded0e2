"""One model as an upstream describes it, checked against what both databases can store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django.core.exceptions import ValidationError

from catalog import pricing
from catalog.access import rules
from catalog.editing.history import to_json
from catalog.fields import SYNCED_FIELDS
from catalog.models import AIModel
from catalog.validation import aliases, model_ids
from catalog.validation.values import validate_line
from providers.reading.namespaces import Namespace

_FIELDS = {name: AIModel._meta.get_field(name) for name in SYNCED_FIELDS}
# Values without information: they fill no field and blank none.
SILENT: tuple[Any, ...] = (None, "", [], {})


@dataclass(slots=True)
class Record:
    """A valid record: `facts` by field as `catalog.editing.history.to_json` makes them, `pricing` as decimal text."""

    upstream_id: str
    model_id: str
    facts: dict[str, Any]
    pricing: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that cannot be used; `upstream_id`, for people, is "" where the record does not name its model.

    `is_listed`: the id is one that a model may have, so that upstream still lists the model.
    """

    index: int | None
    upstream_id: str
    reason: str
    is_listed: bool = False


@dataclass(slots=True)
class ParsedListing:
    """One listing of a provider, read and checked."""

    listing: str
    records: list[Record] = field(default_factory=list)
    bad: list[RejectedRecord] = field(default_factory=list)
    # Fields that upstream sent in a shape of no use: the record is stored without them.
    remarks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.records) + len(self.bad)

    @property
    def ids(self) -> set[str]:
        return {record.upstream_id for record in self.records}

    @property
    def spared(self) -> set[str]:
        """Ids of bad records whose models upstream still lists. One that cannot be accepted is no stored model's."""
        return {bad.upstream_id for bad in self.bad if bad.is_listed}

    @property
    def unidentified(self) -> int:
        return sum(not bad.upstream_id for bad in self.bad)

    def problems(self) -> list[dict[str, Any]]:
        """The bad records and the remarks, as a run stores them."""
        named = [{"listing": self.listing, "index": b.index, "id": b.upstream_id, "reason": b.reason} for b in self.bad]
        return [*named, *({"listing": self.listing, **remark} for remark in self.remarks)]


def checked(listing: str, items: Iterable[Any], bad: Iterable[Any], namespace: Namespace) -> ParsedListing:
    """Checks an adapter's listings against the provider's namespace and the fields of the tables.

    The ids themselves, and that none is listed twice, the adapter has checked.
    """
    parsed = ParsedListing(
        listing,
        bad=[
            RejectedRecord(
                b.index, _shown(b.upstream_id), _shown(b.reason), model_ids.problem_of(b.upstream_id) is None
            )
            for b in bad
        ],
    )
    for item in items:
        if namespace.leaves_out(item.model_id):
            continue
        if problem := namespace.problem_of(item.model_id):
            parsed.bad.append(RejectedRecord(None, _shown(item.upstream_id), problem))
            continue
        try:
            record = Record(item.upstream_id, item.model_id, facts_of(item.facts), pricing.read(item.pricing))
        except ValidationError as error:
            reason = " ".join(error.messages)[:300]
            parsed.bad.append(RejectedRecord(None, _shown(item.upstream_id), reason, is_listed=True))
            continue
        parsed.records.append(record)
        for problem in item.problems:
            parsed.remarks.append({"index": None, "id": record.upstream_id, "reason": _shown(problem), "field": True})
    # A record that is there twice is there.
    here = parsed.ids
    parsed.bad = [rejected for rejected in parsed.bad if rejected.upstream_id not in here]
    return parsed


def twins(parsed_listings: Iterable[ParsedListing]) -> list[dict[str, Any]]:
    """A remark, as a run stores them, for each set of ids that differ in nothing but case: both models are stored."""
    found: dict[str, dict[str, str]] = {}
    for parsed in parsed_listings:
        for upstream_id in parsed.ids:
            found.setdefault(upstream_id.lower(), {})[upstream_id] = parsed.listing
    return [
        {
            "listing": alike[min(alike)],
            "index": None,
            "id": min(alike),
            "reason": f"These ids differ only in case: {', '.join(sorted(alike))}.",
        }
        for _, alike in sorted(found.items())
        if len(alike) > 1
    ]


def lost_aliases(parsed_listings: Iterable[ParsedListing]) -> list[dict[str, Any]]:
    """A remark, as a run stores them, for each alias that nobody will see: what it names is no model, or a circle."""
    listed = {record.model_id: (parsed.listing, record) for parsed in parsed_listings for record in parsed.records}
    targets = AIModel.objects.catalog_entries().values_list("alias_of", flat=True)

    def target_of(model_id: str) -> str | None:
        if model_id in listed:
            return str(listed[model_id][1].facts.get("alias_of", ""))
        return targets.filter(model_id=model_id).first()

    found = []
    for model_id, (listing, record) in listed.items():
        target = record.facts.get("alias_of")
        problem = target and aliases.problem_of(model_id, target, target_of, rules.MAX_ALIASES)
        if problem:
            reason = _shown(f"It is listed as an alias of {target}, so nobody sees it. {problem}")
            found.append({"listing": listing, "index": None, "id": record.upstream_id, "reason": reason})
    return found


def facts_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that have a value, as JSON. Raises ValidationError, naming the field, for one that is none."""
    found: dict[str, Any] = {}
    for name, value in facts.items():
        if value in SILENT:
            continue
        field = _FIELDS.get(name)
        if field is None:
            raise ValidationError(f"{name} is no field that a source describes.")
        if isinstance(value, str):
            value = value.strip() if name != "description" else value.rstrip()
            if not value:
                continue
        try:
            found[name] = to_json(cast(Any, field).clean(value, None))
        except ValidationError as error:
            raise ValidationError([f"{name}: {message}" for message in error.messages]) from error
        except (TypeError, ValueError, OverflowError) as error:
            raise ValidationError(f"{name}: unreadable.") from error
    return found


def _shown(text: Any) -> str:
    """Text of upstream's, cut and without what cannot be stored."""
    cut = str(text if text is not None else "")[:255]
    try:
        validate_line(cut)
    except ValidationError:
        return "".join(c if c.isprintable() else "?" for c in cut)
    return cut
