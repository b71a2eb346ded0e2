"""catalog/editing/custom_models.py: making, changing, sharing and deleting them."""

import base64
import threading

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import connection
from django.urls import get_resolver
from rest_framework.test import APIClient

from catalog.editing import custom_models, entries
from catalog.editing.history import Author
from catalog.models import AccessGrant, AIModel, FieldChange

ROOT = "/api/models/custom"
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40


def data_uri(data=PNG, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def to(principal="everyone", permission="read"):
    """A grant as it is sent."""
    if principal == "everyone":
        return {"principal_type": "everyone", "permission": permission}
    kind = "group" if isinstance(principal, Group) else "user"
    return {"principal_type": kind, "principal_id": str(principal.pk), "permission": permission}


def routes(resolver, prefix=""):
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        yield from routes(pattern, path) if hasattr(pattern, "url_patterns") else [path]


def test_no_id_is_a_word_of_the_apis_own_addresses():
    behind = [path.removeprefix("api/models/") for path in routes(get_resolver()) if path.startswith("api/models/")]
    words = {path.partition("/")[0] for path in behind if not path.startswith("<")}
    assert words >= {"list", "custom", "openrouter"}
    assert {word for word in words if custom_models.problem_of_id(word) is None} == set()


@pytest.fixture
def base(make_model):
    return make_model("acme/large", context_length=8192)


@pytest.fixture
def mine(api, alice):
    return api.as_(alice)


@pytest.fixture
def make(mine, base):
    """Makes alice's custom model over HTTP."""

    def post(**fields):
        body = {"id": "helper", "name": "Helper", "base_model_id": "acme/large", **fields}
        return mine.post(ROOT, {name: value for name, value in body.items() if value is not ...})

    return post


def errors(response, status=400):
    assert response.status_code == status, response.content
    return response.json().get("errors", {})


def test_what_is_sent_is_answered_and_found(make, mine, alice):
    group = Group.objects.create(name="research")
    sent = {
        "params": {"temperature": 0.5, "stop": ["\n"]},
        "meta": {"description": "Short.", "capabilities": {"vision": False}, "tags": ["Fast", "fast", "cheap"]},
        "access_grants": [to(group)],
        "is_active": False,
    }
    made = make(**sent)
    assert made.status_code == 201
    item = made.json()
    assert item["params"] == sent["params"]
    assert item["meta"] == sent["meta"] | {"tags": ["cheap", "Fast"], "profile_image_url": None}
    assert [{k: v for k, v in grant.items() if k != "id"} for grant in item["access_grants"]] == sent["access_grants"]
    assert (item["is_active"], item["user_id"], item["context_length"]) == (False, str(alice.pk), 8192)
    for path in (f"{ROOT}/helper", "/api/models/helper"):
        again = mine.get(path)
        assert (again.json(), again["ETag"]) == (item, made["ETag"])


@pytest.mark.parametrize(
    "model_id",
    [
        "a/b",
        "",
        "list",
        "TAGS",
        "custom",
        "openrouter",
        "new",
        "-x",
        ".",
        "..",
        "a b",
        "a\u202eb",
        "é",
        "x" * 256,
        5,
        None,
        "a%2fb",
        "a\n",
    ],
)
def test_an_id_that_no_path_could_name_is_refused(make, model_id):
    assert "id" in errors(make(id=model_id))
    assert not AIModel.objects.custom().exists()


def test_an_id_is_taken_once(make):
    assert make().status_code == 201
    assert errors(make()) == {"id": ["This id is taken."]}
    assert AIModel.objects.custom().count() == 1


@pytest.mark.parametrize("deleted_by_owner", [True, False])
def test_the_id_of_a_deleted_one_goes_to_nobody_else(make, mine, api, alice, bob, deleted_by_owner):
    make(access_grants=[to()])
    if deleted_by_owner:
        assert mine.delete(f"{ROOT}/helper").status_code == 204
    else:
        custom_models.remove(AIModel.objects.get(model_id="helper"), Author.person(bob))
    taken = api.as_(bob).post(ROOT, {"id": "helper", "name": "Mine", "base_model_id": "acme/large"})
    assert errors(taken) == {"id": ["This id is taken."]}
    again = make(params={})
    assert again.status_code == 201
    assert again.json()["access_grants"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "  "), ("name", None), ("name", "a\u202eb"), ("name", "x" * 256), ("name", 5),
        ("name", "x" * 255 + " "), ("name", "\x1fx"),
        ("name", "a\x01b"), ("params", []), ("params", "x"), ("params", {"a": {"b": "\x01"}}),
        ("params", {"a": "x" * 20_001}), ("params", {f"k{n}": 1 for n in range(1001)}),
        ("params", {f"k{n}": "x" * 19_000 for n in range(4)}), ("meta", []), ("is_active", 1), ("is_active", None),
        ("is_active", "true"), ("owner", 1), ("user_id", "1"), ("kind", "catalog"), ("hidden", False),
        ("priority", 5), ("delegated", True), ("base_model_id", None), ("base_model_id", ""), ("access_grants", {}),
        ("access_grants", [5]), ("access_grants", [{**to(), "principal_type": "user", "principal_id": "999999"}]),
        ("access_grants", [{"principal_type": "group", "principal_id": "x", "permission": "read"}]),
        ("access_grants", [{"principal_type": "user", "permission": "read"}]),
        ("access_grants", [{"principal_type": "everyone", "principal_id": "1", "permission": "read"}]),
        ("access_grants", [{"principal_type": "everyone", "permission": "own"}]),
        ("access_grants", [to()] * 2),
        ("access_grants", [{"principal_type": "everyone", "permission": "read", "user": 1}]),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_by_name_and_nothing_is_stored(make, field, value):
    assert any(name.partition(".")[0] == field for name in errors(make(**{field: value})))
    assert not AIModel.objects.custom().exists()


@pytest.mark.parametrize("missing", ["principal_type", "permission"])
def test_a_grant_is_whole_in_a_change_too(make, mine, missing):
    make()
    part = {name: value for name, value in to().items() if name != missing}
    refused = mine.patch(f"{ROOT}/helper", {"access_grants": [part]})
    assert (refused.status_code, list(refused.json()["errors"])) == (400, [f"access_grants.0.{missing}"])


@pytest.mark.parametrize("odd", ["\ufffe", "\uffff", "\ufdd0", "\ufdef", "\U0001fffe", "\U0010ffff"])
def test_what_unicode_says_is_no_character_is_refused_in_every_text(make, odd):
    assert "name" in errors(make(name=f"a{odd}b"))
    assert make(meta={"description": odd}).status_code == make(params={"a": [odd]}).status_code == 400
    assert make(name="a\ufffdb \ufdcf\ufdf0").status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("description", "x" * 20_001), ("description", "a\x00b"), ("description", 5), ("capabilities", []),
        ("tags", "fast"), ("tags", [""]), ("tags", ["x" * 65]), ("tags", [5]), ("tags", ["a\nb"]),
        ("tags", [f"t{n}" for n in range(21)]), ("tags", ["\ufdfa" * 60]), ("colour", "red"),
    ],
)  # fmt: skip
def test_a_bad_value_in_meta_is_refused(make, field, value):
    response = make(meta={field: value})
    assert response.status_code == 400
    assert not AIModel.objects.custom().exists()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"null", b"5", b'{"id":"a","id":"b"}', b'{"name":"\\ud800"}', b"\xff", b"[" * 100_000],
)
def test_a_body_that_is_no_object_is_refused(mine, base, body):
    response = mine.generic("POST", ROOT, body, content_type="application/json")
    assert response.status_code == 400
    assert response.json()["code"]


