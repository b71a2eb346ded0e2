"""apikeys/pages: my keys, a new one in three questions, shown once, rotated and revoked."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from apikeys.models import ApiKey
from catalog.access.callers import GroupPrincipal

pytestmark = pytest.mark.django_db


@pytest.fixture
def form(visit, alice):
    """`form(name="x")`: what the page's form sends."""

    def fill(path="/me/keys/new", **typed):
        page = visit(alice).get(path).content.decode()
        once = re.search(r'name="_once" value="([0-9a-f]+)"', page)[1]
        hint = re.search(r'name="hint" value="([^"]+)"', page)
        start = {"mode": "all", "ends": "90", "scopes": ["models:read"]} if hint is None else {"hint": hint[1]}
        return {"_once": once, **start, **typed}

    return fill


def token_in(page):
    return re.search(r"mdx_[A-Za-z0-9]{20,}", page.content.decode())[0]


@pytest.mark.parametrize(
    "name", ["name", "mode", "patterns", "scopes", "per_minute", "ends", "hint", "_once", "count", "find", "picked"]
)
@pytest.mark.django_db(transaction=True)
def test_nul_is_a_mistake_of_the_form_and_none_of_the_server(visit, alice, form, make_key, name):
    browser, path = visit(alice), f"/me/keys/{make_key(alice).key.key_id}"
    browser.raise_request_exception = False
    for mode in ("all", "allow_list"):
        sent = {"name": "x", "patterns": "acme/*", **form(mode=mode), name: "a\0b"}
        assert browser.post("/me/keys/new", sent).status_code in (200, 303, 400)
    assert browser.post(path, form(path, overlap="0") | {name: "a\0b"}).status_code in (200, 400, 409)


def test_each_key_says_what_it_reaches_and_what_is_left_of_its_limits(visit, api, alice, make_key, make_model):
    for number in range(3):
        make_model(f"acme/{number}")
    make_model("acme/secret", restricted=True)
    make_key(alice, allow=["acme/1", "acme/secret"], name="narrow")
    limited = make_key(alice, name="limited", per_minute=20, per_day=100)
    for _ in range(2):
        api.with_key(limited.token).get("/v1/models")
    page = visit(alice).get("/me/keys")
    assert "<small>only these: acme/1, acme/secret</small>" in page.content.decode()
    rows = {row.key.name: row for row in page.context["rows"]}
    assert (rows["narrow"].reaches, rows["limited"].reaches) == (1, 3)
    assert [(window.period, window.remaining) for window in rows["limited"].windows] == [("minute", 18), ("day", 98)]


def test_a_window_that_is_over_is_whole_again(visit, api, alice, make_key):
    limited = make_key(alice, per_minute=2)
    api.with_key(limited.token).get("/v1/models")
    limited.key.request_count.minute_started -= 60_000
    limited.key.request_count.save()
    (row,) = visit(alice).get("/me/keys").context["rows"]
    assert row.windows[0].remaining == 2


def test_it_says_why_a_key_does_not_work(visit, alice, make_key):
    made = make_key(alice, is_active=False)
    make_key(alice, made_with=made.key)
    make_key(alice, expires_at=timezone.now() - timedelta(days=1))
    make_key(alice, is_active=False, switched_off_by_staff=True)
    states = [row.state for row in visit(alice).get("/me/keys").context["rows"]]
    of_another = "the key that it was made with does not work"
    assert states == ["switched off by your staff", "expired", of_another, "switched off"]


@pytest.mark.parametrize("of_group", [False, True])
def test_a_key_that_does_not_work_reaches_nothing(visit, alice, make_key, make_model, of_group):
    make_model("acme/m")
    group = Group.objects.create(name="research")
    alice.groups.add(group)
    key = make_key(GroupPrincipal(group) if of_group else alice, name="old").key
    for is_over, reaches, words in ((False, 1, "1 model"), (True, 0, "none, as it does not work")):
        ApiKey.objects.update(expires_at=timezone.now() - timedelta(days=1) if is_over else None)
        page = visit(alice).get("/me/keys")
        (row,) = page.context["group_rows" if of_group else "rows"]
        assert (row.key, row.reaches) == (key, reaches)
        pages = [page] if of_group else [page, visit(alice).get(f"/me/keys/{key.key_id}")]
        assert all(words in one.content.decode() for one in pages)


@pytest.mark.parametrize("keys", [1, 20])
def test_the_list_costs_the_same_for_many_keys(visit, alice, make_key, keys, django_assert_num_queries):
    for number in range(keys):
        make_key(alice, allow=[f"acme/{number}"], per_minute=5)
    browser = visit(alice)
    browser.get("/me/keys")
    with django_assert_num_queries(6):
        browser.get("/me/keys")


