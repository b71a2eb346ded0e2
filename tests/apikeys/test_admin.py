"""Keys in the admin: made, changed, switched off and revoked through the same functions as everywhere."""

import html
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from apikeys import keys as issuing
from apikeys import tokens
from apikeys.models import ApiKey
from catalog.editing.history import Author
from catalog.models import AuditEntry
from tests.admin_forms import fields_of

pytestmark = pytest.mark.django_db

LIST, ADD = "admin:apikeys_apikey_changelist", "admin:apikeys_apikey_add"
AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def staff(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


def form(user, **fields):
    sent = {
        "user": user.pk, "name": "from the admin", "mode": "all", "patterns": "", "is_active": "on",
        "scopes": ["models:read", "preferences:write"], "per_minute": "", "per_day": "",
        "expires_at": "",
    } | fields  # fmt: skip
    return {name: value for name, value in sent.items() if value is not None}


def page(key):
    return reverse("admin:apikeys_apikey_change", args=[key.pk])


def post(staff, path, data):
    """The key as it stands after the form, and the form's errors."""
    answer = staff.post(path, data)
    if answer.status_code == 302:
        return {}
    return dict(answer.context["adminform"].form.errors)


def test_the_page_after_making_a_key_shows_it_once(api, staff, alice, make_model):
    make_model("acme/x")
    sent = form(alice, mode="allow_list", patterns="acme/x\r\n\r\n  qwen/* \r\n", per_minute="5")
    answer = staff.post(reverse(ADD), sent)
    (text,) = set(re.findall(r"mdx_[0-9A-Za-z]{61}", answer.content.decode()))
    key = ApiKey.objects.get(key_id=tokens.parse(text).key_id)
    assert "no-store" in answer["Cache-Control"]
    assert (key.user, key.patterns, key.per_minute) == (alice, ["acme/x", "qwen/*"], 5)
    assert api.with_key(text).get("/api/keys/current").status_code == 200
    assert AuditEntry.objects.get(action="create").user.username == "ops"
    assert text not in str(answer.cookies) + str(dict(staff.session))


def test_a_key_ends_so_many_days_from_now_and_its_page_gives_back_what_is_stored(staff, alice):
    staff.post(reverse(ADD), form(alice, expires_at="90d"))
    key = ApiKey.objects.get()
    assert timedelta(days=89) < key.expires_at - timezone.now() < timedelta(days=91)
    again = fields_of(staff.get(page(key)).content.decode(), "apikey_form")
    assert staff.post(page(key), again).status_code == 302
    assert ApiKey.objects.get().expires_at == key.expires_at
    assert not AuditEntry.objects.exclude(action="create").exists()


def test_the_page_with_the_secret_shows_a_command_that_works(api, staff, alice):
    shown = html.unescape(staff.post(reverse(ADD), form(alice)).content.decode())
    (token,) = re.findall(r'curl -H "Authorization: Bearer (mdx_\w+)" http://testserver/v1/models<', shown)
    assert api.with_key(token).get("/v1/models").status_code == 200
    assert 'data-copy="secret"' in shown


@pytest.mark.parametrize(
    ("whose", "values", "state"),
    [
        ("key", {"is_active": False}, "off"),
        ("key", {"expires_at": AGO}, "expired"),
        ("maker", {"is_active": False}, "maker off"),
        ("maker", {"revoked_at": AGO}, "maker off"),
        ("maker", {"expires_at": AGO}, "maker expired"),
        ("owner", {"is_active": False}, "owner off"),
    ],
)
def test_a_key_that_is_refused_is_on_nowhere(api, staff, alice, make_key, make_model, whose, values, state):
    make_model("acme/m")
    maker = make_key(alice)
    issued = make_key(alice, made_with=maker.key)
    row = {"key": issued.key, "maker": maker.key, "owner": alice}[whose]
    type(row).objects.filter(pk=row.pk).update(**values)
    assert api.with_key(issued.token).get("/v1/models").status_code == 401
    shown = staff.get(reverse(LIST)).content.decode()
    assert f'class="field-state nowrap">{state}<' in shown or f'class="field-state">{state}<' in shown
    looked = staff.get(reverse("admin:catalog_aimodel_view_as"), {"key": issued.key.key_id})
    assert "refused everywhere" in looked.content.decode()
    explained = {"model_id": "acme/m", "key": issued.key.key_id}
    assert staff.get("/api/models/access", explained).status_code == 400
    with pytest.raises(issuing.Conflict):
        issuing.rotate(issued.key, 0, issuing.Actor(Author.person(alice)))


@pytest.mark.parametrize("number", [1, 10])
def test_the_list_costs_the_same_for_many_keys_made_with_others(
    staff, alice, make_key, number, django_assert_max_num_queries
):
    for _ in range(number):
        make_key(alice, made_with=make_key(alice).key)
    with django_assert_max_num_queries(12):
        staff.get(reverse(LIST))


def test_no_page_shows_a_secret_or_a_hash(staff, alice, make_key):
    issued = make_key(alice)
    key = issued.key
    history = reverse("admin:apikeys_apikey_history", args=[key.pk])
    delete = reverse("admin:apikeys_apikey_delete", args=[key.pk])
    for path in (reverse(LIST), page(key), history, delete, reverse(LIST) + f"?q={key.key_id}"):
        answer = staff.get(path)
        assert answer.status_code == 200
        assert key.secret_hash not in answer.content.decode()
        assert issued.token not in answer.content.decode()


@pytest.mark.parametrize("query", ["?q=alice", "?revoked=no", "?revoked=yes", "?mode=all", "?is_active__exact=1"])
def test_the_list_is_searched_and_filtered(staff, alice, make_key, query):
    make_key(alice)
    answer = staff.get(reverse(LIST) + query)
    assert answer.status_code == 200
    assert answer.context["cl"].result_count == (0 if "yes" in query else 1)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"mode": "allow_list"}, "patterns"),
        ({"mode": "deny_list"}, "patterns"),
        ({"mode": "all", "patterns": "acme/x"}, "patterns"),
        ({"mode": "allow_list", "patterns": "acme/x", "no_models": "on"}, "no_models"),
        ({"mode": "allow_list", "patterns": "no/such"}, "patterns"),
        ({"mode": "allow_list", "patterns": "acme/x\nacme/x"}, "patterns"),
        ({"mode": "allow_list", "patterns": "a*" * 30}, "patterns"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"per_minute": "0"}, "per_minute"),
        ({"per_day": "2147483648"}, "per_day"),
        ({"expires_at": "2020-01-01 00:00"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
    ],
)
def test_what_is_refused_is_said_at_its_field_and_makes_no_key(staff, alice, make_model, fields, field):
    make_model("acme/x")
    assert field in post(staff, reverse(ADD), form(alice, **fields))
    assert not ApiKey.objects.exists()