@pytest.mark.parametrize(
    "base_id", ["acme/none", "acme/hidden", "acme/off", "acme/secret", "acme/gone", "acme/disabled", "bobs"]
)
def test_a_base_that_the_creator_may_not_use_is_as_unknown(make, make_model, base, bob, base_id):
    make_model("acme/hidden", hidden=True)
    make_model("acme/off", active=False)
    make_model("acme/secret", granted_to=bob)
    make_model("acme/gone", is_available=False)
    make_model("acme/disabled", enabled_by_default=False)
    make_model("bobs", owner=bob, base_model=base)
    assert errors(make(base_model_id=base_id)) == {"base_model_id": [custom_models.UNKNOWN_BASE]}


def test_a_chain_has_three_links_and_no_circle(make, mine):
    assert make(id="middle").status_code == 201
    assert make(id="top", base_model_id="middle").status_code == 201
    assert "base_model_id" in errors(make(id="too-high", base_model_id="top"))
    assert "base_model_id" in errors(mine.patch(f"{ROOT}/middle", {"base_model_id": "middle"}))
    assert "base_model_id" in errors(mine.patch(f"{ROOT}/middle", {"base_model_id": "top"}))
    make(id="other")
    assert "base_model_id" in errors(mine.patch(f"{ROOT}/middle", {"base_model_id": "other"}))


