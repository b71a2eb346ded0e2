"""apikeys/views.py and keys.py: what may be sent about keys, by whom, and what /api/keys answers."""

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apikeys import keys, tokens
from apikeys.models import ApiKey
from catalog.editing.history import Author
from catalog.models import AIModel, AuditEntry

pytestmark = pytest.mark.django_db

KEYS = "/api/keys"
FIELDS = {
    "id", "name", "hint", "mode", "restricted", "allowed_models", "denied_models", "scopes", "per_minute", "per_day",
    "expires_at", "is_active", "created_at", "last_used_at",
}  # fmt: skip


def at(key, tail=""):
    return f"{KEYS}/{key.key_id}{tail}"


def entries(key, action):
    return list(AuditEntry.objects.filter(subject_type="apikey", subject_id=str(key.pk), action=action))


def test_the_answer_that_makes_a_key_holds_it_once(api, alice):
    mine = api.as_(alice)
    answer = mine.post(KEYS, {"name": "my editor"})
    made = answer.json()
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    assert set(made) == FIELDS | {"key"}
    assert (made["mode"], made["restricted"], made["scopes"]) == ("all", False, ["models:read", "preferences:write"])
    assert made["hint"] == f"{made['key'][:8]}...{made['key'][-4:]}"
    assert api.with_key(made["key"]).get(f"{KEYS}/current").status_code == 200
    for path in (KEYS, f"{KEYS}/{made['id']}"):
        shown = mine.get(path)
        assert made["key"] not in shown.content.decode()
    assert set(shown.json()) == FIELDS


def test_neither_the_key_nor_its_plain_hash_is_stored(api, alice):
    made = api.as_(alice).post(KEYS, {"name": "x"}).json()
    row = ApiKey.objects.values().get(key_id=made["id"])
    stored = f"{row} {list(AuditEntry.objects.values())}"
    assert made["key"] not in stored
    assert made["key"][16:59] not in stored
    assert row["secret_hash"] not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": "x" * 129}, "name"),
        *(({"name": name}, "name") for name in (" ", "x" * 128 + " ", "x" * 128 + "\x1f", "\x1fx", "x\x1c", "x\n", "\x85x")),
        *(({"name": "x", field: value}, field) for field, value in (
            ("is_staff", True), ("user", "bob"), ("role", "admin"), ("rate_limit", None), ("id", "x"), ("hint", "x"),
            ("created_at", None), ("switched_off_by_staff", False), ("made_with", None), ("restricted", False),
            ("mode", "everything"), ("mode", None), ("allowed_models", "acme/x"), ("allowed_models", {}),
            ("allowed_models", 5), ("denied_models", True), ("scopes", "models:read"), ("scopes", []), ("scopes", None),
            ("per_minute", 0), ("per_minute", -1), ("per_minute", 1.5), ("per_minute", "5"), ("per_minute", True),
            ("per_day", 2147483648), ("expires_at", "2020-01-01T00:00:00Z"), ("expires_at", "soon"),
            ("expires_at", 5), ("expires_at", "9999999-01-01"), ("is_active", "yes"), ("is_active", 1),
            ("is_active", None),
        )),
        ({"name": "x", "scopes": ["models:read", "*"]}, "scopes.1"),
        ({"name": "x", "scopes": ["models:read", ["a"]]}, "scopes.1"),
        ({"name": "x", "scopes": ["models:read", "models:read"]}, "scopes"),
        ({"name": "x", "scopes": [1] * 19_000}, "scopes"),
        ({"name": "x", "allowed_models": ["acme/x", "acme/none"]}, "allowed_models.1"),
        ({"name": "x", "allowed_models": ["acme/x", "acme/X"]}, "allowed_models.1"),
        ({"name": "x", "allowed_models": ["acme/secret"]}, "allowed_models.0"),
        ({"name": "x", "allowed_models": ["acme/x", "acme/x"]}, "allowed_models.1"),
        ({"name": "x", "allowed_models": ["acme/x", None]}, "allowed_models.1"),
        ({"name": "x", "allowed_models": [{}]}, "allowed_models.0"),
        ({"name": "x", "allowed_models": ["a*" * 30]}, "allowed_models.0"),
        ({"name": "x", "allowed_models": ["acme/x"], "denied_models": ["acme/x"]}, "denied_models"),
    ],
)  # fmt: skip
def test_what_is_refused_is_named_and_makes_no_key(api, alice, bob, make_model, sent, field):
    make_model("acme/x")
    make_model("acme/secret", granted_to=bob)
    answer = api.as_(alice).post(KEYS, sent)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert not ApiKey.objects.exists()


