"""One model as an upstream describes it, checked against what the tables hold on both databases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from django.core.exceptions import ValidationError

from catalog.editing.entries import to_json
from catalog.fields import SYNCED_FIELDS
from catalog.models import AIModel
from catalog.validation import model_ids
from catalog.validation.values import validate_json, validate_line
from providers.reading.namespaces import Namespace

_FIELDS = {name: AIModel._meta.get_field(name) for name in SYNCED_FIELDS}
# What says nothing: it fills no field and blanks none.
SILENT: tuple[Any, ...] = (None, "", [], {})
# A price has at most this many digits: the longest recorded has 23.
MAX_PRICE_DIGITS = 40


@dataclass(slots=True)
class Record:
    """A valid record: `facts` by field as `catalog.editing.entries.stored` keeps them, `pricing` as decimal text."""

    upstream_id: str
    model_id: str
    facts: dict[str, Any]
    pricing: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As a held run stores it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that cannot be used; `upstream_id`, for people, is "" where it cannot be told which model it was.

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
    # Fields that upstream sent in a shape of no use: the record is kept without them.
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
        """The bad records and the remarks, as a run keeps them."""
        named = [{"listing": self.listing, "index": b.index, "id": b.upstream_id, "reason": b.reason} for b in self.bad]
        return [*named, *({"listing": self.listing, **remark} for remark in self.remarks)]


def checked(listing: str, items: Iterable[Any], bad: Iterable[Any], namespace: Namespace) -> ParsedListing:
    """Turns an adapter's listings and bad records into a Reading. `items` are adapters' Listings."""
    parsed = ParsedListing(
        listing,
        bad=[
            RejectedRecord(
                b.index, _shown(b.upstream_id), _shown(b.reason), model_ids.problem_of(b.upstream_id) is None
            )
            for b in bad
        ],
    )
    seen: set[str] = set()
    for item in items:
        if namespace.leaves_out(item.model_id):
            continue
        try:
            record = _record(item, namespace)
            if record.upstream_id in seen:
                raise ValidationError("The id stands in the list twice.")
        except ValidationError as error:
            reason = " ".join(error.messages)[:300]
            is_listed = _problem_of_id(item, namespace) is None
            parsed.bad.append(RejectedRecord(getattr(item, "index", None), _shown(item.upstream_id), reason, is_listed))
            continue
        seen.add(record.upstream_id)
        parsed.records.append(record)
        for problem in item.problems:
            parsed.remarks.append({"index": None, "id": record.upstream_id, "reason": _shown(problem), "field": True})
    # A record that is there twice is there.
    parsed.bad = [b for b in parsed.bad if b.upstream_id not in seen or b.reason.startswith("The id stands")]
    return parsed


def twins(parsed_listings: Iterable[ParsedListing]) -> list[dict[str, Any]]:
    """A remark, as a run keeps them, for each set of ids that differ in nothing but case: both models are kept."""
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


def _problem_of_id(item: Any, namespace: Namespace) -> str | None:
    return (
        model_ids.problem_of(item.upstream_id)
        or model_ids.problem_of(item.model_id)
        or namespace.problem_of(item.model_id)
    )


def _record(item: Any, namespace: Namespace) -> Record:
    if problem := _problem_of_id(item, namespace):
        raise ValidationError(problem)
    return Record(item.upstream_id, item.model_id, facts_of(item.facts), pricing_of(item.pricing))


def facts_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that say something, in stored form. Raises ValidationError, naming the field, for one that is none."""
    found: dict[str, Any] = {}
    for name, value in facts.items():
        if any(value is nothing or (value == nothing and type(value) is type(nothing)) for nothing in SILENT):
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


def pricing_of(pricing: Mapping[str, Any]) -> dict[str, Any]:
    """Prices as plain decimal text without needless zeros. Raises ValidationError for anything else."""
    validate_json(dict(pricing))
    found: dict[str, Any] = {}
    for name, value in pricing.items():
        if name == "overrides":
            if value:
                found[name] = [_override(entry) for entry in value]
        elif value is not None:
            found[name] = plain(value)
    return found


_CONDITIONS = ("min_prompt_tokens", "utc_start", "utc_end", "utc_days")


def _override(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if name in _CONDITIONS else plain(value) for name, value in entry.items()}


def plain(value: Any) -> str:
    """A price as decimal text: no exponent, no zeros at the end. Raises ValidationError for what is no price."""
    try:
        number = Decimal(value if isinstance(value, str) else repr(value))
    except InvalidOperation:
        raise ValidationError("A price is a decimal number.") from None
    if not number.is_finite() or number < 0 or number.adjusted() > 12:
        raise ValidationError("A price is a decimal number that is not negative.")
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if len(text) > MAX_PRICE_DIGITS:
        raise ValidationError(f"A price has at most {MAX_PRICE_DIGITS} digits.")
    return text or "0"


def _shown(text: Any) -> str:
    """Text of upstream's, cut and without what cannot be stored."""
    cut = str(text if text is not None else "")[:255]
    try:
        validate_line(cut)
    except ValidationError:
        return "".join(c if c.isprintable() else "?" for c in cut)
    return cut
