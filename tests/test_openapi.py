"""config/api/openapi.py, the API's document: generated without a complaint, valid, and whole for every operation."""

import json
from typing import Any

import jsonschema
import pytest
import yaml
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from rest_framework import serializers

from catalog.api.fields import StrictSerializer
from config.api import protocols
from config.api.errors import REFUSALS
from config.api.pagination import MAX_PAGE_SIZE

METHODS = {"get", "put", "post", "patch", "delete"}
# Their answers are the same for everybody, and need no credential.
FOR_BALANCERS = {"health", "readiness"}


def _operations() -> list[Any]:
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return [
        pytest.param(path, operation, id=f"{method} {path}")
        for path, item in paths.items()
        for method, operation in item.items()
        if method in METHODS
    ]


OPERATIONS = _operations()
operations = pytest.mark.parametrize(("path", "operation"), OPERATIONS)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True)))


def test_it_is_made_without_a_warning():
    GENERATOR_STATS.reset()
    with GENERATOR_STATS.silence():
        SchemaGenerator().get_schema(request=None, public=True)
    complaints = [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]
    assert complaints == []


def test_it_is_valid_openapi_3_1(document):
    assert document["openapi"].startswith("3.1")
    validate_schema(document)


def test_every_operation_has_a_name_of_its_own():
    names = [operation.values[1].get("operationId") for operation in OPERATIONS]
    assert len(names) > 5
    assert len(set(names)) == len(names)


@operations
def test_an_operation_says_what_it_is(path, operation, document):
    assert operation["operationId"]
    assert operation["summary"]
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    assert set(operation["tags"]) <= described
    assert operation["tags"]


@operations
def test_an_operation_shows_an_example_of_its_answer(path, operation):
    answers = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
    assert answers
    for status, answer in answers.items():
        # An image, or the document as YAML, is no example to read.
        if content := answer.get("content", {}).get("application/json"):
            assert content.get("examples") or content.get("example"), f"{status} has no example"


@operations
def test_an_operation_shows_an_example_of_its_body(path, operation):
    for content in operation.get("requestBody", {"content": {}})["content"].values():
        assert content.get("examples") or content.get("example")


@operations
def test_an_operation_says_how_it_refuses(path, operation, document):
    wanted = {"500", "default"}
    if operation["operationId"] not in FOR_BALANCERS:
        wanted |= {"400", "401", "429", "503"}
    if "{" in path:
        wanted.add("404")
    if "{token}" in path:
        # Without a right token there is nothing there.
        wanted.remove("401")
    assert wanted <= set(operation["responses"])
    spoken = {protocol.root: protocol.name for protocol in protocols.registered() if not protocol.header}
    root = path.split("/")[1]
    envelope = f"{spoken[root]}Refusal" if root in spoken else "Error"
    for status in wanted:
        answer = resolved(operation["responses"][status], document)
        assert answer["content"]["application/json"]["schema"] == {"$ref": f"#/components/schemas/{envelope}"}


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("models_access", {"404"}),
        ("models_switch", {"404"}),
        ("keys_current", {"404"}),
        ("keys_update", {"404", "409"}),
        ("keys_rotate", {"404", "409"}),
        ("custom_models_update", {"404", "412"}),
        ("custom_models_share", {"404", "412"}),
        ("custom_models_delete", {"404", "412"}),
    ],
)
def test_a_refusal_that_only_the_view_knows_is_described_as_those_of_every_operation(document, name, statuses):
    (operation,) = (case.values[1] for case in OPERATIONS if case.values[1]["operationId"] == name)
    for status in statuses:
        examples = resolved(operation["responses"][status], document)["content"]["application/json"]["examples"]
        assert [example["value"]["code"] for example in examples.values()] == [REFUSALS[int(status)].code]


@operations
def test_every_answer_has_its_request_id(path, operation, document):
    for answer in operation["responses"].values():
        assert "X-Request-Id" in resolved(answer, document)["headers"]


def test_the_examples_of_refusals_fit_their_envelopes(document):
    for answer in document["components"]["responses"].values():
        content = answer["content"]["application/json"]
        schema = {"components": document["components"], **content["schema"]}
        for example in content.get("examples", {}).values():
            jsonschema.validate(example["value"], schema)


def test_no_shape_is_described_by_what_our_code_says_of_all(document):
    described = {name: shape.get("description", "") for name, shape in document["components"]["schemas"].items()}
    assert [name for name, text in described.items() if "The shape of an answer" in text] == []
    assert any(described.values())


def test_credentials_are_described(document):
    schemes = document["components"]["securitySchemes"]
    assert {scheme["type"] for scheme in schemes.values()} == {"http", "apiKey"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "accept", "content_type"),
    [
        ("", "*/*", "application/json"),
        ("", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("", "application/yaml", "application/yaml"),
        ("", "application/vnd.oai.openapi+json", "application/vnd.oai.openapi+json"),
        ("?format=json", "*/*", "application/json"),
        ("?format=yaml", "application/json", "application/yaml"),
    ],
)
def test_it_comes_in_the_form_that_is_asked_for(api, document, query, accept, content_type):
    answer = api.get(f"/api/schema{query}", HTTP_ACCEPT=accept)
    assert answer["Content-Type"].partition(";")[0] == content_type
    assert yaml.safe_load(answer.content)["paths"].keys() == document["paths"].keys()


def resolved(answer: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in answer:
        return answer
    return document["components"]["responses"][answer["$ref"].rpartition("/")[2]]


def test_its_introduction_tells_what_every_caller_needs(document):
    told = document["info"]["description"]
    for word in ("Base URL", "Authentication", "Pages", "Limits", "Errors", "Versions"):
        assert f"**{word}.**" in told
    assert str(MAX_PAGE_SIZE) in told
    named = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After", "X-Request-Id")
    assert [name for name in named if name not in told] == []


def _fields(serializer):
    for field in serializer.fields.values():
        inner = getattr(field, "child", field)
        yield from _fields(inner) if isinstance(inner, serializers.Serializer) else [inner]


@pytest.mark.parametrize("written", StrictSerializer.__subclasses__(), ids=lambda one: one.__name__)
def test_a_text_is_not_trimmed_before_its_documented_length_is_checked(written):
    bounded = [one for one in _fields(written()) if getattr(one, "max_length", None)]
    assert [one.field_name for one in bounded if getattr(one, "trim_whitespace", False)] == []