def test_blanks_at_the_ends_of_a_name_are_removed(api, alice):
    assert api.as_(alice).post(KEYS, {"name": " a  b\u3000"}).json()["name"] == "a  b"


@pytest.mark.parametrize("body", ["[]", '"x"', "null", "5", '{"name": "a", "name": "b"}', "{"])
def test_a_body_that_is_no_object_is_400(api, alice, body):
    answer = api.as_(alice).generic("POST", KEYS, body, content_type="application/json")
    assert answer.status_code == 400


def test_a_whole_key_can_be_said_and_is_shown(api, alice, make_model):
    make_model("acme/x")
    until = (timezone.now() + timedelta(days=3)).replace(microsecond=0)
    models = {"mode": "allow_list", "allowed_models": ["acme/x", "qwen/*"], "denied_models": None}
    numbers = {"per_minute": 1, "per_day": None, "expires_at": until.isoformat(), "is_active": False}
    sent = {"name": "x", "scopes": ["models:read", "keys:write"]} | models | numbers
    made = api.as_(alice).post(KEYS, sent).json()
    assert {name: made[name] for name in sent} == sent | {
        "scopes": ["keys:write", "models:read"],
        "expires_at": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    assert made["restricted"] is True


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_anothers_key_a_revoked_one_and_none_at_all_are_the_same_404(api, alice, bob, make_key, method):
    revoked = make_key(alice, revoked_at=timezone.now()).key
    answers = []
    for path in (at(make_key(bob).key), at(revoked), f"{KEYS}/none", f"{KEYS}/%20"):
        answer = getattr(api.as_(alice), method)(path, {} if method == "patch" else None)
        answers.append((answer.status_code, answer.json() | {"request_id": ""}))
    assert answers[0][0] == 404
    assert all(answer == answers[0] for answer in answers)


def test_the_list_is_mine_newest_first_a_page_at_a_time(api, alice, bob, make_key, django_assert_max_num_queries):
    make_key(bob)
    ids = [make_key(alice, name=f"{n}").key.key_id for n in range(4)]
    mine = api.as_(alice)
    with django_assert_max_num_queries(5):
        first = mine.get(KEYS, {"page_size": 3}).json()
    second = mine.get(KEYS, {"page_size": 3, "page": 2}).json()
    assert first["total"] == second["total"] == 4
    assert [item["id"] for item in first["items"] + second["items"]] == ids[::-1]
    assert mine.get(KEYS, {"order": "x"}).status_code == 400
    assert mine.get(at(ApiKey.objects.get(key_id=ids[0])), {"page": 1}).status_code == 400


def test_revoking_is_for_ever_and_keeps_the_row_and_its_past(api, alice, make_key):
    issued = make_key(alice)
    mine = api.as_(alice)
    assert mine.delete(at(issued.key)).status_code == 204
    assert api.with_key(issued.token).get(f"{KEYS}/current").status_code == 401
    assert mine.get(KEYS).json() == {"items": [], "total": 0}
    assert mine.delete(at(issued.key)).status_code == 404
    assert [entry.user for entry in entries(issued.key, "revoke")] == [alice]


def test_a_change_keeps_what_is_not_sent_and_is_audited_with_old_and_new(api, alice, make_key):
    key = make_key(alice, allow=["acme/*"], per_minute=5).key
    answer = api.as_(alice).patch(at(key), {"name": "renamed", "per_day": 9})
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["name"], shown["allowed_models"], shown["per_minute"]) == ("renamed", ["acme/*"], 5)
    (entry,) = entries(key, "change")
    assert entry.changes == {"name": ["a key", "renamed"], "per_day": [None, 9]}
    assert api.as_(alice).patch(at(key), {"name": "renamed"}).status_code == 200
    assert len(entries(key, "change")) == 1


