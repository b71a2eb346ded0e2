"""GET /api/models/list: what is found, in which order, in which shape, and at which price."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.models import AIModel
from preferences.models import ModelPreference

LIST = "/api/models/list"


def ids(response):
    assert response.status_code == 200, response.content
    return [item["id"] for item in response.json()["items"]]


@pytest.fixture
def mine(api, alice):
    return api.as_(alice)


@pytest.fixture
def preset(make_model, alice):
    """alice's custom model `helper` on `acme/large`."""

    def make(model_id="helper", **fields):
        base = AIModel.objects.filter(model_id="acme/large").first() or make_model("acme/large")
        return make_model(model_id, **{"owner": alice, "base_model": base, **fields})

    return make


# The shape (seed 001).


def test_an_item_has_the_shape_that_web_apps_know(mine, alice, make_model):
    base = make_model("acme/large", supports_images=True, context_length=8192)
    created = datetime(2024, 1, 1, tzinfo=UTC)
    make_model(
        "my-large", owner=alice, base_model=base, name="My large", params={"temperature": 0.7}, tags=["Fast"],
        description="Quick.", meta={"capabilities": {"vision": True}}, created_at=created, updated_at=created,
    )  # fmt: skip
    item = mine.get(LIST, {"view_option": "created"}).json()["items"][0]
    assert item | {
        "id": "my-large",
        "user_id": str(alice.pk),
        "base_model_id": "acme/large",
        "name": "My large",
        "params": {"temperature": 0.7},
        "meta": {
            "profile_image_url": None, "description": "Quick.", "capabilities": {"vision": True}, "tags": ["Fast"],
        },
        "access_grants": [],
        "is_active": True,
        "write_access": True,
        "user": {"id": str(alice.pk), "name": "Alice Adams", "email": "alice@example.com"},
        "created_at": 1704067200,
        "updated_at": 1704067200,
        "context_length": 8192,
        "capabilities": ["chat", "vision"],
        "is_available": True,
        "is_enabled": True,
        "tags": ["Fast"],
    } == item  # fmt: skip


def test_a_catalog_entry_belongs_to_nobody(mine, make_model):
    make_model("acme/large", description="Big.", prompt_price=2.5, pricing={"prompt": "0.0000025"})
    item = mine.get(LIST).json()["items"][0]
    assert (item["user_id"], item["user"], item["base_model_id"]) == ("", None, None)
    assert (item["params"], item["access_grants"], item["write_access"]) == ({}, [], False)
    assert item["meta"]["capabilities"] == {"chat": True}
    assert item["pricing"] == {"prompt": "0.0000025"}


@pytest.mark.parametrize(("permission", "sees_all"), [("read", False), ("write", True)])
def test_a_reader_sees_no_parameters_no_grants_and_no_address(api, bob, preset, permission, sees_all):
    preset(params={"system": "secret"}, granted_to=bob, permission=permission)
    item = next(item for item in api.as_(bob).get(LIST).json()["items"] if item["id"] == "helper")
    assert item["write_access"] is sees_all
    assert item["params"] == ({"system": "secret"} if sees_all else {})
    assert len(item["access_grants"]) == int(sees_all)
    assert item["user"]["name"] == "Alice Adams"
    assert item["user"]["email"] == ("alice@example.com" if sees_all else None)


def test_a_user_name_that_is_an_address_is_not_shown_whole(api, bob, make_user, make_model):
    carol = make_user("carol@example.com", email="carol@example.com")
    make_model("hers", owner=carol, base_model=make_model("acme/large"), granted_to=bob)
    response = api.as_(bob).get(LIST, {"view_option": "shared"})
    assert response.json()["items"][0]["user"] == {"id": str(carol.pk), "name": "carol", "email": None}
    assert ids(api.as_(bob).get(LIST, {"query": "carol@example"})) == []


def test_an_anonymous_caller_signs_in_first(api):
    assert api.get(LIST).status_code == 401


# Filters.