# Changing.


def test_absent_keeps_null_clears_and_empty_stores(make, mine):
    make(
        params={"a": 1},
        meta={"description": "d", "tags": ["t"], "capabilities": {"x": True}, "profile_image_url": data_uri()},
    )
    kept = mine.patch(f"{ROOT}/helper", {"name": "New", "meta": {"capabilities": {}}}).json()
    assert (kept["name"], kept["params"]) == ("New", {"a": 1})
    assert (kept["meta"]["description"], kept["meta"]["tags"], kept["meta"]["capabilities"]) == ("d", ["t"], {})
    assert kept["meta"]["profile_image_url"]
    cleared = mine.patch(f"{ROOT}/helper", {"params": None, "meta": None}).json()
    assert cleared["params"] == {}
    assert cleared["meta"] == {"description": "", "tags": [], "profile_image_url": None, "capabilities": {"chat": True}}


def test_an_item_may_be_sent_back_as_it_came(make, mine):
    made = make(
        meta={"profile_image_url": data_uri(), "tags": ["t"]},
        access_grants=[to()],
    )
    item = made.json()
    body = {name: item[name] for name in ("name", "base_model_id", "params", "meta", "access_grants", "is_active")}
    same = mine.patch(f"{ROOT}/helper", body)
    assert same.json() == item
    assert same["ETag"] == made["ETag"]


@pytest.mark.parametrize(
    ("kind", "status"), [("stranger", 404), ("reader", 403), ("writer", 200), ("owner", 200), ("anonymous", 401)]
)
def test_owners_and_those_with_a_write_grant_change_it(api, make, alice, bob, kind, status):
    make(params={"a": 1})
    model = AIModel.objects.get(model_id="helper")
    permission = {"reader": "read", "writer": "write"}.get(kind)
    if permission:
        AccessGrant.objects.create(model=model, principal_type="user", user=bob, permission=permission)
    caller = api if kind == "anonymous" else api.as_(alice if kind == "owner" else bob)
    assert caller.get(f"{ROOT}/helper").status_code == status
    assert caller.patch(f"{ROOT}/helper", {"name": "New"}).status_code == status
    grants = [to(bob, "write")]
    assert caller.put(f"{ROOT}/helper/access", {"access_grants": grants}).status_code == status
    assert caller.delete(f"{ROOT}/helper").status_code == (204 if status == 200 else status)
    names = AIModel.objects.filter(model_id="helper").values_list("name", flat=True)
    assert list(names) == ([] if status == 200 else ["Helper"])


def test_a_writer_does_not_become_the_owner(api, make, alice, bob):
    make(access_grants=[to(bob, "write")])
    changed = api.as_(bob).patch(f"{ROOT}/helper", {"name": "Bob's"})
    assert changed.json()["user_id"] == str(alice.pk)
    assert "user_id" in errors(api.as_(bob).patch(f"{ROOT}/helper", {"user_id": str(bob.pk)}))


def test_an_inactive_one_is_found_by_those_who_can_switch_it_on(api, make, mine, bob):
    make(is_active=False, access_grants=[to(bob)])
    assert api.as_(bob).get("/api/models/helper").status_code == 404
    assert mine.patch(f"{ROOT}/helper", {"is_active": True}).json()["is_active"] is True
    assert api.as_(bob).get("/api/models/helper").status_code == 200


def test_an_id_cannot_change(make, mine):
    make()
    assert "id" in errors(mine.patch(f"{ROOT}/helper", {"id": "other"}))


