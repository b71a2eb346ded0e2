"""A listing while it is built: values of upstream, cleaned, with the problems that they had."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from catalog import capabilities
from providers.adapters import values
from providers.adapters.values import Unstorable, Unusable

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
class ListedModel:
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
        """The cleaned value; None, and a problem noted, when it cannot be used. What is not sent is no problem."""
        if value is None:
            return None
        try:
            return cleaner(value)
        except Unstorable as error:
            raise Rejected(f"{name} {error}") from None
        except Unusable as error:
            self.problems.append(f"{name} {error}")
            return None

    def put(self, fact: str, value: Any, cleaner: Callable[[Any], Any], called: str | None = None) -> None:
        found = self.clean(called or fact, value, cleaner)
        if found is not None:
            self.facts[fact] = found

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

    def aliases(self, value: Any) -> None:
        """Its other names. Upstreams shuffle them, which is no change."""
        names = value if isinstance(value, list) else []
        self.extra("aliases", sorted((name for name in names if name != self.upstream_id), key=str))

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

    def done(self) -> ListedModel:
        if self.task in capabilities.NOT_PAID_BY_TOKEN:
            self.paid_otherwise()
        if self.extras:
            self.facts["extras"] = self.extras
        return ListedModel(self.upstream_id, self.model_id, self.facts, self.pricing, tuple(self.problems))


def mapping(value: Any) -> dict[str, Any]:
    """The object, or an empty one where upstream sends null or another type."""
    return value if isinstance(value, dict) else {}