def test_created_and_shared_part_custom_models_by_their_owner(api, alice, bob, preset):
    preset("mine")
    preset("from-bob", owner=bob, granted_to=alice)
    preset("private", owner=bob)
    assert ids(api.as_(alice).get(LIST, {"view_option": "created"})) == ["mine"]
    assert ids(api.as_(alice).get(LIST, {"view_option": "shared"})) == ["from-bob"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"kind": "custom"}, {"preset"}),
        ({"kind": "catalog"}, {"acme/large", "acme/small", "other/eyes"}),
        ({"provider": "acme"}, {"acme/large", "acme/small"}),
        ({"provider": "ACME"}, set()),
        ({"offered_by": "openrouter"}, {"acme/large", "preset"}),
        ({"offered_by": "open"}, set()),
        ({"family": "LARGE ones"}, {"acme/large", "preset"}),
        ({"capability": "vision"}, {"other/eyes"}),
        ({"capability": "embeddings"}, {"acme/small"}),
        ({"input_modality": "image"}, {"other/eyes"}),
        ({"input_modality": "imag"}, set()),
        ({"output_modality": "text"}, {"acme/large", "preset", "other/eyes"}),
        ({"min_context": "8192"}, {"acme/large", "preset"}),
        ({"min_context": "8193"}, set()),
        ({"max_prompt_price": "0"}, {"other/eyes"}),
        ({"max_prompt_price": "2.5"}, {"acme/large", "preset", "other/eyes"}),
        ({"is_available": "false"}, {"acme/small"}),
        ({"is_active": "false"}, {"off"}),
        ({"is_enabled": "false"}, {"other/eyes"}),
        ({"id": "acme/large"}, {"acme/large"}),
        ({"id": "Acme/large"}, set()),
        ({"tag": "FAST"}, {"acme/large", "acme/small"}),
        ({"tag": ["fast", "Ça marche"]}, {"acme/large"}),
        ({"tag": "fas"}, set()),
        ({"kind": "catalog", "capability": "chat", "min_context": "1"}, {"acme/large"}),
    ],
)
def test_each_filter_keeps_what_it_names_and_counts_it(mine, alice, preset, make_model, parameters, expected):
    make_model(
        "acme/large", family="Large Ones", offered_by=["openrouter"], context_length=8192, prompt_price=2.5,
        output_modalities=["text"], tags=["Fast", "ça  marche"],
    )  # fmt: skip
    make_model("acme/small", supports_embeddings=True, is_available=False, tags=["fast"])
    eyes = make_model(
        "other/eyes",
        supports_images=True,
        input_modalities=["text", "image"],
        prompt_price=0,
        output_modalities=["text"],
    )
    ModelPreference.objects.create(user=alice, model=eyes, is_enabled=False)
    preset("preset")
    preset("off", active=False)
    response = mine.get(LIST, parameters)
    if "is_active" not in parameters:
        expected = expected | ({"off"} if "preset" in expected else set())
    assert set(ids(response)) == expected
    assert response.json()["total"] == len(expected)


@pytest.mark.parametrize(
    "query",
    [
        "view_option=all", "view_option=", "view_option=x' OR '1'='1", "view_option=7", "kind=model", "tag=", "tag=%20",
        "order_by=user__password", "order_by=extras__a", "order_by=id;drop table x", "order_by=?", "order_by=-name",
        "order_by=id", "direction=desc;--", "direction=DESC", "capability=magic", "min_context=0", "min_context=1.5",
        "min_context=-1", "min_context=1e3", "min_context=99999999999999999999", "max_prompt_price=-1",
        "max_prompt_price=NaN", "max_prompt_price=1e2", "max_prompt_price=", "is_available=1", "is_active=True",
        "is_enabled=yes", "page=0", "page=-1", "page=abc", "page=1e3", "page=1.5", "page=", "page=1;2",
        "page=99999999999999999999", "page=1000001", "page_size=0", "page_size=201", "include=everything",
        "kind=custom&kind=custom", "page=1&page=1", "provider=", "id=", "query=" + "x" * 201,
        "query=" + "+".join(f"w{n}" for n in range(11)), "limit=5", "order=name",
    ],
)  # fmt: skip
def test_a_value_that_means_nothing_is_refused_by_name(mine, query):
    response = mine.get(f"{LIST}?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["errors"]


@pytest.mark.parametrize("who", ["alice", "ops"])
def test_staff_may_ask_for_what_is_hidden_or_off(api, request, make_model, who):
    make_model("acme/hidden", hidden=True)
    make_model("acme/off", active=False)
    make_model("acme/on")
    response = api.as_(request.getfixturevalue(who)).get(LIST, {"include": "hidden,inactive"})
    assert response.status_code == (200 if who == "ops" else 403)
    if who == "ops":
        assert set(ids(response)) == {"acme/hidden", "acme/off", "acme/on"}
        assert ids(api.as_(request.getfixturevalue(who)).get(LIST)) == ["acme/on"]


# Search.


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("large acme", {"acme/large", "helper"}),
        ("ACME", {"acme/large", "helper"}),
        ("100%", {"x/percent"}),
        ("%", {"x/percent"}),
        ("_", {"x/under_score"}),
        ("under_score", {"x/under_score"}),
        ("\\", set()),
        ("été", {"x/summer"}),
        ("ETE", {"x/summer"}),
        ("\uff4c\uff41\uff52\uff47\uff45", {"acme/large", "helper"}),
        ("ёлка", {"x/tree"}),
        ("ЁЛКА", {"x/tree"}),
        ("straße", {"x/street"}),
        ("STRASSE", {"x/street"}),
        ("adams", {"helper"}),
        ("alice help", {"helper"}),
        ("large nothing", set()),
        ("(a+)+$", set()),
        ("' OR 1=1--", set()),
    ],
)
def test_search_finds_words_in_any_order_and_takes_them_literally(mine, preset, make_model, query, expected):
    preset("helper", name="Helps")
    for model_id, name in (
        ("x/percent", "100% sure"), ("x/under_score", "A"), ("x/underscore", "B"), ("x/summer", "L'Été"),
        ("x/tree", "Ёлка"), ("x/street", "Hauptstraße"),
    ):  # fmt: skip
        make_model(model_id, name=name)
    response = mine.get(LIST, {"query": query})
    assert set(ids(response)) == expected
    assert response.json()["total"] == len(expected)