@pytest.mark.parametrize(
    "change", [{"name": "Other"}, {"meta": {"tags": ["x"]}}, {"access_grants": [to()]},
               {"meta": {"profile_image_url": data_uri()}}, {"params": {"b": 2}}],
)  # fmt: skip
def test_a_lost_race_is_412(make, mine, change):
    seen = make()["ETag"]
    assert mine.patch(f"{ROOT}/helper", change, HTTP_IF_MATCH=seen).status_code == 200
    for lost in (
        mine.patch(f"{ROOT}/helper", {"name": "Lost"}, HTTP_IF_MATCH=seen),
        mine.put(f"{ROOT}/helper/access", {"access_grants": []}, HTTP_IF_MATCH=seen),
        mine.delete(f"{ROOT}/helper", HTTP_IF_MATCH=seen),
    ):
        assert lost.status_code == 412
        assert lost.json()["code"] == "precondition_failed"
    now = mine.get(f"{ROOT}/helper")["ETag"]
    assert mine.delete(f"{ROOT}/helper", HTTP_IF_MATCH=f'"other", {now}').status_code == 204


def test_a_change_of_something_else_loses_no_race(make, mine, make_model, base):
    seen = make()["ETag"]
    make_model("acme/new")
    AIModel.objects.filter(pk=base.pk).update(context_length=1)
    mine.patch("/api/models", {"model_id": "helper", "is_enabled": False})
    assert mine.patch(f"{ROOT}/helper", {"name": "Won"}, HTTP_IF_MATCH=seen).status_code == 200


def test_the_same_again_changes_nothing(make, mine):
    made = make(params={"a": 1}, meta={"tags": ["t"]})
    history = FieldChange.objects.count()
    again = mine.patch(f"{ROOT}/helper", {"params": {"a": 1}, "meta": {"tags": ["T"]}, "access_grants": []})
    assert (again.json(), FieldChange.objects.count()) == (made.json(), history)


def test_history_says_who_changed_what(make, mine, alice):
    make()
    mine.patch(f"{ROOT}/helper", {"name": "New", "access_grants": [to()]})
    mine.delete(f"{ROOT}/helper")
    rows = FieldChange.objects.filter(subject="helper").order_by("id")
    assert [row.field for row in rows] == ["created", "name", "grants", "deleted"]
    assert {row.actor for row in rows} == {"alice"}