def test_the_last_entry_of_a_list_goes_only_by_an_explicit_choice(staff, alice, make_key):
    key = make_key(alice, allow=["acme/x"]).key
    assert "patterns" in post(staff, page(key), form(alice, mode="allow_list"))
    key.refresh_from_db()
    assert key.patterns == ["acme/x"]
    assert not post(staff, page(key), form(alice, mode="allow_list", no_models="on"))
    key.refresh_from_db()
    assert (key.mode, key.patterns) == ("allow_list", [])
    assert not post(staff, page(key), form(alice, mode="all"))
    all_models, no_models = AuditEntry.objects.filter(action="change").order_by("-id")
    assert no_models.changes["patterns"] == [["acme/x"], []]
    assert all_models.changes["mode"] == ["allow_list", "all"]


def test_a_form_saved_without_a_change_changes_and_audits_nothing(staff, alice, make_key):
    key = make_key(alice, allow=["acme/x", "b*"]).key
    before = ApiKey.objects.values().get()
    assert not post(staff, page(key), form(alice, name="a key", mode="allow_list", patterns="acme/x\r\nb*"))
    assert ApiKey.objects.values().get() == before
    assert not AuditEntry.objects.filter(action="change").exists()


def test_staff_who_switch_a_key_off_have_the_last_word(api, staff, alice, make_key):
    key = make_key(alice).key
    assert not post(staff, page(key), form(alice, is_active=None))
    key.refresh_from_db()
    assert (key.is_active, key.switched_off_by_staff) == (False, True)
    assert api.as_(alice).patch(f"/api/keys/{key.key_id}", {"is_active": True}).status_code == 403
    assert not post(staff, page(key), form(alice))
    key.refresh_from_db()
    assert (key.is_active, key.switched_off_by_staff) == (True, False)


def test_the_action_switches_off_also_what_its_owner_had_off(staff, alice, make_key):
    keys = [make_key(alice, is_active=is_active).key for is_active in (True, False)]
    for action, expected in (("switch_off", (False, True)), ("switch_on", (True, False))):
        staff.post(reverse(LIST), {"action": action, "_selected_action": [key.pk for key in keys]})
        for key in keys:
            key.refresh_from_db()
            assert (key.is_active, key.switched_off_by_staff) == expected


def test_revoking_shows_what_it_ends_and_then_does_it(api, staff, alice, make_key):
    issued = make_key(alice)
    chosen = {"action": "revoke", "_selected_action": [issued.key.pk]}
    asked = staff.post(reverse(LIST), chosen)
    assert issued.key.hint in asked.content.decode()
    assert api.with_key(issued.token).get("/api/keys/current").status_code == 200
    staff.post(reverse(LIST), chosen | {"confirmed": "1", "_seal": asked.context["seal"]})
    assert api.with_key(issued.token).get("/api/keys/current").status_code == 401
    assert AuditEntry.objects.filter(action="revoke", user__username="ops").count() == 1
    assert "_save" not in staff.get(page(issued.key)).content.decode()


