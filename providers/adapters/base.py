"""What an adapter is: one upstream's addresses, units and odd values, turned into typed listings.

Adapters know no database, settings or logging. They fetch through `UpstreamClient`; each failure is an `UpstreamError`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urljoin, urlsplit

from providers.adapters import values
from providers.adapters.builder import ListedModel, ListingBuilder, Rejected, mapping
from providers.adapters.values import Unusable
from providers.client.http import UpstreamClient, UpstreamError, origin_of

MAX_PAGES = 50
# Of one listing: thirty times what the largest aggregators have.
MAX_RECORDS = 20_000


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that was left out: its place in the answer (from 0), its id where readable, and why.

    An id that is text but cannot be accepted is written as `values.legible` does it; None is left for a record
    without any.
    """

    index: int
    upstream_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed answer: `total` is the number of its records, good and bad."""

    listings: list[ListedModel]
    bad: list[BadRecord]
    total: int


class Adapter:
    """One kind of upstream. A new one is one file with a subclass, one line in `ADAPTERS`, one answer and its test."""

    kind: ClassVar[str]
    # What people call it, and an address to show them where it has none of its own.
    title: ClassVar[str]
    example: ClassVar[str] = ""
    default_base_url: ClassVar[str] = ""
    # What it can be asked for, and under which path below the base URL.
    listings: ClassVar[dict[str, str]] = {"models": "/models"}
    # The header of a credential, and the prefix of its value.
    credential_style: ClassVar[tuple[str, str]] = ("Authorization", "Bearer ")
    # The key of the records in the envelope.
    envelope: ClassVar[str] = "data"

    def __init__(self, base_url: str = "", namespace: str = "", *, any_script: bool = False):
        """`any_script`: its ids, which it shares with no other source, may have letters beyond ASCII."""
        self.base_url = (base_url or self.default_base_url).rstrip("/")
        self.namespace = namespace or self.kind
        self.any_script = any_script

    def url(self, path: str) -> str:
        return self.base_url + path

    def place(self, listing: str) -> str:
        """The host of a listing and the path under which it is asked for, for people."""
        parts = urlsplit(self.url(self.listings[listing]))
        return f"{parts.hostname} to {parts.path}"

    def headers(self) -> dict[str, str]:
        return {}

    def credential_header(self, credential: str | None) -> tuple[str, str] | None:
        if not credential:
            return None
        name, before = self.credential_style
        return name, before + credential

    def get(self, client: UpstreamClient, url: str, credential: str | None) -> Any:
        return client.get_json(url, self.headers(), self.credential_header(credential))

    def fetch(self, client: UpstreamClient, listing: str, credential: str | None = None) -> Any:
        """The whole answer to a listing, its pages joined; raises `UpstreamError`."""
        url = self.url(self.listings[listing])
        first = page = self.get(client, url, credential)
        seen, where = {url}, _place(url)
        while following := self.next_page(page, url):
            following = _followed(url, following)
            if following in seen or len(seen) >= MAX_PAGES:
                what = (
                    f"The pages of {where} have no end: one names a page that was read, or there are over {MAX_PAGES}."
                )
                raise UpstreamError("wrong_shape", what, brief="The pages of the answer have no end.")
            seen.add(following)
            url, page = following, self.get(client, following, credential)
            # A broken page fails the whole answer: half a listing would look like lost models.
            records = page.get(self.envelope) if isinstance(page, dict) else None
            if not isinstance(records, list):
                what = f"A page of {where} is not an object with the list {self.envelope}."
                raise UpstreamError("wrong_shape", what, brief="A page of the answer is not a list of models.")
            first = {**first, self.envelope: [*(first.get(self.envelope) or []), *records]}
            _refuse_too_many(first[self.envelope])
        return first

    def next_page(self, page: Any, url: str) -> str | None:
        """The address of the page after this one, absolute or relative to `url`; None after the last."""
        return None

    def parse(self, payload: Any, listing: str = "models") -> Answer:
        """Typed listings; raises `UpstreamError` (empty, wrong_shape, not_recognised), never for a single record."""
        records = self.records(payload)
        if not records:
            raise UpstreamError.of_answer("empty", "lists no models.")
        _refuse_too_many(records)
        self.check_kind(records, listing)
        listings: list[ListedModel] = []
        bad: list[BadRecord] = []
        taken: set[str] = set()
        for index, record in enumerate(records):
            upstream_id: str | None = None
            try:
                if not isinstance(record, dict):
                    raise Rejected("is not an object")
                upstream_id = values.legible(self.sent_id(record))
                upstream_id = self.upstream_id(record)
                catalog_id = self.catalog_id(upstream_id)
                draft = ListingBuilder(upstream_id, catalog_id)
                if self.read(record, draft, listing) is False:
                    continue
                if catalog_id in taken:
                    raise Rejected("has an id that an earlier record has already")
                taken.add(catalog_id)
                listings.append(draft.done())
            except (Rejected, Unusable) as error:
                bad.append(BadRecord(index, upstream_id, str(error)))
            except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
                # A shape that nobody foresaw costs its own record, not the run.
                bad.append(BadRecord(index, upstream_id, "has a shape that cannot be read"))
        return Answer(listings, bad, len(records))

    def records(self, payload: Any) -> list[Any]:
        """The list of records in the envelope; raises `UpstreamError`."""
        sent = mapping(payload)
        records = sent.get(self.envelope)
        if isinstance(records, list):
            return records
        if "error" in sent:
            raise UpstreamError.of_answer("wrong_shape", "reports an error instead of models.")
        if payload == {} or (self.envelope in sent and records is None):
            raise UpstreamError.of_answer("empty", "lists no models.")
        raise UpstreamError.of_answer("wrong_shape", f"is not an object with a list of models under {self.envelope}.")

    def sent_id(self, record: dict[str, Any]) -> Any:
        """The record's id as upstream sent it, whatever that is."""
        return record.get("id")

    def upstream_id(self, record: dict[str, Any]) -> str:
        try:
            return values.model_id(self.sent_id(record), any_script=self.any_script)
        except Unusable as error:
            raise Rejected(f"id {error}") from None

    def catalog_id(self, upstream_id: str) -> str:
        """Our id for theirs: always inside the provider's namespace, whatever the upstream sends."""
        try:
            # The id itself has been judged; whether the namespace is shared, the sync knows.
            return values.model_id(f"{self.namespace}/{upstream_id}", any_script=True)
        except Unusable as error:
            raise Rejected(f"id {error}") from None

    def read(self, record: dict[str, Any], draft: ListingBuilder, listing: str) -> bool | None:
        """Fills the builder from the record; False leaves the record out without a problem."""
        raise NotImplementedError

    def looks_like_ours(self, record: dict[str, Any]) -> bool:
        """False for a record that this upstream would evidently never send."""
        return True

    def check_kind(self, records: list[Any], listing: str) -> None:
        known = [record for record in records if isinstance(record, dict) and record]
        if known and sum(map(self.looks_like_ours, known)) * 2 < len(known):
            raise UpstreamError.of_answer(
                "not_recognised", f"is none of {self.kind}: is that the kind of the provider?"
            )

    def recognise(self, payload: Any) -> str | None:
        """Which listing a saved answer is of; None when it is no answer of this upstream."""
        try:
            records = self.records(payload)
            self.check_kind(records, "")
        except UpstreamError:
            return None
        return next(iter(self.listings)) if records else None

    def probe(self, client: UpstreamClient, credential: str | None = None) -> str:
        """Tries the connection and returns a sentence on what was found; raises `UpstreamError`."""
        listing = next(iter(self.listings))
        found = self.parse(self.fetch(client, listing, credential), listing)
        return f"Connected: {count(len(found.listings))} listed."


def _place(url: str) -> str:
    """The host and the path of an address, without the query, which may hold a secret."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path}"


def _followed(url: str, following: str) -> str:
    """The address of the next page, which must be where the page was that names it."""
    try:
        found = urljoin(url, following)
        is_elsewhere = origin_of(found) != origin_of(url)
    except (ValueError, UpstreamError):
        is_elsewhere = True
    if is_elsewhere:
        raise UpstreamError(
            "wrong_shape",
            f"{_place(url)} names a next page that is no address on its own host; it was not read.",
            brief="The next page is said to be on another host; it was not read.",
        )
    return found


def _refuse_too_many(records: list[Any]) -> None:
    if len(records) > MAX_RECORDS:
        raise UpstreamError.of_answer("too_large", f"lists more than {MAX_RECORDS} models.")


def count(number: int) -> str:
    return f"{number} model" if number == 1 else f"{number} models"