# Each waits two seconds at most for the others' lock, which a slow machine is over.
@pytest.mark.alone
@pytest.mark.django_db(transaction=True)
def test_of_writers_at_once_one_wins(api, make, alice):
    seen = make()["ETag"]
    callers, barrier, statuses = [api.as_(alice) for _ in range(4)], threading.Barrier(4), []

    def patch(caller, name):
        barrier.wait(10)
        statuses.append(caller.patch(f"{ROOT}/helper", {"name": name}, HTTP_IF_MATCH=seen).status_code)
        connection.close()

    threads = [threading.Thread(target=patch, args=(each, f"by {n}")) for n, each in enumerate(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [200, 412, 412, 412]
    assert FieldChange.objects.filter(field="name").count() == 1


# Sharing.


def test_a_delegated_model_tells_its_facts_and_never_its_base(api, make_model, alice, bob):
    """The decision: family and context are facts of what staff delegated; who reads it may use it."""
    hidden = make_model("acme/hidden", name="Unheard", family="heard", context_length=8192, granted_to=alice)
    make_model("helper", owner=alice, base_model=hidden, delegated=True, granted_to=bob)
    reader = api.as_(bob)
    shown = reader.get("/api/models/helper").json()
    assert (shown["family"], shown["context_length"]) == ("heard", 8192)
    for path in ("/api/models", "/api/models/list", "/api/models/helper", "/v1/models", "/v1/models/helper"):
        text = reader.get(path).content.decode()
        assert ("helper" in text, "acme/hidden" in text, "Unheard" in text) == (True, False, False), path
    assert reader.get("/api/models/list?query=hidden").json()["total"] == 0


def test_sharing_replaces_all_grants_and_keeps_those_that_stay(make, mine, bob):
    group = Group.objects.create(name="research")
    to_bob, to_group = to(bob), to(group)
    make(access_grants=[to_bob])
    before = AccessGrant.objects.get()
    shared = mine.put(f"{ROOT}/helper/access", {"access_grants": [to_group, to_bob]}).json()
    assert len(shared["access_grants"]) == 2
    assert AccessGrant.objects.get(user=bob).pk == before.pk
    assert mine.put(f"{ROOT}/helper/access", {"access_grants": []}).json()["access_grants"] == []
    assert "access_grants" in errors(mine.put(f"{ROOT}/helper/access", {}))


def test_a_preset_is_seen_with_its_base_only(api, make, mine, bob, base, ops):
    make(access_grants=[to(bob)])
    caller = api.as_(bob)
    assert caller.get("/api/models/helper").status_code == 200
    AIModel.objects.filter(pk=base.pk).update(hidden=True)
    assert caller.get("/api/models/helper").status_code == 404
    assert api.as_(ops).patch(f"{ROOT}/helper", {"delegated": True}).status_code == 404
    custom_models.AIModel.objects.filter(model_id="helper").update(delegated=True)
    item = caller.get("/api/models/helper").json()
    assert (item["id"], item["base_model_id"]) == ("helper", None)


def test_a_delegated_preset_on_another_base_is_so_no_longer(api, make, make_model, mine, bob, alice):
    make_model("acme/private", granted_to=alice)
    make(id="middle")
    make(
        id="top",
        base_model_id="middle",
        access_grants=[to(bob)],
    )
    AIModel.objects.custom().update(delegated=True)
    assert api.as_(bob).get("/api/models/top").status_code == 200
    assert mine.patch(f"{ROOT}/middle", {"base_model_id": "acme/private"}).status_code == 200
    assert not AIModel.objects.filter(delegated=True).exists()
    assert api.as_(bob).get("/api/models/top").status_code == 404


# Pictures.


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JaVaScRiPt:x", "//evil/x.png", "/admin/logout/", "/api/keys", "http://a.example/x.png",
        "http://:80/", "https://", "https://:80/", "https:///x", "https://user:pw@a.example/", "https://a.example:0/",
        "https://a.example/ x", "https://a.example\\@b", "https://a.example/\u202e", "x.png", "",
        "https://a.example/" + "x" * 2000, "data:text/html;base64,PHNjcmlwdD4=", "data:image/svg+xml;base64,PHN2Zz4=",
        "data:image/svg+xml,<svg onload=alert(1)>", "data:image/png,abc", "data:image/png;base64,!!!",
        "data:image/png;base64,", data_uri(b"<svg onload=alert(1)>"), data_uri(PNG, "image/gif"),
        data_uri(PNG + b"\x00" * 65_536), "data:image/png;base64," + "A" * 5_000_0,
    ],
)  # fmt: skip
def test_a_picture_that_is_none_is_refused(make, url):
    response = make(meta={"profile_image_url": url})
    assert "meta.profile_image_url" in errors(response)


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "/admin/logout/", "data:text/html,x", 5, ["https://a.example/"]]
)
def test_staff_set_no_other_link_to_a_picture_either(make_model, alice, base, ops, link):
    preset = make_model("helper", owner=alice, base_model=base)
    with pytest.raises(ValidationError) as refusal:
        entries.edit(preset, {"meta": {"profile_image_url": link}}, Author.person(ops))
    assert list(refusal.value.error_dict) == ["meta"]


