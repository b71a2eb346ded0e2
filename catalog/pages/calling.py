"""How a program asks this server for a model, and what people write into the files of their tools to have it there."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from django.conf import settings

from catalog.pricing import Tariff

# Where models are called, as long as the deployment does not say it: Modeldex hands no call on.
_GATEWAY = "https://your-gateway.example/v1"
_KEY = "GATEWAY_API_KEY"


class Example(NamedTuple):
    name: str
    purpose: str
    text: str


def examples(origin: str, model_id: str) -> list[Example]:
    """Calls that ask this server for the model, quoted for each language."""
    address = f"{origin}/v1/models/{quote(model_id, safe='/:@~')}"
    base, text = json.dumps(f"{origin}/v1"), json.dumps(model_id)
    return [
        Example(
            "curl",
            "With an API key of yours in MODELDEX_API_KEY.",
            f'curl -H "Authorization: Bearer $MODELDEX_API_KEY" {shlex.quote(address)}',
        ),
        Example(
            "Python",
            "With the package openai.",
            "import os\nfrom openai import OpenAI\n\n"
            f'client = OpenAI(base_url={base}, api_key=os.environ["MODELDEX_API_KEY"])\n'
            f"print(client.models.retrieve({text}))",
        ),
        Example(
            "JavaScript",
            "With the package openai.",
            'import OpenAI from "openai";\n\n'
            f"const client = new OpenAI({{ baseURL: {base}, apiKey: process.env.MODELDEX_API_KEY }});\n"
            f"console.log(await client.models.retrieve({text}));",
        ),
        Example(
            "CLI",
            "The list that command-line pickers read, where the model goes by its slug.",
            f'curl -sH "Authorization: Bearer $MODELDEX_API_KEY" {shlex.quote(f"{origin}/api/models?format=cli")} \\\n'
            f"  | jq --arg id {shlex.quote(model_id)} '.[] | select(.slug == $id)'",
        ),
    ]


def tools(item: Mapping[str, Any]) -> list[Example]:
    """What to write into the files of tools that ask no catalog; `item` is the model as the API shows it.

    Formats: https://zed.dev/docs/ai/use-api-access (openai_compatible), goose's declarative providers, and pi's
    models.json. What is unknown is left out, and the tool has a default for it; Zed alone requires a context.
    """
    gateway = settings.EXPORT_API_URL or _GATEWAY
    found = [
        Example("Goose", "~/.config/goose/custom_providers/gateway.json", _json(_goose(item, gateway))),
        Example("Pi", "~/.pi/agent/models.json", _json(_pi(item, gateway))),
        Example("aider", "In a shell.", _aider(item, gateway)),
    ]
    if item.get("context_length"):
        found.insert(0, Example("Zed", "In settings.json.", _json(_zed(item, gateway))))
    return found


def _zed(item: Mapping[str, Any], gateway: str) -> dict[str, Any]:
    abilities = item.get("capabilities", ())
    model = _known(
        name=item["id"],
        display_name=item["name"],
        max_tokens=item["context_length"],
        max_output_tokens=item.get("max_output_tokens"),
        capabilities={
            "tools": "tools" in abilities,
            "images": "vision" in abilities,
            "parallel_tool_calls": False,
            "prompt_cache_key": False,
        },
    )
    return {"language_models": {"openai_compatible": {"Gateway": {"api_url": gateway, "available_models": [model]}}}}


def _goose(item: Mapping[str, Any], gateway: str) -> dict[str, Any]:
    return {
        "name": "gateway",
        "engine": "openai",
        "display_name": "Gateway",
        "api_key_env": _KEY,
        "base_url": gateway,
        "models": [_known(name=item["id"], context_limit=item.get("context_length"))],
        "supports_streaming": True,
    }


def _pi(item: Mapping[str, Any], gateway: str) -> dict[str, Any]:
    tariff, abilities = Tariff(item.get("pricing", {})), item.get("capabilities", ())
    prices = {
        name: float(price)
        for name, kind in (("input", "prompt"), ("output", "completion"), ("cacheRead", "input_cache_read"))
        if (price := tariff.per_million(kind)) is not None
    }
    both = {"cacheRead": 0, "cacheWrite": 0, **prices} if {"input", "output"} <= prices.keys() else None
    model = _known(
        id=item["id"],
        name=item["name"],
        reasoning="reasoning" in abilities,
        input=["text", "image"] if "vision" in abilities else ["text"],
        contextWindow=item.get("context_length"),
        maxTokens=item.get("max_output_tokens"),
        cost=both,
    )
    return {
        "providers": {
            "gateway": {"baseUrl": gateway, "api": "openai-completions", "apiKey": f"${_KEY}", "models": [model]}
        }
    }


def _aider(item: Mapping[str, Any], gateway: str) -> str:
    return (
        f"export OPENAI_API_BASE={shlex.quote(gateway)} OPENAI_API_KEY=${_KEY}\n"
        f"aider --model {shlex.quote('openai/' + item['id'])}"
    )


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