def test_an_address_is_searched_only_where_it_is_shown(api, alice, bob, preset):
    preset("readable", granted_to=bob)
    preset("writable", granted_to=bob, permission="write")
    assert ids(api.as_(bob).get(LIST, {"query": "alice@example.com"})) == ["writable"]
    assert set(ids(api.as_(alice).get(LIST, {"query": "alice@example"}))) == {"readable", "writable"}


@pytest.mark.parametrize("count", [3, 300])
def test_an_address_of_many_models_is_one_parameter_a_word(mine, alice, preset, count):
    alice.email = "al@mail.example"
    alice.save()
    preset("first")
    base = AIModel.objects.get(model_id="acme/large")
    AIModel.objects.bulk_create(
        AIModel(model_id=f"m{n}", name=f"M {n}", kind="custom", owner=alice, base_model=base) for n in range(1, count)
    )
    parameters = []

    def noted(execute, sql, params, many, context):
        parameters.append(len(params or ()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(noted):
        found = mine.get(LIST, {"query": "mail. @mail .example"})
    assert (found.status_code, found.json()["total"]) == (200, count)
    assert max(parameters) < 200


def test_a_changed_name_of_an_owner_is_found_at_once(api, alice, bob, preset):
    preset("readable", granted_to=bob)
    assert ids(api.as_(bob).get(LIST, {"query": "adams"})) == ["readable"]
    alice.last_name = "Zimmer"
    alice.save()
    assert ids(api.as_(bob).get(LIST, {"query": "adams"})) == []
    assert ids(api.as_(bob).get(LIST, {"query": "zimmer alice"})) == ["readable"]


def test_what_a_delegated_preset_is_built_on_is_neither_shown_nor_found(api, bob, make_model, alice):
    base = make_model("acme/secret", granted_to=alice)
    make_model("open", owner=alice, base_model=base, delegated=True, granted_to=bob)
    item = api.as_(bob).get(LIST).json()["items"][0]
    assert (item["id"], item["base_model_id"]) == ("open", None)
    assert ids(api.as_(bob).get(LIST, {"query": "secret"})) == []


def test_a_key_is_not_told_the_base_outside_its_policy(api, make_key, make_model, alice):
    make_model("open", owner=alice, base_model=make_model("acme/secret"), delegated=True)
    paths = (LIST, "/api/models/open", "/api/models/custom/open")
    narrow, wide = (make_key(alice, allow=patterns).token for patterns in (["open"], ["*"]))
    assert [b"acme/secret" in api.with_key(narrow).get(path).content for path in paths] == [False] * 3
    assert [b"acme/secret" in api.with_key(wide).get(path).content for path in paths] == [True] * 3


# Order and pages.


@pytest.mark.parametrize(
    ("order_by", "ascending"),
    [
        ("name", ["x/2", "x/1", "x/3"]),
        ("created_at", ["x/3", "x/1", "x/2"]),
        ("context_length", ["x/2", "x/1", "x/3"]),
        ("price", ["x/1", "x/2", "x/3"]),
        ("priority", ["x/1", "x/3", "x/2"]),
    ],
)
def test_the_order_is_total_and_the_unknown_stands_last(mine, make_model, order_by, ascending):
    now = timezone.now()
    make_model("x/1", name="émile", context_length=9, prompt_price=0, created_at=now, priority=-1)
    make_model("x/2", name="Anna", context_length=5, prompt_price=7.5, created_at=now, priority=4)
    make_model("x/3", name="zoe", created_at=now - timedelta(days=1))
    assert ids(mine.get(LIST, {"order_by": order_by, "direction": "asc"})) == ascending
    unknown = ascending[2:] if order_by in ("context_length", "price") else []
    known = ascending[: 3 - len(unknown)]
    assert ids(mine.get(LIST, {"order_by": order_by})) == [*reversed(known), *unknown]


@pytest.mark.parametrize("order_by", ["name", "created_at", "updated_at", "context_length", "price", "priority"])
def test_walking_pages_while_rows_change_meets_each_model_once(mine, make_model, order_by):
    AIModel.objects.bulk_create(
        [AIModel(model_id=f"acme/{n:03}", name="same", is_available=True, priority=n % 3) for n in range(130)]
    )
    walked = []
    for page in (1, 2, 3, 4, 5):
        walked += ids(mine.get(LIST, {"order_by": order_by, "page": page}))
        touched = AIModel.objects.filter(model_id__endswith=str(page))
        touched.update(description=f"changed {page}", recommended=True)
    assert sorted(walked) == sorted(f"acme/{n:03}" for n in range(130))
    assert len(walked) == len(set(walked)) == 130


def test_a_page_past_the_end_is_empty_and_knows_the_total(mine, make_model):
    for n in range(3):
        make_model(f"acme/{n}")
    for _ in range(2):
        response = mine.get(LIST, {"page": 1_000_000, "page_size": 200})
        assert response.json() == {"items": [], "total": 3}


def test_thirty_a_page_with_links(mine):
    AIModel.objects.bulk_create([AIModel(model_id=f"acme/{n}", name="x") for n in range(65)])
    response = mine.get(LIST, {"page": 2, "kind": "catalog"})
    assert len(response.json()["items"]) == 30
    links = dict(reversed(part.split("; ")) for part in response["Link"].split(", "))
    assert links['rel="next"'] == "</api/models/list?kind=catalog&page=3>"
    assert set(links) == {'rel="first"', 'rel="prev"', 'rel="next"', 'rel="last"'}


# Price.


@pytest.mark.parametrize("size", [30, 200])
@pytest.mark.parametrize("query", [{}, {"query": "mod a"}, {"tag": "fast"}, {"page": 2}, {"is_enabled": "true"}])
def test_a_page_costs_at_most_six_queries_whatever_it_shows(mine, alice, bob, make_model, query, size):
    group = Group.objects.create(name="research")
    base = make_model("acme/base")
    for n in range(12):
        make_model(f"mod-{n}", owner=alice, base_model=base, tags=["fast", f"t{n}"], granted_to=[bob, group])
        make_model(f"acme/mod-{n}", tags=["fast"], granted_to=alice)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert mine.get(LIST, {**query, "page_size": size}).status_code == 200
    assert len(queries) <= 6, "\n".join(each["sql"] for each in queries)


def test_no_address_of_a_model_is_one_of_an_item_of_the_list(mine, make_model):
    key = make_model("acme/large").pk
    assert ids(mine.get(LIST)) == ["acme/large"]
    for name in (f"{key} of a list", f"listed {key}", f"{key}"):
        assert mine.get(f"/api/models/{name}").status_code == 404


def test_the_same_again_costs_no_page(mine, make_model):
    make_model("acme/large")
    first = mine.get(LIST)
    with CaptureQueriesContext(connection) as queries:
        again = mine.get(LIST, HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, len(queries)) == (304, 3)
    make_model("acme/new")
    assert mine.get(LIST, HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 200


@pytest.mark.parametrize("change", ["owner renamed", "owner deleted", "grant", "tag renamed", "base off"])
def test_a_change_of_what_is_shown_is_seen_on_the_next_request(api, bob, alice, preset, change):
    model = preset("shared", granted_to=bob, tags=["fast"])
    caller = api.as_(bob)
    first = caller.get(LIST)
    match change:
        case "owner renamed":
            alice.first_name = "Alicia"
            alice.save()
        case "owner deleted":
            alice.delete()
        case "grant":
            model.grants.all().delete()
        case "tag renamed":
            tag = model.tags.get()
            tag.name = "FAST"
            tag.save()
        case "base off":
            AIModel.objects.filter(model_id="acme/large").update(active=False)
    again = caller.get(LIST, HTTP_IF_NONE_MATCH=first["ETag"])
    assert again.status_code == 200
    assert again.json() != first.json()


# Tags.


def test_tags_are_counted_among_what_the_caller_sees(api, alice, bob, preset, make_model):
    make_model("acme/a", tags=["Fast"])
    make_model("acme/b", tags=["fast", "cheap"], hidden=True)
    preset("mine", tags=["fast", "own"])
    assert api.get("/api/models/tags").json() == [{"name": "Fast", "count": 1}]
    assert api.as_(alice).get("/api/models/tags").json() == [
        {"name": "Fast", "count": 2},
        {"name": "own", "count": 1},
    ]


def test_a_closed_catalog_answers_only_those_who_sign_in(api, alice, make_model, settings):
    make_model("acme/large")
    assert api.get("/api/models/acme/large").status_code == 200
    settings.PUBLIC_CATALOG = False
    assert api.get("/api/models/acme/large").status_code == 401
    assert api.get("/api/models/tags").status_code == 401
    assert api.as_(alice).get("/api/models/tags").status_code == 200


# One model.


@pytest.mark.parametrize(
    "model_id",
    [
        "openai/gpt-4o",
        "meta/llama-3:free",
        "a//b",
        "a/../b",
        "..",
        ".",
        "a%2Fb",
        "x?y",
        "x#y",
        "a+b",
        "a;b",
        "qwen2.5:1.5b",
    ],
)
def test_each_id_is_reached_by_its_own_path_and_by_the_filter(mine, make_model, model_id):
    make_model(model_id)
    make_model("a/b")
    assert mine.get(f"/api/models/{quote(model_id, safe='')}").json()["id"] == model_id
    assert ids(mine.get(LIST, {"id": model_id})) == [model_id]


def test_an_id_that_is_a_word_of_the_api_is_reached_by_the_filter(mine, make_model):
    make_model("list")
    assert "items" in mine.get("/api/models/list").json()
    assert ids(mine.get(LIST, {"id": "list"})) == ["list"]


@pytest.mark.parametrize("fields", [{"hidden": True}, {"active": False}, {"restricted": True}, None])
def test_out_of_sight_is_as_unknown(mine, make_model, fields):
    if fields:
        make_model("acme/secret", **fields)
    response = mine.get("/api/models/acme/secret")
    body = response.json()
    assert response.status_code == 404
    del body["request_id"]
    assert body == {
        "code": "not_found",
        "error": "Not Found",
        "message": "There is no such model, or you may not see it.",
    }


# Hostile text.

HOSTILE = [
    "<script>alert(1)</script>",
    "](javascript:alert(1))",
    "</script>",
    "{{7*7}}{% debug %}",
    '"><svg onload=x>',
    "🂡" * 50,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_back_as_it_is_and_breaks_no_page(mine, preset, text):
    preset(name=text, description=text, params={text: text}, meta={"capabilities": {text: text}}, tags=[text[:60]])
    response = mine.get(LIST)
    assert response["Content-Type"] == "application/json"
    assert response["X-Content-Type-Options"] == "nosniff"
    item = next(item for item in response.json()["items"] if item["id"] == "helper")
    assert (item["name"], item["params"]) == (text, {text: text})


@pytest.mark.parametrize("query", ["", "?query=m1&order_by=price&page_size=2&page=2", "?tag=fast&is_enabled=true"])
def test_a_page_that_was_asked_before_costs_no_statement_of_its_own(api, alice, bob, make_model, query):
    for number in range(12):
        make_model(f"acme/m{number}", tags=["fast"])
    caller, path = api.as_(alice), f"/api/models/list{query}"
    first = caller.get(path)
    with CaptureQueriesContext(connection) as queries:
        again = caller.get(path)
    # The session, its user, and the caller with the versions.
    assert len(queries) == 3
    assert (again.content, again.headers["Link"]) == (first.content, first.headers["Link"])
    for other, there in ((api.as_(bob), path), (caller, f"{path}{'&' if query else '?'}direction=asc")):
        with CaptureQueriesContext(connection) as queries:
            other.get(there)
        assert len(queries) > 3


def test_a_page_that_was_asked_before_follows_each_change(api, alice, make_model):
    model = make_model("acme/m")
    caller = api.as_(alice)
    assert caller.get("/api/models/list").json()["items"][0]["is_enabled"] is True
    caller.patch("/api/models", {"model_id": "acme/m", "is_enabled": False})
    assert caller.get("/api/models/list").json()["items"][0]["is_enabled"] is False
    model.name = "Another"
    model.save()
    assert caller.get("/api/models/list").json()["items"][0]["name"] == "Another"
    model.delete()
    assert caller.get("/api/models/list").json() == {"items": [], "total": 0}
