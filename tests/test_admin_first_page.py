"""The admin's first page: templates/admin/index.html, config/admin_site.py, and the cards that each app adds."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.admin import decisions
from config.admin_site import GROUPS, IN_THE_LOG
from providers.models import Provider, ProviderModel, SyncRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def troubles(alice, make_key, make_model):
    """One of each kind."""
    now = timezone.now()
    make_key(alice, name="nightly", expires_at=now + timedelta(days=3))
    model = make_model("acme/old", retires_at=(now + timedelta(days=9)).date())
    for slug, state, seen, refused in (("fine", "ok", 1, None), ("broken", "failed", 1, now), ("old", "ok", 50, None)):
        provider = Provider.objects.create(
            slug=slug,
            name=slug,
            kind="openai",
            last_success_at=now - timedelta(hours=seen),
            credential_refused_at=refused,
        )
        SyncRun.objects.create(provider=provider, state=state, ended_at=now, message="It answered 500.")
        ProviderModel.objects.create(
            provider=provider, upstream_id="x", listing="l", model=model, facts={"context_length": 10**provider.pk}
        )
    SyncRun.objects.create(provider=provider, state="held", sizes={"l": 9}, message="9 are gone.")


def test_what_waits_is_told_in_cards_the_most_urgent_first(staff, ops, troubles):
    told = [f"{card.number} {card.title}" for card in decisions.cards(ops)]
    assert told == [
        "1 held sync",
        "1 source fails",
        "1 credential is refused",
        "1 source was not read for a day",
        "1 key expires within a week",
        "1 retired by their makers within 30 days",
        "1 disagreement between sources",
    ]
    page = staff.get("/admin/").content.decode()
    for card in decisions.cards(ops):
        assert staff.get(card.address).status_code == 200
        assert f'href="{card.address}">{card.button}</a>' in page


def test_where_nothing_waits_one_line_says_so(staff):
    page = staff.get("/admin/").content.decode()
    assert "Nothing is left to decide." in page
    assert 'class="card"' not in page


def test_nobody_is_shown_cards_of_what_they_may_not_view(make_user, troubles):
    reader = make_user("reader", is_staff=True)
    assert decisions.cards(reader) == []
    reader.user_permissions.set(Permission.objects.filter(codename="view_apikey"))
    (card,) = decisions.cards(type(reader).objects.get(pk=reader.pk))
    assert card.place == 50


def test_the_first_page_asks_little_however_much_there_is(staff, troubles):
    with CaptureQueriesContext(connection) as few:
        staff.get("/admin/")
    for number in range(20):
        provider = Provider.objects.create(slug=f"p{number}", name="P", kind="openai")
        SyncRun.objects.create(provider=provider, state="failed")
    with CaptureQueriesContext(connection) as many:
        staff.get("/admin/")
    assert len(many) <= len(few) <= 25


def test_what_was_done_is_looked_for_in_one_place_which_leads_to_its_tables(staff, make_user, client):
    page = staff.get("/admin/").content.decode()
    assert page.count('href="/admin/log/"') >= 1
    tables = ("/admin/catalog/fieldchange/", "/admin/catalog/auditentry/")
    for gone in (*tables, "Recent actions", "My actions"):
        assert gone not in page
    log = staff.get("/admin/log/").content.decode()
    assert all(f'href="{table}"' in log for table in tables)
    assert 'href="?who=ops"' in log
    reader = make_user("reader", is_staff=True)
    client.force_login(reader, backend="django.contrib.auth.backends.ModelBackend")
    assert 'href="/admin/log/"' not in client.get("/admin/").content.decode()


def test_every_list_of_the_admin_stands_in_a_group_by_its_job(staff):
    known = {model._meta.label for model in admin.site._registry}
    assert {name for members in (*GROUPS.values(), IN_THE_LOG) for name in members} == known
    groups = staff.get("/admin/").context["app_list"]
    assert [group["name"] for group in groups] == ["Catalog", "Providers and syncs", "People and keys", "Log"]
