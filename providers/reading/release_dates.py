"""When models came out, as far as upstreams' `created` can be trusted.

Catalogs write there when a model was made. Many servers write the time of asking, when they were started, or the same
number beside every model, and none of these is a release date.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

from catalog.validation.variants import variant_of
from providers.models import ProviderModel
from providers.reading.records import ParsedListing, Record

FIELD = "released_at"
# What lies within this of our asking is the time of asking, by a clock that may be wrong.
ASKING = timedelta(minutes=10)
# As many models of one listing do not come out in the same second.
SEVERAL = 3
MIDNIGHT = time()
# Its `created` may lie in the future: models that are listed under a code name come out later.
MAY_BE_AHEAD = frozenset({"openrouter"})


def settled(parsed: ParsedListing, offers: Mapping[str, ProviderModel], kind: str, now: datetime) -> ParsedListing:
    """The listing with only those release dates that can be ones. `offers` are the provider's, by upstream id.

    A date that was taken once stays, so that a server that sends another one each time changes nothing.
    """
    dates = [_moment(record.facts) for record in parsed.records]
    known = [date for date in dates if date is not None]
    # One value beside most of the models is no model's own.
    constants = {date for date, count in Counter(known).items() if count > 1 and count * 2 > len(known)}
    constants |= _shared(parsed.records, dates)
    if all(date > now - ASKING for date in known):
        constants.update(known)
    records = []
    for record, date in zip(parsed.records, dates, strict=True):
        offer = offers.get(record.upstream_id)
        latest = None if kind in MAY_BE_AHEAD else offer.first_listed_at if offer else now
        taken = _moment(offer.facts) if offer else None
        if taken is not None and (latest is None or taken <= latest):
            records.append(_with(record, offer.facts[FIELD] if offer else None))
        elif date is None or date in constants or (latest is not None and date > min(latest, now - ASKING)):
            records.append(_with(record, None))
        else:
            records.append(record)
    return replace(parsed, records=records)


def _shared(records: Iterable[Record], dates: Iterable[datetime | None]) -> set[datetime]:
    """The seconds that several models share, variants of one (`:free`, `:batch`) counted once.

    At midnight several may come out: whoever knows no more than the day writes that.
    """
    models: dict[datetime, set[str]] = {}
    for record, date in zip(records, dates, strict=True):
        if date is not None and date.time() != MIDNIGHT:
            variant = variant_of(record.model_id)
            models.setdefault(date, set()).add(variant.base or record.model_id if variant else record.model_id)
    return {date for date, ids in models.items() if len(ids) >= SEVERAL}


def _moment(facts: Mapping[str, Any]) -> datetime | None:
    value = facts.get(FIELD)
    return None if value is None else datetime.fromisoformat(value)


def _with(record: Record, value: str | None) -> Record:
    if record.facts.get(FIELD) == value:
        return record
    rest = {name: value for name, value in record.facts.items() if name != FIELD}
    return replace(record, facts=rest if value is None else {**rest, FIELD: value})
