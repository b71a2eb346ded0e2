"""What is answered is what the OpenAPI document says: every operation's 2xx answers, and every example.

A new operation needs its requests in ASKED, or a test fails; those of the dialects follow from their registry. Schemas are closed first: a field that is answered and
not described fails as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from fnmatch import fnmatch
from typing import Any, NamedTuple

import pytest
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

from apikeys import tokens
from apikeys.models import ExportToken
from catalog.dialects import registry
from catalog.models import ModelImage
from providers.lists import cache, items, upstream
from providers.models import Provider
from tests.export_tokens import export_token

METHODS = {"get", "put", "post", "delete", "patch"}
KEY_ID = "4Xq0sWm3TzBk"


class Ask(NamedTuple):
    """One request: what completes the operation's path, who asks, and the status expected."""

    of: str = ""
    query: str = ""
    body: Any = None
    caller: str = "alice"
    status: int = 200


EXPORTED, REVOKED = export_token(1), export_token(2)
EXPORT = Ask(EXPORTED.text, caller="anonymous")
# What stands in a path beside what is asked for.
NAMED = {"export_id": EXPORTED.key_id, "provider": "acme"}
LARGE, MINE, KEY = Ask("acme/large"), Ask("mine"), Ask(KEY_ID)
GRANTS = [{"principal_type": "everyone", "principal_id": "", "permission": "read"}]
NEW = {
    "id": "fresh",
    "name": "New",
    "base_model_id": "acme/large",
    "params": {"temperature": 1},
    "meta": {"description": "Mine.", "capabilities": {"vision": True}, "tags": ["one"]},
    "access_grants": GRANTS,
}
SWITCH = {"model_id": "acme/small", "is_enabled": False}
NEW_KEY = {"name": "new", "allowed_models": ["acme/*"], "per_minute": 20, "expires_at": "2999-01-01T00:00:00Z"}

# operation -> its requests. What an upstream lists is stored for two lists; the others have their stand-ins.
ASKED: dict[str, list[Ask]] = {
    "health": [Ask(caller="anonymous")],
    "readiness": [Ask(caller="anonymous")],
    "api_document": [Ask(), Ask(query="?format=yaml")],
    "models_catalog": [
        Ask(caller=caller, query=query) for caller in ("alice", "anonymous", "key") for query in ("", "?format=cli")
    ],
    "models_switch": [Ask(body=SWITCH), Ask(body={"updates": [SWITCH]})],
    "models_retrieve": [LARGE, MINE, Ask("acme/bare"), LARGE._replace(caller="anonymous"), Ask("theirs")],
    "models_access": [Ask(query="?model_id=acme/large"), Ask(query="?model_id=acme/secret&user=alice", caller="ops")],
    "models_list": [Ask(), Ask(query="?page=9"), Ask(query="?include=hidden,inactive", caller="ops")],
    "models_tags": [Ask(), Ask(caller="anonymous")],
    "changes_list": [Ask(), Ask(caller="anonymous")],
    "custom_models_create": [Ask(body=NEW, status=201)],
    "custom_models_retrieve": [MINE],
    "custom_models_update": [MINE._replace(body={"name": "Other", "meta": {"description": "Other."}})],
    "custom_models_share": [MINE._replace(body={"access_grants": GRANTS}), MINE._replace(body={"access_grants": []})],
    "custom_models_image": [MINE],
    "custom_models_delete": [MINE._replace(status=204)],
    "provider_lists_openrouter": [Ask()],
    "provider_lists_openrouter_embeddings": [Ask()],
    "provider_lists_ollama": [Ask(), Ask(caller="key")],
    "provider_lists_openai": [Ask()],
    "settings_retrieve": [Ask()],
    "settings_update": [Ask(body={"theme": "dark", "default_model": "acme/large"}), Ask(body={"default_model": None})],
    "openai_models_list": [Ask(), Ask(caller="key"), Ask(caller="narrow")],
    "litellm_model_info": [Ask(), Ask(caller="narrow"), Ask(query="?require=pricing,context_length")],
    "openrouter_models_list": [Ask(), Ask(query="?offset=1&limit=2"), Ask(caller="narrow")],
    "openrouter_models_user": [Ask(caller="key")],
    "google_v1_models_list": [Ask(query="?pageSize=1"), Ask(caller="narrow")],
    "ollama_show": [Ask(body={"model": "acme/large"}), Ask(body={"model": "acme/bare"})],
    "keys_list": [Ask(), Ask(caller="key")],
    "keys_create": [Ask(body=NEW_KEY, status=201), Ask(body={"name": "plain"}, status=201)],
    "keys_current": [Ask(caller="key"), Ask(caller="narrow")],
    "keys_retrieve": [KEY],
    "keys_update": [KEY._replace(body={"denied_models": ["acme/small"], "mode": "deny_list"})],
    "keys_rotate": [KEY._replace(body={"overlap_seconds": 60})],
    "keys_revoke": [KEY._replace(status=204)],
    "keys_exports_list": [KEY],
    "keys_exports_create": [KEY._replace(body={"name": "aider"}, status=201)],
    "keys_exports_revoke": [KEY._replace(status=204)],
    "export_modelsdev": [EXPORT, EXPORT._replace(query="?priced=1"), Ask(REVOKED.text)],
    "export_changes": [EXPORT, Ask(REVOKED.text)],
    "export_litellm_map": [EXPORT, EXPORT._replace(query="?priced=1")],
}