@pytest.mark.parametrize(
    ("kind", "data"),
    [("png", PNG), ("jpeg", b"\xff\xd8\xff\xe0x"), ("gif", b"GIF89ax"), ("webp", b"RIFF\x00\x00\x00\x00WEBPVP8 ")],
)  # fmt: skip
def test_a_picture_is_served_from_an_address_of_its_own(make, mine, api, kind, data):
    url = make(meta={"profile_image_url": data_uri(data, f"image/{kind}")}).json()["meta"]["profile_image_url"]
    assert url.startswith("/api/models/custom/helper/image?v=")
    image = mine.get(url)
    assert (image.status_code, image.content, image["Content-Type"]) == (200, data, f"image/{kind}")
    assert image["X-Content-Type-Options"] == "nosniff"
    assert image["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert mine.get(url, HTTP_IF_NONE_MATCH=image["ETag"]).status_code == 304
    assert api.get(url).status_code == 404


def test_a_link_is_kept_as_it_is_and_another_picture_has_another_address(make, mine):
    link = "https://pictures.example/a.png?x=1"
    assert make(meta={"profile_image_url": link}).json()["meta"]["profile_image_url"] == link
    first = mine.patch(f"{ROOT}/helper", {"meta": {"profile_image_url": data_uri()}}).json()["meta"][
        "profile_image_url"
    ]
    second = mine.patch(f"{ROOT}/helper", {"meta": {"profile_image_url": data_uri(PNG + b"2")}}).json()
    assert first != second["meta"]["profile_image_url"] != link
    assert (
        mine.patch(f"{ROOT}/helper", {"meta": {"profile_image_url": None}}).json()["meta"]["profile_image_url"] is None
    )
    assert mine.get(first).status_code == 404


# What happens to them.


def test_an_owner_who_is_deleted_leaves_it_to_those_it_was_shared_with(api, make, alice, bob):
    make(access_grants=[to(bob)])
    alice.delete()
    item = api.as_(bob).get("/api/models/helper").json()
    assert (item["user_id"], item["user"], item["write_access"]) == ("", None, False)
    assert api.get("/api/models/helper").status_code == 404


def test_a_group_that_is_deleted_takes_its_grants_with_it(api, make, make_user):
    carol = make_user("carol", groups=["research"])
    group = Group.objects.get()
    make(access_grants=[to(group)])
    assert api.as_(carol).get("/api/models/helper").status_code == 200
    group.delete()
    assert api.as_(carol).get("/api/models/helper").status_code == 404


@pytest.mark.parametrize("fate", ["hidden", "retired", "deleted"])
def test_without_its_base_nobody_uses_it_and_staff_find_another(api, make, mine, make_model, base, ops, fate):
    make()
    if fate == "deleted":
        base.delete()
    else:
        AIModel.objects.filter(pk=base.pk).update(**({"hidden": True} if fate == "hidden" else {"is_available": False}))
    assert [model.model_id for model in custom_models.baseless()] == ["helper"]
    shown = mine.get("/api/models/helper")
    assert shown.status_code == (200 if fate == "retired" else 404)
    assert fate != "retired" or shown.json()["is_available"] is False
    other = make_model("acme/other", context_length=5)
    assert custom_models.repoint(custom_models.baseless(), other, Author.person(ops)) == 1
    assert not custom_models.baseless().exists()
    item = mine.get("/api/models/helper").json()
    assert (item["base_model_id"], item["context_length"], item["is_available"]) == ("acme/other", 5, True)


def test_staff_move_it_to_another_owner(api, make, mine, bob, ops):
    make(params={"a": 1})
    assert entries.edit(AIModel.objects.custom().get(), {"owner": bob}, Author.person(ops)) == ["owner"]
    assert mine.get("/api/models/helper").status_code == 404
    assert api.as_(bob).get("/api/models/helper").json()["params"] == {"a": 1}
    row = FieldChange.objects.get(subject="helper", field="owner")
    assert (row.old, row.new, row.actor) == ("alice", "bob", "ops")


def test_the_base_deleted_from_under_another_custom_model_leaves_it_out_of_sight(make, mine):
    make(id="middle")
    make(id="top", base_model_id="middle")
    assert mine.delete(f"{ROOT}/middle").status_code == 204
    assert mine.get("/api/models/top").status_code == 404
    assert make(id="middle").status_code == 201
    assert mine.get("/api/models/top").status_code == 404


# Keys.


def test_a_key_writes_with_its_scope_and_within_its_policy(api, alice, base, make_key):
    def post(**fields):
        key = make_key(alice, **{"scopes": ["models:read", "custom_models:write"], **fields})
        return api.with_key(key.token).post(ROOT, {"id": "helper", "name": "x", "base_model_id": "acme/large"})

    assert post(scopes=["models:read"]).status_code == 403
    assert "id" in errors(post(allow=["acme/large"]))
    assert errors(post(allow=["helper"])) == {"base_model_id": [custom_models.UNKNOWN_BASE]}
    assert post(allow=["helper", "acme/*"]).status_code == 201


def test_a_session_writes_with_its_csrf_token_only(alice, base):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(ROOT, {"id": "helper", "name": "x", "base_model_id": "acme/large"}).status_code == 403
    assert not AIModel.objects.custom().exists()