@pytest.mark.parametrize("empty", [None, []])
def test_the_last_entry_of_a_list_goes_only_where_mode_is_sent(api, alice, make_key, empty):
    key = make_key(alice, allow=["acme/x"]).key
    mine = api.as_(alice)
    answer = mine.patch(at(key), {"allowed_models": empty})
    assert (answer.status_code, answer.json()["code"]) == (400, "mode_required")
    assert mine.get(at(key)).json()["allowed_models"] == ["acme/x"]
    answer = mine.patch(at(key), {"allowed_models": empty, "mode": "all"})
    assert (answer.status_code, answer.json()["restricted"]) == (200, False)
    assert entries(key, "change")[0].changes["mode"] == ["allow_list", "all"]


def test_an_entry_may_stay_after_its_model_went_out_of_sight_but_not_come(api, alice, make_key, make_model):
    make_model("acme/now")
    key = make_key(alice, allow=["acme/gone"]).key
    mine = api.as_(alice)
    assert mine.patch(at(key), {"allowed_models": ["acme/gone", "acme/now"]}).status_code == 200
    assert mine.patch(at(key), {"allowed_models": ["acme/now"]}).status_code == 200
    assert mine.patch(at(key), {"allowed_models": ["acme/now", "acme/gone"]}).status_code == 400


def test_what_staff_switched_off_the_owner_does_not_switch_on(api, alice, make_key):
    key = make_key(alice, is_active=False, switched_off_by_staff=True).key
    own = make_key(alice, is_active=False).key
    mine = api.as_(alice)
    answer = mine.patch(at(key), {"is_active": True})
    assert (answer.status_code, answer.json()["code"]) == (403, "switched_off_by_staff")
    assert mine.patch(at(key), {"name": "still mine to name"}).status_code == 200
    assert mine.patch(at(own), {"is_active": True}).json()["is_active"] is True


def test_rotation_with_an_overlap_leaves_both_and_without_ends_the_old(api, alice, make_key):
    issued = make_key(alice)
    mine = api.as_(alice)
    first = mine.post(at(issued.key, "/rotate"), {"overlap_seconds": 60}).json()
    assert first["id"] == issued.key.key_id
    for text in (issued.token, first["key"]):
        assert api.with_key(text).get(f"{KEYS}/current").status_code == 200
    again = mine.post(at(issued.key, "/rotate"), {"overlap_seconds": 60})
    assert (again.status_code, again.json()["code"]) == (409, "rotation_in_progress")
    last = mine.post(at(issued.key, "/rotate"), {}).json()
    told = [api.with_key(text).get(f"{KEYS}/current").status_code for text in (issued.token, first["key"], last["key"])]
    assert told == [401, 401, 200]
    assert len(entries(issued.key, "rotate")) == 2


@pytest.mark.parametrize("overlap", [-1, 604_801, 1.5, "60", True, None, 10**30])
def test_an_overlap_out_of_reason_is_400(api, alice, make_key, overlap):
    key = make_key(alice).key
    answer = api.as_(alice).post(at(key, "/rotate"), {"overlap_seconds": overlap})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["overlap_seconds"])


@pytest.mark.parametrize("fields", [{"is_active": False}, {"expires_at": timezone.now() - timedelta(1)}])
def test_a_key_that_does_not_work_gets_no_new_secret(api, alice, make_key, fields):
    answer = api.as_(alice).post(at(make_key(alice, **fields).key, "/rotate"), {})
    assert (answer.status_code, answer.json()["code"]) == (409, "key_not_usable")