def closed(schema: Any) -> Any:
    """The schema, with no room for properties that it does not name."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    shut = {name: closed(part) for name, part in schema.items()}
    return {"additionalProperties": False, **shut} if isinstance(schema.get("properties"), dict) else shut


DOCUMENT = json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True)))
COMPONENTS = {"schemas": closed(DOCUMENT["components"]["schemas"])}
OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    operation["operationId"]: (method, path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
}


def _of_a_dialect(path: str) -> list[Ask]:
    if "{token}" in path:
        return [EXPORT, Ask(REVOKED.text)]
    return [LARGE, Ask("acme/bare"), MINE] if "{model_id}" in path else [Ask(), Ask(caller="narrow")]


# What each route of a dialect is asked, where nothing else stands above.
_PATHS = {"/" + re.sub(r"<\w+:(\w+)>", r"{\1}", str(route.pattern)) for route in registry.routes}
ASKED |= {
    name: _of_a_dialect(path) for name, (_, path, _) in OPERATIONS.items() if path in _PATHS and name not in ASKED
}


def faults(value: Any, schema: dict[str, Any]) -> list[str]:
    """Where the value is not what the schema says, for people."""
    validator = Draft202012Validator(
        {**closed(schema), "components": COMPONENTS}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def faults_of(answer: Any, operation: dict[str, Any]) -> list[str]:
    """The same of an answer to an operation. What is no JSON has only its type described."""
    described = operation["responses"][str(answer.status_code)].get("content", {})
    if not described:
        return ["has a body"] if answer.content else []
    kind = answer["Content-Type"].partition(";")[0]
    schema = next(content["schema"] for media, content in described.items() if fnmatch(kind, media))
    return faults(answer.json(), schema) if kind == "application/json" else []


def _contents() -> Iterator[Any]:
    """Each body of the document, sent or answered: what has a schema and examples."""
    for name, (_, _, operation) in OPERATIONS.items():
        bodies = {"body": operation.get("requestBody", {}), **operation["responses"]}
        for which, body in bodies.items():
            yield from (pytest.param(content, id=f"{name} {which}") for content in body.get("content", {}).values())
    for name, answer in DOCUMENT["components"]["responses"].items():
        yield from (pytest.param(content, id=name) for content in answer["content"].values())


@pytest.fixture
def world(api, alice, bob, ops, make_model, make_key, monkeypatch) -> Callable[[str], Any]:
    """`world("key")`: a client that asks as them, where every field that can be known is known of some model."""
    large = make_model(
        "acme/large", tags=["fast"], description="Large.", family="large", context_length=128_000,
        max_output_tokens=4096, input_modalities=["text", "image"], output_modalities=["text"], tokenizer="o200k",
        instruct_type="chatml", supports_images=True, supports_tools=True, supports_parallel_tool_calls=True,
        supports_reasoning=True, supports_reasoning_summaries=True, supports_verbosity=True, default_verbosity="low",
        reasoning_levels=[{"effort": "low"}], default_reasoning_level="low", prefer_websockets=True,
        minimal_client_version="1.0.0", supported_parameters={"names": ["temperature"]}, is_moderated=False,
        released_at=datetime(2026, 1, 1, tzinfo=UTC), retires_at=date(2999, 1, 1), alias_of="acme/larger",
        pricing={"prompt": "0.0000025", "completion": "0.00001"}, recommended=True, recommendation_note="Good.",
        priority=10,
    )  # fmt: skip
    make_model("acme/larger")
    make_model("acme/small", supports_embeddings=True, embedding_dimensions=1536)
    make_model("acme/bare")
    make_model("acme/secret", restricted=True)
    make_model("acme/hidden", hidden=True)
    mine = make_model("mine", owner=alice, base_model=large, params={"top_p": 1}, tags=["own"], granted_to=[bob])
    make_model("theirs", owner=bob, base_model=large, granted_to="everyone")
    ModelImage.objects.create(model=mine, content_type="image/png", data=b"png", digest="0" * 64)
    owned = make_key(alice, key_id=KEY_ID, per_day=9).key
    for token, ended in ((EXPORTED, None), (REVOKED, datetime(2026, 1, 1, tzinfo=UTC))):
        digest = token.digest(tokens.newest_pepper())
        ExportToken.objects.create(key=owned, export_id=token.key_id, name="x", token_hash=digest, revoked_at=ended)
    key = make_key(alice, scopes=["models:read", "keys:write"], per_minute=60, per_day=900)
    narrow = make_key(alice, made_with=key.key, allow=["acme/none"])
    _store_lists(monkeypatch)
    clients = {
        "anonymous": api,
        "alice": api.as_(alice),
        "ops": api.as_(ops),
        "key": api.with_key(key.token),
        "narrow": api.with_key(narrow.token),
    }
    return clients.__getitem__


def _store_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(provider: Any, listing: str) -> Callable[[], Any]:
        def fetch() -> Any:
            raise cache.Unreadable("The connection was refused.")

        return fetch

    monkeypatch.setattr(upstream, "source", unreadable)
    facts = {"context_length": 8192, "embedding_dimensions": 1536}
    for name, model_id, local in (
        ("openrouter", "acme/large", {}),
        ("ollama", "qwen2.5:1.5b", {"parameter_size": "1.5B", "family": "qwen2", "size": 986_061_892}),
    ):
        listed = items.LISTS[name]
        provider, _ = Provider.objects.update_or_create(slug=listed.provider, defaults={"kind": listed.provider})
        item = items.item(model_id, model_id, facts=facts, pricing={"prompt": "0.00000015"}, **local)
        cache.store(provider, listed.listing, [item])


def test_every_operation_is_asked():
    assert set(ASKED) == set(OPERATIONS)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "ask"),
    [
        pytest.param(name, ask, id=f"{name} {ask.of}{ask.query} {ask.caller}")
        for name, asks in ASKED.items()
        for ask in asks
    ],
)
def test_an_answer_is_what_the_document_says(world, name, ask):
    method, path, operation = OPERATIONS[name]
    for parameter in operation.get("parameters", ()):
        path = path.replace(f"{{{parameter['name']}}}", NAMED.get(parameter["name"], ask.of))
    body = "" if ask.body is None else json.dumps(ask.body)
    answer = world(ask.caller).generic(method.upper(), path + ask.query, body, "application/json")
    assert answer.status_code == ask.status, answer.content
    assert faults_of(answer, operation) == []
    if ask.body is not None:
        assert faults(ask.body, operation["requestBody"]["content"]["application/json"]["schema"]) == []


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(name for name, (method, *_) in OPERATIONS.items() if method == "get"))
def test_no_parameter_of_an_operation_chooses_an_answer_that_it_does_not_describe(world, name):
    _, path, operation = OPERATIONS[name]
    ask = ASKED[name][0]
    for parameter in operation.get("parameters", ()):
        path = path.replace(f"{{{parameter['name']}}}", NAMED.get(parameter["name"], ask.of))
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"].get("items", parameter["schema"])
        for value in schema.get("enum", [1 if schema.get("type") == "integer" else "true"]):
            sent = {parameter["name"]: value} if parameter["in"] != "path" else {}
            found = {"headers": sent} if parameter["in"] == "header" else {"query_params": sent}
            answer = world(ask.caller).get(path, **found)
            assert answer.status_code != 200 or faults_of(answer, operation) == [], sent


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "of", "chosen", "query", "headers"),
    [
        ("openai_models_list", "", "anthropic", "?limit=3", {"anthropic-version": "2023-06-01"}),
        ("openai_models_retrieve", "acme/large", "anthropic", "", {"anthropic-version": "2023-06-01"}),
        ("openai_models_list", "", "codex", "?client_version=0.171.0", {}),
    ],
)
def test_what_a_header_or_parameter_chooses_is_what_the_document_says(world, name, of, chosen, query, headers):
    _, path, operation = OPERATIONS[name]
    schema = operation["responses"]["200"]["x-dialects"][chosen]
    answer = world("alice").get(path.replace("{model_id}", of) + query, headers=headers)
    assert answer.status_code == 200
    assert faults(answer.json(), schema) == []


@pytest.mark.parametrize("content", list(_contents()))
def test_an_example_is_what_its_schema_says(content):
    examples = [example["value"] for example in content.get("examples", {}).values()]
    assert [faults(example, content["schema"]) for example in examples] == [[] for _ in examples]


@pytest.mark.parametrize(
    ("body", "is_described"),
    [
        (SWITCH, True),
        ({"updates": [SWITCH]}, True),
        ({}, False),
        ({**SWITCH, "updates": [SWITCH]}, False),
        ({**SWITCH, "name": "Other"}, False),
    ],
)
def test_a_switch_is_one_or_several_and_never_both(body, is_described):
    content = OPERATIONS["models_switch"][2]["requestBody"]
    assert content["required"]
    assert (faults(body, content["content"]["application/json"]["schema"]) == []) is is_described


@pytest.mark.django_db
@pytest.mark.parametrize("public", [True, False])
def test_no_credential_is_listed_where_none_is_needed_and_nowhere_else(world, settings, public):
    settings.PUBLIC_CATALOG = public
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    for name in sorted(name for name, asks in ASKED.items() if OPERATIONS[name][0] == "get"):
        _, path, _ = OPERATIONS[name]
        ask = ASKED[name][0]
        security = paths[path]["get"].get("security", [{}])
        answer = world("anonymous").get(
            path.format(model_id=ask.of, key_id=ask.of, token=ask.of, provider="acme") + ask.query
        )
        assert (answer.status_code != 401) is ({} in security), name


def test_the_document_names_its_server():
    assert DOCUMENT["servers"] == [{"url": "/"}]