def test_keys_are_revoked_only_as_they_were_shown(staff, alice, make_key):
    one, other = make_key(alice).key, make_key(alice).key
    seal = staff.post(reverse(LIST), {"action": "revoke", "_selected_action": [one.pk]}).context["seal"]
    child = make_key(alice, made_with=one).key
    for keys in ([one.pk], [one.pk, other.pk]):
        page = staff.post(
            reverse(LIST), {"action": "revoke", "_selected_action": keys, "confirmed": "1", "_seal": seal}
        )
        assert "would not do what you were shown" in page.content.decode()
    assert child.hint in page.content.decode()
    assert ApiKey.objects.unrevoked().count() == 3


def test_a_deleted_key_leaves_its_past(staff, alice, make_key):
    key = make_key(alice).key
    staff.post(reverse("admin:apikeys_apikey_delete", args=[key.pk]), {"post": "yes"})
    assert not ApiKey.objects.exists()
    assert AuditEntry.objects.filter(subject_id=str(key.pk), action="delete").exists()


def test_staff_without_the_permission_see_and_do_nothing(client, make_user, alice, make_key):
    client.force_login(make_user("clerk", is_staff=True), backend="django.contrib.auth.backends.ModelBackend")
    key = make_key(alice).key
    for path in (reverse(LIST), reverse(ADD), page(key)):
        assert client.get(path).status_code == 403
    client.post(reverse(LIST), {"action": "revoke", "_selected_action": [key.pk], "confirmed": "yes"})
    key.refresh_from_db()
    assert key.revoked_at is None


def test_only_a_superuser_makes_a_key_for_a_superuser(client, make_user, ops):
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="apikeys"))
    client.force_login(clerk, backend="django.contrib.auth.backends.ModelBackend")
    assert "user" in post(client, reverse(ADD), form(ops))
    assert not ApiKey.objects.exists()


MATCHES = "/admin/apikeys/apikey/matches"


@pytest.mark.parametrize(
    ("mode", "patterns", "told"),
    [
        ("all", "", "Allows 2 of the 2 models"),
        ("allow_list", "acme/*", "Allows 2 of the 2 models"),
        (
            "allow_list",
            "acme/one\nacme/tow",
            "Allows 1 of the 2 models that this user sees now. Matches nothing: acme/tow",
        ),
        ("deny_list", "acme/one", "Allows 1 of the 2 models"),
        ("allow_list", "other/*", "Allows 0 of the 2 models that this user sees now. Matches nothing: other/*."),
        ("allow_list", "a" * 300, "at most 255"),
        ("no such mode", "acme/*", "Allows 0 of the 2 models"),
    ],
)
def test_a_policy_is_told_while_it_is_written(
    staff, alice, make_model, mode, patterns, told, django_assert_max_num_queries
):
    for model_id in ("acme/one", "acme/two"):
        make_model(model_id)
    make_model("acme/hidden", hidden=True)
    with django_assert_max_num_queries(6):
        answer = staff.post(MATCHES, {"user": alice.pk, "mode": mode, "patterns": patterns})
    assert told in answer.json()["told"]


@pytest.mark.parametrize("also", [(), ("view_custommodel",)])
@pytest.mark.parametrize("pattern", ["private", "priv*"])
def test_a_policy_tells_nothing_of_models_that_who_asks_may_not_look_at(
    client, make_user, alice, make_model, also, pattern
):
    make_model("private", owner=alice, base_model=make_model("acme/one"))
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=("add_apikey", *also)))
    client.force_login(clerk, backend="django.contrib.auth.backends.ModelBackend")
    told = client.post(MATCHES, {"user": alice.pk, "mode": "allow_list", "patterns": pattern}).json()["told"]
    count = "of the 2 models" if also else "of the 1 models"
    assert (count in told, f"Matches nothing: {pattern}." in told) == (True, not also)


@pytest.mark.parametrize("user", ["", "x", "9" * 30, "²", "0"])
def test_without_a_user_nothing_is_told_of_the_catalog(staff, make_model, user):
    make_model("acme/one")
    assert staff.post(MATCHES, {"user": user, "mode": "all"}).json()["told"].startswith("Choose the user")


def test_a_policy_is_told_only_to_who_may_write_one(client, make_user, alice, make_key):
    reader = make_user("reader", is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename="view_apikey"))
    client.force_login(reader, backend="django.contrib.auth.backends.ModelBackend")
    for path in (MATCHES, f"/admin/apikeys/apikey/{make_key(alice).key.pk}/matches"):
        assert client.post(path, {"user": alice.pk, "mode": "all"}).status_code == 403


@pytest.mark.parametrize("patterns", [{"a": 1}, [1, None], 5])
def test_a_list_of_keys_shows_one_that_is_broken_as_reaching_nothing(staff, alice, make_key, patterns):
    make_key(alice, mode="deny_list", patterns=patterns)
    page = staff.get("/admin/apikeys/apikey/")
    assert page.status_code == 200
    assert b'class="field-reach">none<' in page.content