def test_a_new_key_works_and_a_reload_makes_none_and_shows_nothing(visit, api, alice, form, make_model):
    make_model("acme/m")
    sent = form(name="notebook", mode="allow_list", patterns="acme/*\n", per_minute="1,000")
    page = visit(alice).post("/me/keys/new", sent)
    token = token_in(page)
    assert page["Cache-Control"] == "no-store"
    assert [item["id"] for item in api.with_key(token).get("/v1/models").json()["data"]] == ["acme/m"]
    key = ApiKey.objects.get()
    assert (key.name, key.patterns, key.per_minute, key.scopes) == ("notebook", ["acme/*"], 1000, ["models:read"])
    assert timedelta(days=89) < key.expires_at - timezone.now() <= timedelta(days=90)
    again = visit(alice).post("/me/keys/new", sent, follow=True)
    assert ApiKey.objects.count() == 1
    assert token not in again.content.decode()
    assert "Nothing was made again" in again.content.decode()


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"name": "x\x1f"}, "name"),
        ({"mode": "allow_list", "patterns": " \n"}, "patterns"),
        ({"mode": "allow_list", "patterns": "acme/nobody"}, "patterns"),
        ({"mode": "deny_list", "patterns": "a b"}, "patterns"),
        ({"mode": "odd"}, "mode"),
        ({"per_minute": "0"}, "per_minute"),
        ({"per_day": "many"}, "per_day"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["all"]}, "scopes"),
    ],
)
def test_a_mistake_stands_at_its_question_and_no_key_is_made(visit, alice, form, typed, field):
    page = visit(alice).post("/me/keys/new", form(**{"name": "x", **typed}))
    assert page.status_code == 400
    assert field in page.context["mistakes"]
    assert f'id="mistake-{field}"' in page.content.decode()
    assert not ApiKey.objects.exists()


def test_a_form_that_was_refused_may_be_sent_again(visit, alice, form):
    sent = form(name="")
    assert visit(alice).post("/me/keys/new", sent).status_code == 400
    assert token_in(visit(alice).post("/me/keys/new", sent | {"name": "x"}))


def test_the_live_count_makes_nothing_and_counts_what_the_reader_sees(visit, alice, form, make_model):
    for name in ("m1", "m2", "other"):
        make_model(f"acme/{name}")
    make_model("acme/m3", restricted=True)
    page = visit(alice).post("/me/keys/new", form(count="1", mode="allow_list", patterns="acme/m*\nno/such"))
    assert page.context["reach"] == "Allows 2 of the 3 models that you see now. Matches nothing: no/such."
    assert not ApiKey.objects.exists()


def test_models_are_searched_for_ticked_and_counted_with_the_lines(visit, alice, form, make_model):
    for name in ("m1", "m2", "other"):
        make_model(f"acme/{name}")
    typed = {"mode": "allow_list", "patterns": "acme/o*", "picked": "acme/m1", "name": "x"}
    page = visit(alice).post("/me/keys/new", form(search="1", find="acme/m", **typed))
    assert [(pick.id, pick.is_picked) for pick in page.context["picks"]] == [("acme/m1", True), ("acme/m2", False)]
    assert page.context["reach"] == "Allows 2 of the 3 models that you see now."
    assert not ApiKey.objects.exists()
    visit(alice).post("/me/keys/new", form(**typed))
    assert ApiKey.objects.get().patterns == ["acme/o*", "acme/m1"]


def test_a_rotation_shows_the_new_secret_once_and_the_old_one_works_meanwhile(visit, api, alice, make_key, form):
    old = make_key(alice)
    path = f"/me/keys/{old.key.key_id}"
    sent = form(path, rotate="1", overlap="3600")
    new = token_in(visit(alice).post(path, sent))
    assert [api.with_key(token).get("/v1/models").status_code for token in (old.token, new)] == [200, 200]
    again = visit(alice).post(path, sent, follow=True)
    assert "Nothing was done again" in again.content.decode()
    assert api.with_key(new).get("/v1/models").status_code == 200
    page = visit(alice).post(path, form(path, rotate="1", overlap="3600"))
    assert page.status_code == 409
    assert "overlap of the last rotation still runs" in page.content.decode()


def test_a_rotation_of_a_key_that_was_rotated_meanwhile_is_refused(visit, alice, make_key, form):
    key = make_key(alice).key
    path = f"/me/keys/{key.key_id}"
    first, second = form(path, rotate="1", overlap="0"), form(path, rotate="1", overlap="0")
    assert visit(alice).post(path, first).status_code == 200
    assert visit(alice).post(path, second).status_code == 409


def test_revoking_asks_whether_one_is_sure(visit, api, alice, make_key):
    issued = make_key(alice)
    path = f"/me/keys/{issued.key.key_id}"
    assert visit(alice).post(path, {"revoke": "1"}).status_code == 409
    assert api.with_key(issued.token).get("/v1/models").status_code == 200
    assert visit(alice).post(path, {"revoke": "1", "sure": "1"})["Location"] == "/me/keys"
    assert api.with_key(issued.token).get("/v1/models").status_code == 401
    assert visit(alice).get(path).status_code == 404


def test_anothers_key_is_not_there(visit, alice, bob, make_key):
    path = f"/me/keys/{make_key(bob).key.key_id}"
    assert visit(alice).get(path).status_code == 404
    assert visit(alice).post(path, {"revoke": "1", "sure": "1"}).status_code == 404
    assert ApiKey.objects.get().revoked_at is None


def test_forms_need_their_token(client, alice, make_key):
    client.handler.enforce_csrf_checks = True
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post("/me/keys/new", {"name": "x", "mode": "all"}).status_code == 403
