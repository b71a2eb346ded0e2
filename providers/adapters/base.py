"""What an adapter is: one upstream's addresses, units and odd values, turned into typed listings.

Adapters know no database, settings or logging. They fetch through `UpstreamClient`; each failure is an `UpstreamError`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urljoin

from catalog import capabilities
from providers.adapters import values
from providers.adapters.values import Unstorable, Unusable
from providers.client.http import UpstreamClient, UpstreamError, origin_of

MAX_PAGES = 50
# Of one listing: thirty times what the largest aggregators have.
MAX_RECORDS = 20_000
EFFORTS = {
    "none": "Does not reason before it answers",
    "minimal": "Reasons as little as it can",
    "low": "Reasons a little; quickest to answer",
    "medium": "Weighs speed against depth",
    "high": "Reasons at length",
    "xhigh": "Reasons at great length",
    "max": "Reasons as long as it can",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """One model as one provider offers it.

    `facts` maps synced fields of an AI model to values and lacks what upstream does not state. `pricing` has plain
    decimal strings in USD (per token; per request, image and search where so named) and lacks what is not known.
    `problems` names fields that were sent but could not be used.
    """

    upstream_id: str
    model_id: str
    facts: dict[str, Any]
    pricing: dict[str, Any]
    problems: tuple[str, ...] = ()


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

    listings: list[Listing]
    bad: list[BadRecord]
    total: int


class Rejected(Exception):
    """Raised while a record is parsed: the record cannot be used, and the text gives the reason."""


@dataclass(slots=True)
class ListingBuilder:
    """A listing while it is being built; takes values through the cleaning functions and collects the problems."""

    upstream_id: str
    model_id: str
    facts: dict[str, Any] = field(default_factory=dict)
    pricing: dict[str, Any] = field(default_factory=dict)
    extras: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def clean(self, name: str, value: Any, cleaner: Callable[[Any], Any]) -> Any:
        """The cleaned value; None, and a problem noted, when it cannot be used."""
        try:
            return cleaner(value)
        except Unstorable as error:
            raise Rejected(f"{name} {error}") from None
        except Unusable as error:
            self.problems.append(f"{name} {error}")
            return None

    def put(self, fact: str, value: Any, cleaner: Callable[[Any], Any], called: str | None = None) -> Any:
        found = self.clean(called or fact, value, cleaner)
        if found is not None:
            self.facts[fact] = found
        return found

    def text(self, fact: str, value: Any, limit: int = values.MAX_WORD) -> None:
        self.put(fact, value, lambda item: values.text(item, limit))

    def whole(self, fact: str, value: Any) -> None:
        self.put(fact, value, values.whole)

    def flag(self, fact: str, value: Any) -> None:
        self.put(fact, value, values.flag)

    def price(self, key: str, value: Any, *, per_million: bool = False) -> None:
        found = self.clean(f"price {key}", value, lambda item: values.price(item, per_million=per_million))
        if found is not None:
            self.pricing[key] = found

    def extra(self, key: str, value: Any) -> None:
        """Stored beside the fields; null, empty text and empty lists are not."""
        try:
            found = values.json_value(value)
        except Unusable as error:
            self.problems.append(f"{key} {error}")
            return
        if found not in (None, "", [], {}):
            self.extras[key] = found

    def modalities(self, given: Any, produced: Any) -> None:
        """Both lists, and the abilities that follow from them."""
        takes = self.clean("input_modalities", given, values.words)
        makes = self.clean("output_modalities", produced, values.words)
        if takes:
            order = ("text", "image", "file", "audio", "video")
            self.facts["input_modalities"] = values.in_order(takes, order)
            self.facts["supports_images"] = "image" in takes
            self.facts["supports_audio"] = "audio" in takes
            self.facts["supports_video"] = "video" in takes
        if makes:
            self.facts["output_modalities"] = values.in_order(makes, ("text", "image", "audio", "video"))
            self.facts["supports_embeddings"] = "embeddings" in makes

    def embedding(self) -> None:
        """For an upstream that calls it an embedding model in words of its own."""
        self.facts.setdefault("input_modalities", ["text"])
        self.facts["output_modalities"] = ["embeddings"]
        self.facts["supports_embeddings"] = True

    def chat(self, *, images: bool | None = None) -> None:
        """For an upstream that calls it a chat model, and perhaps states whether it sees images."""
        self.facts["task"] = capabilities.CHAT
        self.writes_text(images=images)

    def is_for(self, task: str) -> None:
        """For an upstream that states the task: one of `capabilities.TASKS`, or OTHER."""
        if task == capabilities.EMBEDDINGS:
            self.embedding()
        else:
            self.facts["task"] = task
            self.facts["supports_embeddings"] = False

    def writes_text(self, *, images: bool | None = None) -> None:
        """For an upstream that calls it a language model, which need not be one for conversations."""
        if images is not None:
            self.takes_images(images)
        self.facts.setdefault("output_modalities", ["text"])
        self.facts["supports_embeddings"] = False

    def takes_images(self, images: bool) -> None:
        self.facts["input_modalities"] = ["text", "image"] if images else ["text"]
        self.facts["supports_images"] = images

    def reasoning(self, efforts: Any, default: Any) -> None:
        levels = self.clean("reasoning_levels", efforts, values.words)
        if levels:
            ordered = values.in_order(levels, EFFORTS)
            self.facts["reasoning_levels"] = [
                {"effort": word, "description": EFFORTS.get(word, "")} for word in ordered
            ]
        self.put("default_reasoning_level", default, values.text)

    @property
    def task(self) -> str:
        """What the model is for, as far as this record and its id show."""
        return capabilities.task_of_facts(self.upstream_id, self.facts)

    def paid_otherwise(self) -> None:
        """For a model that is paid by the hour, the image or the second: token prices of zero are not its price."""
        for key in ("prompt", "completion"):
            if self.pricing.get(key) == "0":
                del self.pricing[key]

    def done(self) -> Listing:
        if self.task in capabilities.NOT_PAID_BY_TOKEN:
            self.paid_otherwise()
        if self.extras:
            self.facts["extras"] = self.extras
        return Listing(self.upstream_id, self.model_id, self.facts, self.pricing, tuple(self.problems))


class Adapter:
    """One kind of upstream. A new one is one file with a subclass, one line in `ADAPTERS`, one answer and its test."""

    kind: ClassVar[str]
    slug: ClassVar[str]
    default_base_url: ClassVar[str] = ""
    # What it can be asked for, and under which path below the base URL.
    listings: ClassVar[dict[str, str]] = {"models": "/models"}
    # The header of a credential, and the prefix of its value.
    credential_style: ClassVar[tuple[str, str]] = ("Authorization", "Bearer ")
    # True for a source that only adds facts to models which others list.
    enricher: ClassVar[bool] = False
    # The key of the records in the envelope.
    envelope: ClassVar[str] = "data"

    def __init__(self, base_url: str = "", namespace: str = "", *, any_script: bool = False):
        """`any_script`: its ids, which it shares with no other source, may have letters beyond ASCII."""
        self.base_url = (base_url or self.default_base_url).rstrip("/")
        self.namespace = namespace or self.slug
        self.any_script = any_script

    def url(self, path: str) -> str:
        return self.base_url + path

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
        return self.fetch_pages(client, self.url(self.listings[listing]), credential)

    def fetch_pages(self, client: UpstreamClient, url: str, credential: str | None) -> Any:
        first = page = self.get(client, url, credential)
        seen = {url}
        while following := self.next_page(page, url):
            following = urljoin(url, following)
            if origin_of(following) != origin_of(self.base_url):
                raise UpstreamError("wrong_shape", "The next page is said to be on another host; it was not read.")
            if following in seen or len(seen) >= MAX_PAGES:
                raise UpstreamError("wrong_shape", "The pages of the answer have no end.")
            seen.add(following)
            url, page = following, self.get(client, following, credential)
            # A broken page fails the whole answer: half a listing would look like lost models.
            records = page.get(self.envelope) if isinstance(page, dict) else None
            if not isinstance(records, list):
                raise UpstreamError("wrong_shape", "A page of the answer is not a list of models.")
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
            raise UpstreamError("empty", "The answer lists no models.")
        _refuse_too_many(records)
        self.check_kind(records, listing)
        listings: list[Listing] = []
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
        if not isinstance(payload, dict):
            raise UpstreamError("wrong_shape", "The answer is not an object with a list of models.")
        if "error" in payload and not isinstance(payload.get(self.envelope), list):
            raise UpstreamError("wrong_shape", "The answer reports an error instead of models.")
        if payload and self.envelope not in payload:
            raise UpstreamError("wrong_shape", "The answer is not an object with a list of models.")
        records = payload.get(self.envelope)
        if records is None:
            raise UpstreamError("empty", "The answer lists no models.")
        if not isinstance(records, list):
            raise UpstreamError("wrong_shape", "The answer is not an object with a list of models.")
        return records

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
            raise UpstreamError("not_recognised", f"This is not an answer of {self.kind}.")

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

    def facts_by_id(self, payload: Any) -> dict[str, Listing]:
        """The listings under our ids, for a source that adds facts to what others list."""
        return {listing.model_id: listing for listing in self.parse(payload, next(iter(self.listings))).listings}


def _refuse_too_many(records: list[Any]) -> None:
    if len(records) > MAX_RECORDS:
        raise UpstreamError("too_large", f"The answer lists more than {MAX_RECORDS} models.")


def count(number: int) -> str:
    return f"{number} model" if number == 1 else f"{number} models"


def short_name(name: str) -> str:
    """A display name without its author: "OpenAI: GPT-4o" is "GPT-4o". Split once; the author may be renamed."""
    author, found, rest = name.partition(": ")
    return rest.strip() if found and author and rest.strip() else name.strip()


def mapping(value: Any) -> dict[str, Any]:
    """The object, or an empty one where upstream sends null or another type."""
    return value if isinstance(value, dict) else {}