@pytest.mark.parametrize(("tail", "sent", "done"), [("/rotate", {}, 200), (None, {"name": "outlives it"}, 201)])
def test_the_secret_before_a_rotation_gets_no_other_secret(api, alice, make_key, tail, sent, done):
    issued = make_key(alice, scopes=["models:read", "keys:write"])
    new = keys.rotate(issued.key, 60, keys.Actor(Author.person(alice)))
    path = KEYS if tail is None else at(issued.key, tail)
    assert api.with_key(issued.token).post(path, sent).status_code == 403
    assert api.with_key(new.token).post(path, sent).status_code == done


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("overlap", [0, 60])
def test_of_two_rotations_at_once_one_is_409(api, alice, make_key, overlap, monkeypatch):
    issued = make_key(alice)
    path, answers, both_read = at(issued.key, "/rotate"), [], threading.Barrier(2, timeout=10)
    rotate = keys.rotate

    def after_both_read(*args):
        both_read.wait()
        return rotate(*args)

    monkeypatch.setattr(keys, "rotate", after_both_read)

    def call(caller):
        answers.append(caller.post(path, {"overlap_seconds": overlap}))
        connection.close()

    threads = [threading.Thread(target=call, args=(caller,)) for caller in (api.as_(alice), api.as_(alice))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    (new,) = [answer.json()["key"] for answer in answers if answer.status_code == 200]
    assert api.with_key(new).get(f"{KEYS}/current").status_code == 200


@pytest.mark.parametrize(
    ("method", "tail", "sent"),
    [("post", None, {"name": "x"}), ("patch", "", {"name": "x"}), ("delete", "", None), ("post", "/rotate", {})],
)
def test_a_key_without_the_scope_writes_nothing(api, alice, make_key, method, tail, sent):
    issued = make_key(alice)
    path = KEYS if tail is None else at(issued.key, tail)
    answer = getattr(api.with_key(issued.token), method)(path, sent)
    assert answer.status_code == 403
    assert "keys:write" in answer.json()["message"]
    assert ApiKey.objects.count() == 1


def test_reading_needs_its_scope_and_a_missing_method_is_405(api, alice, make_key):
    caller = api.with_key(make_key(alice, scopes=["keys:write"]).token)
    assert caller.get(KEYS).status_code == 403
    answer = caller.put(KEYS, {})
    assert answer.status_code == 405
    assert "POST" in answer["Allow"]


def test_a_key_sees_itself_and_those_made_with_it(api, alice, make_key):
    make_key(alice)
    maker = make_key(alice, scopes=["models:read", "keys:write"])
    made = api.with_key(maker.token).post(KEYS, {"name": "made"}).json()
    assert {item["id"] for item in api.with_key(maker.token).get(KEYS).json()["items"]} == {
        maker.key.key_id,
        made["id"],
    }
    assert [item["id"] for item in api.with_key(made["key"]).get(KEYS).json()["items"]] == [made["id"]]
    assert api.as_(alice).get(KEYS).json()["total"] == 3
    assert made["scopes"] == ["models:read"]


@pytest.mark.parametrize(
    "sent",
    [
        {"scopes": ["custom_models:write"]},
        {"scopes": ["models:read", "keys:write"]},
        {"allowed_models": ["other/x"]},
    ],
)
def test_a_made_key_asks_for_no_more_than_its_maker_has(api, alice, make_key, make_model, sent):
    make_model("acme/x")
    make_model("other/x")
    maker = make_key(alice, allow=["acme/*"], scopes=["models:read", "keys:write"])
    answer = api.with_key(maker.token).post(KEYS, {"name": "made"} | sent)
    assert answer.status_code == 400
    assert next(iter(answer.json()["errors"])).split(".")[0] in sent


def test_a_made_key_makes_none_whatever_its_row_says(api, alice, make_key):
    maker = make_key(alice, scopes=["models:read", "keys:write"])
    made = make_key(alice, made_with=maker.key, scopes=["models:read", "keys:write"])
    assert api.with_key(made.token).post(KEYS, {"name": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"name": "renamed"}, 200),
        ({"per_minute": 4}, 200),
        ({"allowed_models": ["acme/x*"]}, 200),
        ({"mode": "allow_list", "allowed_models": []}, 200),
        ({"scopes": ["keys:write"]}, 200),
        ({"is_active": False}, 200),
        ({"per_minute": 6}, 403),
        ({"per_minute": None}, 403),
        ({"expires_at": None}, 403),
        ({"allowed_models": ["*"]}, 403),
        ({"mode": "all"}, 403),
        ({"mode": "deny_list", "denied_models": ["b"]}, 403),
        ({"scopes": ["models:read", "keys:write", "preferences:write"]}, 403),
        ({"allowed_models": None}, 400),
    ],
)
def test_a_key_narrows_itself_and_never_widens(api, alice, make_key, sent, status):
    until = timezone.now() + timedelta(days=1)
    scopes = ["models:read", "keys:write"]
    issued = make_key(alice, allow=["acme/*"], per_minute=5, expires_at=until, scopes=scopes)
    before = ApiKey.objects.values().get(pk=issued.key.pk)
    assert api.with_key(issued.token).patch(at(issued.key), sent).status_code == status
    after = ApiKey.objects.values().get(pk=issued.key.pk)
    same = {name: value for name, value in before.items() if name != "last_used_at"}
    assert (same == {name: value for name, value in after.items() if name != "last_used_at"}) == (status != 200)


