"""Every server that speaks OpenAI's dialect: vLLM, llama.cpp, LM Studio, Groq, Together, xAI, DeepSeek and their like.

Each adds fields of its own to `{"data": [{"id": ...}]}`; the fields are recognised by name, not by server.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from catalog import capabilities as words
from catalog.pricing import BY_TOKEN, KINDS, OF_TEXT, is_for_one_token
from providers.adapters import purposes, values
from providers.adapters.base import Adapter
from providers.adapters.builder import ListingBuilder, mapping
from providers.client.http import UpstreamError

# LM Studio's length of what is loaded right now comes last: it comes and goes with each use of the model.
_CONTEXT = (
    "n_ctx", "max_model_len", "context_window", "max_context_length", "context_length", "context_size",
    "max_input_tokens", "max_sequence_length", "loaded_context_length",
)  # fmt: skip
_MAX_OUTPUT = ("max_completion_tokens", "max_tokens", "max_output_length", "max_output_tokens")
# Where a purpose is stated: in fields that may say other things as well, and in those that say nothing else.
_TYPES = ("type", "model_type")
_PURPOSES = ("task", "pipeline_tag", "mode")
# Each server's words for what a model can do, as an entry of a list or as the key of a flag.
_ABILITIES = {
    "supports_tools": (
        "supports_tools",
        "tools",
        "tool_use",
        "tool_calling",
        "function_calling",
        "trained_for_tool_use",
    ),
    "supports_reasoning": ("supports_reasoning", "reasoning", "thinking"),
    "supports_structured_output": ("structured_output", "structured_outputs", "json_schema"),
}
_VISION = ("vision", "vlm", "image_input", "supports_image_input", "supports_vision")
# Numbers under these names are USD per million tokens: Together's and Hugging Face's, then DeepInfra's.
_PER_MILLION = {
    "input": "prompt",
    "output": "completion",
    "input_tokens": "prompt",
    "output_tokens": "completion",
    "cache_read_tokens": "input_cache_read",
}
# Of these a million is one of characters, seconds or pixels: Together asks 65 for a million characters of a voice.
_PAID_BY_LENGTH = frozenset({words.SPEECH, words.TRANSCRIPTION, words.IMAGE_GENERATION, words.VIDEO_GENERATION})
# Objects of prices that name their unit.
_BY_MILLION = re.compile(r"(?:pric(?:e|es|ing)|costs?)_per_(?:million|1m)(?:_tokens)?", re.IGNORECASE)
# Objects with further facts of the model: DeepInfra's, GitHub's.
_NESTED = ("metadata", "limits")
# Objects that are read, or that do not describe the model itself.
_READ = frozenset(
    {*_NESTED, "architecture", "meta", "pricing", "providers", "capabilities", "quantization", "permission",
     "loaded_instances"}
)  # fmt: skip
_PRICE = re.compile(r"pric|cost|usd|billing", re.IGNORECASE)
_LIKE_CONTEXT = re.compile(r"context|(?:^|_)n?ctx(?:_|$)|seq(?:uence)?_?len|max_position", re.IGNORECASE)
_FACT = re.compile(rf"{_LIKE_CONTEXT.pattern}|pric|cost|modalit|tokens", re.IGNORECASE)


class Compatible(Adapter):
    kind = "compatible"
    title = "Any server that speaks OpenAI's dialect (vLLM, LM Studio, llama.cpp, Together, ...)"
    example = "http://127.0.0.1:8000/v1"

    def records(self, payload: Any) -> list[Any]:
        if isinstance(payload, list):
            # Together sends the bare list.
            return _with_parents(payload)
        models = payload.get("models") if isinstance(payload, dict) and "data" not in payload else None
        if isinstance(models, list):
            # LM Studio's own API; llama.cpp sends such a list too, full of empty texts, beside the real one.
            if models and not any("key" in mapping(item) for item in models):
                raise UpstreamError.of_answer(
                    "not_recognised", "is not in OpenAI's dialect: its models stand under data."
                )
            return models
        return _with_parents(super().records(payload))

    def sent_id(self, record: dict[str, Any]) -> Any:
        return record.get("id", record.get("key"))

    def read(self, record: dict[str, Any], draft: ListingBuilder, listing: str) -> bool | None:
        if record.get("active") is False:
            return False  # Groq lists what it no longer serves.
        sent = _flat(record)
        draft.text("name", sent.get("display_name") or sent.get("name") or sent.get("title"), values.MAX_NAME)
        draft.text("description", sent.get("description") or sent.get("summary"), values.MAX_DESCRIPTION)
        draft.put("released_at", record.get("created"), values.moment, "created")
        meta = mapping(record.get("meta"))
        _first(draft, "context_length", sent, _CONTEXT)
        _first(draft, "max_output_tokens", sent, _MAX_OUTPUT)
        _kind(sent, draft)
        if draft.facts.get("supports_embeddings"):
            draft.put("embedding_dimensions", meta.get("n_embd"), values.whole)
        _abilities(sent, draft)
        _prices(sent.get("pricing"), draft)
        _by_million(sent, draft)
        for kind, name in (("prompt", "input_token_price_per_m"), ("completion", "output_token_price_per_m")):
            # Novita's unit is not known, but zero is zero in each.
            if type(record.get(name)) in (int, Decimal) and not record[name]:
                draft.price(kind, 0)
        _hosts(_serving(record), draft)
        if _is_paid_besides(record):
            draft.paid_otherwise()
        _extras(record, meta, draft)
        _remark_what_is_lost(record, draft)
        return None


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """The facts of a record, those that stand in its objects too."""
    sent: dict[str, Any] = {}
    for nested in (*(mapping(record.get(name)) for name in _NESTED), record):
        sent |= {name: value for name, value in nested.items() if value is not None}
    meta = mapping(record.get("meta"))
    if context := meta.get("n_ctx") or meta.get("n_ctx_train"):
        sent["n_ctx"] = context
    return sent


def _contexts(record: dict[str, Any]) -> dict[str, Any]:
    """The context lengths that a record names, wherever they stand."""
    sent = _flat(record)
    if named := {field: sent[field] for field in _CONTEXT if sent.get(field)}:
        return named
    hosts = [context for host in _serving(record) if type(context := host.get("context_length")) is int and context > 0]
    return {"context_length": min(hosts)} if hosts else {}


def _with_parents(records: list[Any]) -> list[Any]:
    """The records, where those that name a parent of the same list (vLLM's LoRA adapters) have its context length.

    An adapter may be trained upon another, and that upon a third.
    """
    named: dict[Any, dict[str, Any]] = {}
    for field in ("root", "id"):
        named |= {name: record for record in records if isinstance(name := mapping(record).get(field), str)}
    known: dict[int, dict[str, Any]] = {}
    for record in records:
        line, passed = record if isinstance(record, dict) else None, []
        while line is not None and id(line) not in known:
            passed.append(id(line))
            # Until more is known, so that a circle ends where it began.
            found = known[id(line)] = _contexts(line)
            parent = line.get("parent")
            line = named.get(parent) if isinstance(parent, str) and not found else None
        if passed:
            known |= dict.fromkeys(passed, known[passed[-1] if line is None else id(line)])
    return [{**record, **known[id(record)]} if isinstance(record, dict) else record for record in records]


def _first(draft: ListingBuilder, fact: str, record: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if record.get(name):
            draft.put(fact, record[name], values.whole, name)
            return


def _kind(sent: dict[str, Any], draft: ListingBuilder) -> None:
    architecture = mapping(sent.get("architecture"))
    draft.modalities(*_modalities(sent, architecture, draft))
    stated = [sent[name] for name in (*_TYPES, *_PURPOSES) if sent.get(name)]
    task = next(filter(None, map(purposes.task_of, stated)), None)
    if task == words.CHAT or (task is None and sent.get("supports_chat") is True):
        draft.chat()
    elif task:
        draft.is_for(task)
    elif sent.get("supports_chat") is False:
        draft.is_for(_not_for_chat(str(sent.get("kind")), draft.upstream_id))
    elif any(map(purposes.is_language, stated)):
        draft.writes_text()
    elif any(map(_is_foreign, (*_TYPES, *_PURPOSES), map(sent.get, (*_TYPES, *_PURPOSES)))):
        draft.is_for(words.OTHER)
    elif isinstance(parent := sent.get("parent"), str):
        # A LoRA adapter's name is anybody's choice.
        draft.is_for(words.task_of_name(parent) or words.CHAT)
    elif "output_modalities" not in draft.facts and draft.task == words.EMBEDDINGS:
        draft.embedding()


def _is_foreign(name: str, word: Any) -> bool:
    """Whether the field states a purpose that we do not know. A type may be any word, such as "model" or "base"."""
    return purposes.is_foreign(word) and (name in _PURPOSES or bool(re.search("[-_]to[-_]", word)))


def _modalities(sent: dict[str, Any], architecture: dict[str, Any], draft: ListingBuilder) -> tuple[Any, Any]:
    """What it takes and what it makes, wherever that stands."""
    flat, found = sent.get("modalities"), []
    arrow = architecture.get("modality", sent.get("modality"))
    sides = arrow.split("->") if isinstance(arrow, str) and arrow.count("->") == 1 else None
    for way in ("input", "output"):
        names = (f"{way}_modalities", f"supported_{way}_modalities", f"{way}Modalities")
        listed = [place[name] for place in (sent, architecture) for name in names if place.get(name) is not None]
        listed += [mapping(flat)[way]] if mapping(flat).get(way) is not None else []
        if sides:
            listed.append([word.strip() for word in sides[way == "output"].split("+")])
        found.append(listed[0] if listed else None)
    if isinstance(flat, list) and found == [None, None]:
        if "text" not in flat:
            draft.problems.append("modalities does not say which are taken and which are made")
        else:
            # Of a model that writes these are what it takes: few make anything else.
            found[0] = flat
    return found[0], found[1]


def _not_for_chat(kind: str, upstream_id: str) -> str:
    """What a model of Fireworks is for that is not for chat."""
    if named := words.task_of_name(upstream_id):
        return named
    if kind.startswith("FLUMINA"):
        return words.IMAGE_GENERATION
    return words.COMPLETION if kind.startswith("HF_") else words.OTHER


def _abilities(sent: dict[str, Any], draft: ListingBuilder) -> None:
    flags = {name: flag for name, flag in sent.items() if name.startswith("supports_") and isinstance(flag, bool)}
    if sent.get("type") == "vlm":
        flags["vlm"] = True
    for name in ("features", "tags", "capabilities"):
        if isinstance(listed := sent.get(name), list):
            flags |= {word.lower().replace("-", "_"): True for word in listed if isinstance(word, str)}
        else:
            flags |= {word: flag for word, flag in mapping(listed).items() if isinstance(flag, bool)}
    for fact, names in _ABILITIES.items():
        if found := [flags[name] for name in names if name in flags]:
            draft.facts[fact] = any(found)
    sees = [flags[name] for name in _VISION if name in flags]
    if sees and "input_modalities" not in draft.facts:
        draft.takes_images(any(sees))
    features = draft.clean("supported_features", sent.get("supported_features"), values.words)
    if features is not None:
        # A list of all that there is: what it lacks, the model lacks.
        draft.facts["supports_tools"] = "tools" in features
        draft.facts["supports_reasoning"] = "reasoning" in features
        draft.facts["supports_structured_output"] = bool({"json_schema", "structured_outputs"} & set(features))


def _prices(pricing: Any, draft: ListingBuilder) -> None:
    if pricing is None:
        return
    if not isinstance(pricing, dict) or not _is_in_usd(pricing):
        draft.problems.append("pricing is not an object of prices in USD")
        return
    otherwise = False
    # What is far too dear for a token is for a million of them, and then so is all the rest.
    tokens = [amount for name, amount in pricing.items() if name in BY_TOKEN and isinstance(amount, str)]
    in_doubt = BY_TOKEN if not all(map(is_for_one_token, tokens)) else frozenset()
    for name, amount in pricing.items():
        is_number = isinstance(amount, (int, Decimal)) and not isinstance(amount, bool)
        if name in _PER_MILLION and is_number and (draft.task not in _PAID_BY_LENGTH or name.endswith("_tokens")):
            draft.price(_PER_MILLION[name], amount, per_million=True)
        elif name in KINDS and name not in in_doubt and (isinstance(amount, str) or (is_number and not amount)):
            # Text under OpenRouter's names is in OpenRouter's units, and zero is zero in each.
            draft.price(name, amount)
            otherwise |= name not in OF_TEXT and name not in draft.pricing and not values.is_nothing(amount)
        elif not values.is_nothing(amount) and (
            name in (*_PER_MILLION, "prompt", "completion") or values.costs(amount)
        ):
            # Such as a number under OpenRouter's names, which some servers mean per token and some per million.
            if name not in ("hourly", "base", "finetune"):
                draft.problems.append(f"price {name} is in a unit that is not known")
            otherwise |= name not in (*_PER_MILLION, *OF_TEXT, "finetune") and values.costs(amount)
    if otherwise:
        # Together, for one, writes zeros for the tokens of what is paid by the hour.
        draft.paid_otherwise()


def _is_in_usd(pricing: dict[str, Any]) -> bool:
    return (pricing.get("currency") or "USD") == "USD"


def _by_million(sent: dict[str, Any], draft: ListingBuilder) -> None:
    """Prices in an object that is named for their unit."""
    for field, pricing in sent.items():
        if not _BY_MILLION.fullmatch(field) or not isinstance(pricing, dict):
            continue
        for name, amount in pricing.items():
            key = _PER_MILLION.get(name, name)
            if key in BY_TOKEN and _is_in_usd(pricing):
                draft.price(key, amount, per_million=True)
            elif values.costs(amount):
                draft.problems.append(f"{field} {name} is in a unit that is not known"[:200])


def _is_paid_besides(record: Any) -> bool:
    """Whether something beside `pricing`, on any level, is named as a price and is not zero."""
    if isinstance(record, list):
        return any(map(_is_paid_besides, record))
    return isinstance(record, dict) and any(
        (_PRICE.search(name) and values.costs(value)) or _is_paid_besides(value)
        for name, value in record.items()
        if name not in ("pricing", "providers") and not _BY_MILLION.fullmatch(name)
    )


def _serving(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The hosts that Hugging Face's router names for a model."""
    hosts = record.get("providers")
    listed = [mapping(host) for host in hosts] if isinstance(hosts, list) else []
    return [host for host in listed if host.get("status", "live") == "live"]


def _hosts(serving: list[dict[str, Any]], draft: ListingBuilder) -> None:
    """The router picks one of those who serve the model: what is true of each of them is read."""
    contexts = [draft.clean("context_length", host.get("context_length"), values.whole) for host in serving]
    if known := [context for context in contexts if context]:
        draft.facts.setdefault("context_length", min(known))
    for fact in ("supports_tools", "supports_structured_output"):
        if flags := [host[fact] for host in serving if isinstance(host.get(fact), bool)]:
            draft.facts[fact] = all(flags)
    pricings = [mapping(host.get("pricing")) for host in serving]
    for key, name in (("prompt", "input"), ("completion", "output")):
        amounts = [pricing[name] for pricing in pricings if pricing.get(name) is not None]
        if not all(isinstance(amount, (int, Decimal)) and not isinstance(amount, bool) for amount in amounts):
            draft.problems.append(f"price {name} of a host is in a unit that is not known")
        elif amounts:
            draft.price(key, max(amounts), per_million=True)
    besides = [value for pricing in pricings for name, value in pricing.items() if name not in _PER_MILLION]
    if values.costs(besides) or _is_paid_besides(serving):
        draft.paid_otherwise()


def _remark_what_is_lost(record: dict[str, Any], draft: ListingBuilder) -> None:
    """Names what looks like a limit, a price or a modality and is not read, so that somebody may notice."""
    for name, value in record.items():
        if name in _READ or name in (*_CONTEXT, *_MAX_OUTPUT) or "odalities" in name:
            continue
        if _BY_MILLION.fullmatch(name) and isinstance(value, dict):
            continue
        parts = map(mapping, value if isinstance(value, list) else [value])
        lost = [key for part in parts for key, fact in part.items() if _FACT.search(key) and _says(fact)]
        if lost:
            draft.problems.append(f"{name} holds facts that are not read: {', '.join(dict.fromkeys(lost))}"[:200])
        elif _PRICE.search(name) and _says(value) and (isinstance(value, (int, str, Decimal)) or values.costs(value)):
            draft.problems.append(f"{name} is in a unit that is not known")
    if "context_length" not in draft.facts:
        unread = dict.fromkeys(_like_contexts(record))
        draft.problems += [f"{name} looks like a context length and is not read"[:200] for name in unread]


def _says(value: Any) -> bool:
    """Whether anything is stated by it."""
    return value not in (None, "", 0, [], {}) and not values.is_nothing(value)


def _like_contexts(record: dict[str, Any], within: str = "") -> Iterator[str]:
    """The numbers that are named like a context length, in whatever object they stand that is not read for it."""
    for name, value in record.items():
        is_read = name in _CONTEXT and within in ("", *(f"{nested}." for nested in _NESTED))
        if isinstance(value, dict):
            if within or name in _READ:
                yield from _like_contexts(value, f"{within}{name}.")
        elif isinstance(value, int | Decimal) and value > 1 and _LIKE_CONTEXT.search(name) and not is_read:
            yield within + name


def _extras(record: dict[str, Any], meta: dict[str, Any], draft: ListingBuilder) -> None:
    quantization = record.get("quantization")
    draft.extra("quantization", mapping(quantization).get("name") or quantization or meta.get("ftype"))
    draft.extra("parameter_size", record.get("params_string") or meta.get("n_params"))
    draft.extra("size_bytes", record.get("size_bytes") or meta.get("size"))
    draft.aliases(record.get("aliases"))
    draft.extra("owned_by", record.get("owned_by") or record.get("organization") or record.get("publisher"))
    draft.extra("license", record.get("license"))
    draft.extra("parent", record.get("parent"))
