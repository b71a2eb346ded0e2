"""templates/admin/change_list.html and config/admin_site.py: what every list of the admin has in common."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone

from apikeys.models import ApiKey
from catalog.models import AIModel, AuditEntry
from providers.models import Provider, ProviderModel, SyncRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


def cells(page, column):
    return re.findall(rf'<td [^>]*class="field-{column}"[^>]*>(.*?)</td>', page)


@pytest.mark.parametrize("model", list(admin.site._registry), ids=lambda model: model._meta.label)
def test_the_title_of_a_list_is_what_is_in_it(staff, model):
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    title = staff.get(address).context["title"]
    assert title.lower() == str(model._meta.verbose_name_plural).lower()


@pytest.mark.parametrize(("order", "ids"), [("3", ["a/1", "a/2", "a/none"]), ("-3", ["a/2", "a/1", "a/none"])])
def test_an_unknown_price_is_last_whichever_way_a_list_is_sorted(staff, make_model, order, ids):
    for model_id, price in (("a/none", None), ("a/2", 2.0), ("a/1", 1.0)):
        make_model(model_id, prompt_price=price)
    found = staff.get(f"/admin/catalog/aimodel/?o={order}").context["cl"].result_list
    assert [row.model_id for row in found] == ids


def test_a_provider_model_has_its_prices_in_one_column_and_one_mark(staff):
    provider = Provider.objects.create(slug="p", name="P", kind="openai")
    for name, listed in (("a", True), ("b", False)):
        pricing = {"prompt": "0.00000025", "completion": "0.00000125"} if listed else {}
        ProviderModel.objects.create(
            provider=provider, upstream_id=name, listing="l", pricing=pricing, active=listed, is_listed=listed
        )
    page = staff.get("/admin/providers/providermodel/").content.decode()
    assert cells(page, "prices") == ["$0.25 / $1.25", "-"]
    assert cells(page, "state") == ["on · listed", "off · not listed"]
    assert 'data-label="$ per million, in / out"' in page


def test_what_was_made_is_told_by_what_it_has(staff):
    AuditEntry.objects.create(
        action="create", subject_type="key", subject="k", changes={"name": [None, "k"], "per_day": [None, None]}
    )
    page = staff.get("/admin/catalog/auditentry/").content.decode()
    assert cells(page, "changes_shown") == ["name: k"]


def test_a_key_says_in_one_word_whether_it_works(staff, alice, make_key):
    for state in ("on", "off", "off by staff", "expired", "revoked"):
        ApiKey.objects.filter(pk=make_key(alice, name=state).key.pk).update(
            is_active="off" not in state,
            switched_off_by_staff=state == "off by staff",
            expires_at=timezone.now() - timedelta(days=1) if state == "expired" else None,
            revoked_at=timezone.now() if state == "revoked" else None,
        )
    found = staff.get("/admin/apikeys/apikey/")
    assert cells(found.content.decode(), "state") == [key.name for key in found.context["cl"].result_list]


def test_the_filters_in_use_stand_above_the_list_each_with_the_way_out(staff, make_model):
    make_model("acme/x", context_length=8192)
    page = staff.get("/admin/catalog/aimodel/?author=acme&context_min=5").content.decode()
    assert '<a href="?context_min=5" title="Take this filter away">Author: <strong>acme</strong>' in page
    assert '<a href="?author=acme" title="Take this filter away">Context length: <strong>5 to</strong>' in page
    assert AIModel.objects.count() == 1


def test_times_are_written_one_way_and_their_zone_is_named_once(staff, alice, make_key):
    ApiKey.objects.filter(pk=make_key(alice).key.pk).update(expires_at="2098-01-31T18:00:07Z")
    page = staff.get("/admin/apikeys/apikey/").content.decode()
    assert cells(page, "expires_at nowrap") == ["2098-01-31 18:00"]
    assert page.count("UTC") == 1


def test_a_card_hides_an_empty_cell_but_no_box_no_mark_and_no_link(staff):
    SyncRun.objects.create(provider=Provider.objects.create(slug="p", name="P", kind="openai"), state="ok")
    pages = [staff.get(f"/admin/{path}/").content.decode() for path in ("auth/user", "providers/provider")]
    assert set(re.findall(r"<td[^>]* data-empty[^>]*>(.*?)</td>", "".join(pages))) <= {"", "-"}
    assert "data-empty" in pages[0]


def test_a_history_leads_to_the_log_that_knows_more(staff, alice, make_key):
    key = make_key(alice).key
    page = staff.get(f"/admin/apikeys/apikey/{key.pk}/history/").content.decode()
    assert f'<a href="/admin/log/?kind=apikey&amp;id={key.pk}">' in page


@pytest.mark.parametrize("kind", ["aimodel", "custommodel"])
def test_a_form_for_something_new_begins_with_its_first_field(staff, kind):
    page = staff.get(f"/admin/catalog/{kind}/add/").content.decode()
    assert page.index('name="model_id"') < page.index('name="_save"')