def test_an_id_that_a_key_narrowed_itself_to_keeps_its_sight_as_an_alias_and_names_no_target(
    api, alice, make_key, make_model
):
    """The decision: an allow list has what its ids mean. A key that is made with the one that denies has less."""
    x, _ = make_model("acme/x"), make_model("acme/y")
    issued = make_key(alice, deny=["acme/y"], scopes=["models:read", "keys:write"])
    key = api.with_key(issued.token)
    made = api.with_key(key.post(KEYS, {"name": "made", "allowed_models": ["acme/x"]}).json()["key"])
    AIModel.objects.filter(pk=x.pk).update(alias_of="acme/y")
    assert [caller.get("/api/models/acme/x").status_code for caller in (key, made)] == [404, 404]
    AIModel.objects.filter(pk=x.pk).update(alias_of="")
    narrowed = {"mode": "allow_list", "allowed_models": ["acme/x"]}
    assert key.patch(at(issued.key), narrowed).status_code == 200
    AIModel.objects.filter(pk=x.pk).update(alias_of="acme/y")
    shown = key.get("/api/models/acme/x")
    assert (shown.status_code, "acme/y" in shown.content.decode()) == (200, False)
    assert key.get("/api/models/acme/y").status_code == 404


def test_a_key_that_lost_its_right_meanwhile_changes_nothing(alice, make_key):
    issued = make_key(alice, scopes=["models:read", "keys:write"])
    actor = keys.Actor(Author.person(alice), key=issued.key, scopes=frozenset(issued.key.scopes))
    for fields in ({"scopes": ["models:read"]}, {"is_active": False}, {"revoked_at": timezone.now()}):
        ApiKey.objects.filter(pk=issued.key.pk).update(**fields)
        with pytest.raises(keys.Forbidden):
            keys.change(issued.key, {"name": "x"}, lambda present: present, actor)
    assert ApiKey.objects.get(pk=issued.key.pk).name == "a key"


def test_the_audit_log_says_which_key_was_used(api, alice, make_key):
    issued = make_key(alice, scopes=["models:read", "keys:write"])
    made = api.with_key(issued.token).post(KEYS, {"name": "made"}).json()
    (entry,) = entries(ApiKey.objects.get(key_id=made["id"]), "create")
    assert entry.actor == f"alice with key {issued.key.hint}"
    assert tokens.parse(made["key"]).text not in json.dumps(entry.changes)


def test_a_session_has_no_current_key_and_its_writes_need_the_csrf_token(api, alice):
    answer = api.as_(alice).get(f"{KEYS}/current")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_key_in_use")
    careful = type(api)(enforce_csrf_checks=True)
    careful.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    assert careful.post(KEYS, {"name": "x"}).status_code == 403
    assert not ApiKey.objects.exists()


def test_nobody_is_401(api):
    for path in (KEYS, f"{KEYS}/x", f"{KEYS}/current"):
        assert api.get(path).status_code == 401
