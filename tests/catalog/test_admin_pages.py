"""catalog/admin, every page: who may open it, how little it asks the database, and that hostile text is only text."""

import json

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.models import ProtectedError
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from waffle import get_waffle_flag_model

from catalog.editing import entries
from catalog.editing.history import Author, audit
from catalog.models import AIModel, AuditEntry, CustomModel, FieldChange, Tag
from tests.admin_forms import fields_of

HOSTILE = (
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "{{7*7}}",
    "{% debug %}",
    "</textarea></script><b>",
)
REGISTERED = sorted(admin.site._registry.items(), key=lambda pair: pair[0]._meta.label)
# Pages whose number of queries grows with nothing; the slack is for permissions, sessions and a page's own menus.
MOST_QUERIES = 30


def page_of(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.fixture
def rows(make_model, alice, bob, make_key, hold_flag):
    """One or two rows of whatever can be made by hand, for the loops; `more()` makes ten times as many."""

    def more(begin):
        for n in range(begin, begin + 5):
            base = make_model(f"acme/m{n}", tags=[f"tag{n}", "all"], granted_to=[alice, bob])
            entries.edit(base, {"name": f"New {n}"}, Author.person(alice))
            make_model(f"preset{n}", owner=alice, base_model=base, granted_to=bob)
            make_key(alice)
            hold_flag(f"flag{n}", alice)
            audit(Author.person(alice), base, "tested", {"x": [1, 2]})
            Group.objects.get_or_create(name=f"group{n}")[0].user_set.add(alice)
            make_many(n, alice, base)
        return AIModel.objects.order_by("pk").first()

    return more


def make_many(n, user, base):
    """A row of each model that other apps register, as far as plain values make one."""
    profile = apps.get_model("preferences", "DefaultModel")
    profile.objects.get_or_create(group=Group.objects.get(name=f"group{n}"), defaults={"model": base, "rank": n})
    provider = apps.get_model("providers", "Provider").objects.create(slug=f"p{n}", name=f"P{n}", kind="openai")
    apps.get_model("providers", "ProviderModel").objects.create(
        provider=provider, upstream_id=f"m{n}", listing="models", model=base
    )
    apps.get_model("providers", "SyncRun").objects.create(provider=provider, state="ok")


# Each of these walks all registered models in one world: to make it anew for each costs more than the pages.


def test_no_list_asks_more_for_more_rows(desk, ops, rows):
    browser, lists = desk(ops), [page_of(model, "changelist") for model, _ in REGISTERED]
    rows(0)
    for page in lists:
        asked(browser, page)
    few = {page: asked(browser, page) for page in lists}
    rows(10)
    rows(20)
    assert {page: (few[page], many) for page in lists if (many := asked(browser, page)) > few[page]} == {}
    assert {page: count for page, count in few.items() if count > MOST_QUERIES} == {}


def test_no_page_of_one_row_asks_without_bound(desk, ops, rows):
    browser, pages = desk(ops), []
    rows(0)
    for model, model_admin in REGISTERED:
        row = model_admin.get_queryset(_request(ops)).first()
        pages += [page_of(model, "add")] if model_admin.has_add_permission(_request(ops)) else []
        pages += [page_of(model, page, row.pk) for page in ("change", "history")] if row else []
    for page in pages:
        asked(browser, page)
    assert {page: count for page in pages if (count := asked(browser, page)) > MOST_QUERIES} == {}
    rows(30)
    assert {page: count for page in pages if (count := asked(browser, page)) > MOST_QUERIES} == {}


def asked(browser, page):
    """How many statements the page takes."""
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(page).status_code == 200, page
    return len(queries)


def _request(user):
    request = type("Request", (), {"user": user, "GET": {}, "POST": {}, "method": "GET"})()
    request.resolver_match = None
    return request


def test_staff_without_the_permission_reach_no_page_by_its_address(desk, make_user, rows, ops):
    rows(0)
    plain = desk(make_user("sam", is_staff=True))
    for model, model_admin in REGISTERED:
        row = model_admin.get_queryset(_request(ops)).first()
        addresses = [page_of(model, "changelist"), page_of(model, "add")]
        if row:
            addresses += [page_of(model, page, row.pk) for page in ("change", "history", "delete")]
        for address in addresses:
            assert plain.get(address).status_code == 403, address
            assert plain.post(address, {"post": "yes"}).status_code == 403, address


def test_the_view_permission_opens_the_list_and_changes_nothing(desk, make_user, rows, ops):
    rows(0)
    for model, model_admin in REGISTERED:
        name = model._meta.model_name
        viewer = make_user(f"{name} viewer", is_staff=True)
        viewer.user_permissions.add(
            Permission.objects.get(content_type__app_label=model._meta.app_label, codename=f"view_{name}")
        )
        browser, row = desk(viewer), model_admin.get_queryset(_request(ops)).first()
        assert browser.get(page_of(model, "changelist")).status_code == 200, name
        if row:
            assert browser.get(page_of(model, "change", row.pk)).status_code == 200, name
            assert browser.post(page_of(model, "change", row.pk), {}).status_code == 403, name


@pytest.mark.parametrize("who", ["anonymous", "plain"])
def test_only_staff_enter_at_all(desk, alice, who):
    client = Client() if who == "anonymous" else desk(alice)
    response = client.get("/admin/catalog/aimodel/")
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


def test_special_pages_need_their_permission(desk, make_user, rows):
    model = rows(0)
    sam = make_user("sam", is_staff=True)
    for codename in ("view_aimodel", "change_aimodel"):
        sam.user_permissions.add(Permission.objects.get(codename=codename))
    pages = ["/admin/catalog/aimodel/view-as/", f"/admin/catalog/aimodel/{model.pk}/access/"]
    assert [desk(sam).get(page).status_code for page in pages] == [403, 403]
    sam.user_permissions.add(Permission.objects.get(codename="view_as"))
    assert [desk(sam).get(page).status_code for page in pages] == [200, 200]


def test_actions_and_release_need_the_permission_to_change(desk, make_user, rows):
    model = rows(0)
    vera = make_user("vera", is_staff=True)
    vera.user_permissions.add(Permission.objects.get(codename="view_aimodel"))
    desk(vera).post("/admin/catalog/aimodel/", {"action": "hide", "_selected_action": model.pk, "_asked": "1"})
    assert desk(vera).post(f"/admin/catalog/aimodel/{model.pk}/change/", {"_release": "*"}).status_code == 403
    assert not AIModel.objects.filter(hidden=True).exists()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text_on_every_page(desk, ops, make_model, hold_flag, alice, text):
    model = make_model("acme/x", name=text, family=text[:100], description=text, tags=[text],
                       upstream={"name": {"value": text, "source": text, "since": text}},
                       pinned_fields=["name"])  # fmt: skip
    preset = make_model("preset", name=text, owner=alice, base_model=model)
    entries.edit(model, {"notes": text}, Author.person(None, text))
    audit(Author.person(None, text), model, text[:64], {text: [text, text]})
    client, base = desk(ops), "/admin/catalog/aimodel/"
    pages = [
        client.get(base), client.get(f"{base}?q={text}"), client.get(f"{base}?context_min={text}", follow=True),
        client.get(f"{base}{model.pk}/change/"), client.get(f"{base}{model.pk}/history/"),
        client.get(f"{base}{model.pk}/history/", {"field": text}), client.get(f"{base}{model.pk}/access/"),
        client.get(f"{base}view-as/", {"user": ops.pk, "q": text, "model": text, "show": text, "dialect": text}),
        client.get(f"{base}view-as/", {"user": ops.pk, "dialect": "/v1/models"}),
        client.post(base, {"action": "untag", "_asked": "1", "tags": text, "_selected_action": model.pk}),
        client.get("/admin/catalog/fieldchange/"), client.get("/admin/catalog/auditentry/"),
        client.get("/admin/catalog/tag/"), client.get(f"/admin/catalog/tag/{Tag.objects.get().pk}/delete/"),
        client.get("/admin/catalog/custommodel/"), client.get(f"/admin/catalog/custommodel/{preset.pk}/delete/"),
        client.get("/admin/autocomplete/", {"app_label": "preferences", "model_name": "defaultmodel",
                                            "field_name": "model", "term": "acme"}),
    ]  # fmt: skip
    for page in pages:
        assert page.status_code == 200
        if page["Content-Type"].startswith("text/html"):
            body = page.content.decode()
            for raw in ("<script>alert", "<svg onload", "<img src=x", "</textarea></script>"):
                assert raw not in body, page.request["PATH_INFO"]
            assert "javascript:" not in [part[:11] for part in body.split('href="')]
            assert ">49<" not in body


def test_pages_run_under_the_strict_policy_and_hold_no_inline_script_or_style(desk, ops, rows):
    model = rows(0)
    for page in ("/admin/", "/admin/catalog/aimodel/", f"/admin/catalog/aimodel/{model.pk}/change/",
                 f"/admin/catalog/aimodel/{model.pk}/history/", "/admin/catalog/aimodel/view-as/"):  # fmt: skip
        response = desk(ops).get(page)
        assert "unsafe" not in response["Content-Security-Policy"]
        body = response.content.decode()
        assert " style=" not in body
        assert "<style" not in body
        assert " onclick=" not in body
        assert [part for part in body.split("<script")[1:] if "src=" not in part.partition(">")[0]] == []


def test_history_reads_as_a_timeline_of_who_and_what(desk, ops, make_model):
    model = make_model("acme/x", context_length=1)
    entries.edit(model, {"context_length": 2}, Author.person(ops))
    FieldChange.objects.create(
        model=model,
        subject="acme/x",
        field="context_length",
        old=2,
        new=3,
        source="sync",
        actor="openrouter",
        run_id=12,
    )
    page = desk(ops).get(f"/admin/catalog/aimodel/{model.pk}/history/").content.decode()
    assert page.index("openrouter, run 12") < page.index('<span class="who person">ops')
    assert '<span class="old">1</span>' in page
    assert '<span class="new">3</span>' in page


def test_view_as_shows_the_very_lists_of_a_user_a_key_and_of_anyone(desk, ops, api, make_model, alice, bob, make_key):
    make_model("acme/open")
    make_model("acme/secret", granted_to=bob)
    key = make_key(bob, allow=["acme/secret"])
    page = "/admin/catalog/aimodel/view-as/"

    def seen(**who):
        return [line["row"].model_id for line in desk(ops).get(page, who).context["lines"]]

    assert seen(user=alice.pk) == ["acme/open"]
    assert seen(user=bob.pk) == ["acme/open", "acme/secret"]
    assert seen(key=key.key.key_id) == ["acme/secret"]
    assert seen(anyone="1") == ["acme/open"]
    text = desk(ops).get(page, {"user": alice.pk, "dialect": "/api/models"}).context["text"]
    assert api.as_(alice).get("/api/models").json() == json.loads(text)
    why = desk(ops).get(page, {"user": alice.pk, "show": "unseen"})
    assert "only for those granted" in why.content.decode()
    told = desk(ops).get(page, {"user": alice.pk, "model": "acme/secret"}).context["checks"]
    assert [check.check for check in told if not check.ok] == ["readable"]


def test_view_as_a_user_who_is_switched_off_shows_that_and_nothing_else(desk, ops, make_model, alice):
    make_model("acme/open")
    alice.is_active = False
    alice.save()
    page = desk(ops).get("/admin/catalog/aimodel/view-as/", {"user": alice.pk})
    assert "inactive" in page.content.decode()
    assert "acme/open" not in page.content.decode()


@pytest.mark.parametrize("who", [{"user": "999999"}, {"user": "x"}, {"user": "9" * 30}, {"key": "no"}])
def test_view_as_nobody_that_exists_is_404(desk, ops, who):
    assert desk(ops).get("/admin/catalog/aimodel/view-as/", who).status_code == 404


def test_changes_of_other_objects_are_audited(desk, ops, db):
    client = desk(ops)
    client.post("/admin/catalog/tag/add/", {"name": "fast"})
    tag = Tag.objects.get()
    client.post(f"/admin/catalog/tag/{tag.pk}/change/", {"name": "slow"})
    client.post(f"/admin/catalog/tag/{tag.pk}/delete/", {"post": "yes"})
    told = AuditEntry.objects.filter(subject_type="tag").order_by("pk").values_list("action", "actor")
    assert list(told) == [("added", "ops"), ("changed", "ops"), ("deleted", "ops")]
    assert AuditEntry.objects.get(action="changed").changes["name"] == ["fast", "slow"]


def test_a_tag_that_differs_by_case_alone_is_refused(desk, ops, db):
    Tag.named(["Fast"])
    page = desk(ops).post("/admin/catalog/tag/add/", {"name": "FAST"})
    assert "Fast already" in page.content.decode()


def test_the_deletion_of_a_tag_counts_the_models_that_lose_it_and_names_no_row_without_a_name(desk, ops, make_model):
    for name in ("large", "small"):
        make_model(f"acme/{name}", tags=["fast"])
    page = desk(ops).get(page_of(Tag, "delete", Tag.objects.get().pk)).content.decode()
    assert ("model-tag links: 2" in page.lower(), " object (" in page) == (True, False)


def test_a_required_flag_is_deleted_by_nobody(make_model, hold_flag):
    hold_flag("beta")
    make_model("acme/x", requires_feature_flag="beta")
    with pytest.raises(ProtectedError):
        get_waffle_flag_model().objects.all().delete()


def test_custom_models_without_a_base_are_told_and_built_upon_another_at_once(desk, ops, make_model, alice):
    gone, base = make_model("acme/gone"), make_model("acme/base")
    presets = [make_model(f"preset{n}", owner=alice, base_model=gone) for n in range(3)]
    gone.delete()
    client, address = desk(ops), "/admin/catalog/custommodel/"
    assert "3 custom models stand upon a base that is gone" in client.get(address).content.decode()
    sent = {"action": "rebase", "_selected_action": [row.pk for row in presets], "base": "acme/base", "_asked": "1"}
    shown = client.post(f"{address}?base=gone", sent).context["preview"]
    assert shown.changed == 3
    client.post(f"{address}?base=gone", {**sent, "_confirmed": shown.seal})
    assert set(CustomModel.objects.filter(kind="custom").values_list("base_model", flat=True)) == {base.pk}


def test_a_custom_model_is_deleted_with_its_history_kept(desk, ops, make_model, alice):
    preset = make_model("preset", owner=alice, base_model=make_model("acme/x"))
    desk(ops).post(f"/admin/catalog/custommodel/{preset.pk}/delete/", {"post": "yes"})
    assert not AIModel.objects.filter(model_id="preset").exists()
    assert FieldChange.objects.filter(subject="preset", field="deleted", actor="ops").exists()


@pytest.mark.parametrize(
    "following", ["//evil.example/", "https:evil.example", "/\\evil.example", "javascript:alert(1)", "///evil.example"]
)
def test_signing_in_stays_on_the_site(ops, following):
    sent = {"username": "ops", "password": "ops's long password", "next": following}
    response = Client().post("/admin/login/", sent)
    assert response["Location"] in ("/", "/admin/")


def test_too_many_wrong_passwords_are_told_in_words(ops):
    client = Client()
    for _ in range(11):
        response = client.post("/admin/login/", {"username": "ops", "password": "wrong"})
    assert response.status_code == 429
    assert "Too many wrong passwords" in response.content.decode()
    assert int(response["Retry-After"]) > 0


def test_a_flag_with_1200_holders_opens_in_few_queries_and_is_saved(desk, ops, hold_flag, alice):
    users = get_user_model().objects.bulk_create(get_user_model()(username=f"user{n:04}") for n in range(1200))
    flag = hold_flag("beta", *users)
    address = f"/admin/waffle/flag/{flag.pk}/change/"
    with CaptureQueriesContext(connection) as queries:
        page = desk(ops).get(address).content.decode()
    assert len(queries) <= MOST_QUERIES
    assert "1200: user0000, user0001" in page
    form = {**fields_of(page, "flag_form"), "give_to": alice.pk, "take_from": users[0].pk, "_save": "Save"}
    assert desk(ops).post(address, form).status_code == 302
    held = set(flag.users.values_list("username", flat=True))
    assert (len(held), "alice" in held, "user0000" in held) == (1200, True, False)


def test_a_form_with_too_many_fields_is_refused_in_words(desk, ops, db):
    sent = {"name": "fast", "_selected_action": [str(n) for n in range(1001)]}
    answer = desk(ops).post("/admin/catalog/tag/add/", sent)
    assert answer.status_code == 400
    assert "more than 1,000 fields" in answer.content.decode()
