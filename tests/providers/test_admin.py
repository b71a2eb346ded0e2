"""providers/admin: providers, provider models and runs."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from catalog.editing.history import Author
from catalog.models import AIModel, AuditEntry, FieldChange
from catalog.pricing import typed
from providers.connection import credentials
from providers.models import Provider, ProviderModel, SyncRun
from providers.offers import bulk
from providers.sync.run import sync
from tests.upstreams import Upstream

CHANGE_OFFER = "admin:providers_providermodel_change"
BULK = "/admin/providers/providermodel/bulk"
SECRET = "sk-or-v1-a-secret-of-ours-1234"


@pytest.fixture
def staff(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def openrouter(db, settings, upstream: Upstream) -> Provider:
    settings.OPENROUTER_BASE_URL = f"{upstream.url}/api/v1"
    return Provider.objects.create(slug="openrouter", name="OpenRouter", kind="openrouter", precedence=50)


def record(model_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": model_id,
        "name": f"Acme: {model_id}",
        "created": 1755815280,
        "context_length": 8192,
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "pricing": {"prompt": "0.000001", "completion": "0.000002"},
        "top_provider": {"context_length": 8192, "max_completion_tokens": 1024, "is_moderated": False},
        "supported_parameters": ["tools"],
        **fields,
    }


def listing(upstream: Upstream, count: int, **fields: Any) -> None:
    upstream.serve("/api/v1/models", {"data": [record(f"acme/m{n}", **fields) for n in range(count)]})
    vectors = {"input_modalities": ["text"], "output_modalities": ["embeddings"]}
    upstream.serve("/api/v1/embeddings/models", {"data": [record("acme/embed", architecture=vectors)]})


@pytest.fixture
def offers(openrouter, upstream) -> list[ProviderModel]:
    listing(upstream, 30)
    assert sync(openrouter).state == "ok"
    return list(ProviderModel.objects.filter(listing="language").order_by("pk"))


def offer_form(offer: ProviderModel, **changed: Any) -> dict[str, Any]:
    prices = {
        f"price_{name}": typed(name, offer.pricing[name]) if name in offer.pricing else ""
        for name in ("prompt", "completion", "request", "image")
    }
    others = dict.fromkeys(
        ("price_web_search", "price_internal_reasoning", "price_input_cache_read", "price_input_cache_write"), ""
    )
    form = {
        "active": "on" if offer.active else "",
        "category": offer.category,
        "order": offer.order,
        "flags": "{}",
        "initial-flags": "{}",
        "display_name": offer.display_name,
        "context_length": offer.context_length or "",
        "max_output_tokens": offer.max_output_tokens or "",
        "price_audio": "",
        "overrides": "",
        **prices,
        **others,
        **changed,
    }
    return {name: value for name, value in form.items() if value != "" or name != "active"}


def test_a_price_set_by_hand_is_pinned_stays_over_a_sync_and_is_handed_back(staff, openrouter, offers, upstream):
    offer = offers[0]
    url = reverse(CHANGE_OFFER, args=[offer.pk])
    assert staff.post(url, offer_form(offer, price_prompt="5")).status_code == 302
    offer.refresh_from_db()
    assert offer.pinned_fields == ["pricing"]
    assert AIModel.objects.get(model_id="acme/m0").pricing["prompt"] == "0.000005"
    listing(upstream, 30, pricing={"prompt": "0.0000011", "completion": "0.000002"})
    sync(openrouter)
    page = staff.get(url)
    assert "prompt $5.00, completion $2.00" in page.content.decode()
    assert "prompt $1.10, completion $2.00" in page.content.decode()
    sent = {**offer_form(offer, price_prompt="5"), "_release": "pricing", "_seal": page.context["seal"]}
    refused = staff.post(url, {**sent, "display_name": "Typed and not saved"})
    assert "changes that are not saved yet (display name)" in refused.content.decode()
    staff.post(url, {**sent, "_seal": "of another page"})
    assert ProviderModel.objects.get(pk=offer.pk).pinned_fields == ["pricing"]
    assert staff.post(url, sent).status_code == 302
    offer.refresh_from_db()
    assert (offer.pinned_fields, offer.pricing["prompt"]) == ([], "0.0000011")
    assert AIModel.objects.get(model_id="acme/m0").pricing["prompt"] == "0.0000011"


def test_an_offers_page_shows_its_prices_and_its_listing_over_time(staff, openrouter, offers, upstream):
    listing(upstream, 30, pricing={"prompt": "0.0000011", "completion": "0.000002", "image": "0.004"})
    sync(openrouter)
    page = staff.get(reverse(CHANGE_OFFER, args=[offers[0].pk])).content.decode()
    over_time = page.partition("Its price over time")[2]
    assert over_time.index("<td>$1.00</td>") < over_time.index("<td>$1.10</td>")
    assert "per image $0.004" in over_time
    assert "until now" in over_time


def test_an_offers_page_leads_to_its_entry_for_those_who_may_see_that(staff, client, make_user, offers):
    address, entry = reverse(CHANGE_OFFER, args=[offers[0].pk]), AIModel.objects.get(model_id="acme/m0")
    link = f'href="{reverse("admin:catalog_aimodel_change", args=[entry.pk])}">Its entry<'
    assert link in staff.get(address).content.decode()
    reader = make_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_providermodel"))
    client.force_login(reader, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(address)
    assert (page.status_code, "Its entry" in page.content.decode()) == (200, False)


def test_a_way_to_the_bulk_page_is_shown_to_those_who_may_use_it(staff, client, make_user, offers):
    address = reverse("admin:providers_providermodel_changelist")
    assert BULK in staff.get(address).content.decode()
    reader = make_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_providermodel"))
    client.force_login(reader, backend="django.contrib.auth.backends.ModelBackend")
    assert BULK not in client.get(address).content.decode()


def test_a_form_saved_unchanged_writes_nothing(staff, offers):
    before = ProviderModel.objects.filter(pk=offers[0].pk).values().get()
    staff.post(reverse(CHANGE_OFFER, args=[offers[0].pk]), offer_form(offers[0]))
    assert ProviderModel.objects.filter(pk=offers[0].pk).values().get() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price_prompt", "-1"),
        ("price_prompt", "NaN"),
        ("price_prompt", "1,5"),
        ("price_completion", "1e-60"),
        ("price_completion", "2e12"),
        ("context_length", "0"),
        ("context_length", "2147483648"),
        ("max_output_tokens", "many"),
        ("overrides", "{}5"),
        ("overrides", '{"a": 1}'),
        ("overrides", '[{"utc_start": 0, "prompt": "free"}]'),
        ("order", "9999999999"),
        ("flags", '{"a": NaN}'),
    ],
)
def test_a_wrong_value_is_refused_at_its_field(staff, offers, field, value):
    answer = staff.post(reverse(CHANGE_OFFER, args=[offers[0].pk]), offer_form(offers[0], **{field: value}))
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors


@pytest.mark.parametrize(
    ("value", "stored"), [("", None), ("0", "0"), ("1e-1", "0.0000001"), ("2.50", "0.0000025"), ("-0", "0")]
)
def test_a_price_can_be_cleared_and_set_to_zero(staff, offers, value, stored):
    form = offer_form(offers[0], price_prompt=value, **({"meant_prompt": "0"} if stored == "0" else {}))
    staff.post(reverse(CHANGE_OFFER, args=[offers[0].pk]), form)
    assert ProviderModel.objects.get(pk=offers[0].pk).pricing.get("prompt") == stored


def test_prices_are_typed_per_million_with_the_stored_value_beside_them(staff, offers):
    page = staff.get(reverse(CHANGE_OFFER, args=[offers[0].pk])).content.decode()
    assert re.search(r'name="price_prompt" value="1"', page)
    assert "Prompt per million" in page
    assert "Stored: 0.000001 a token." in page


@pytest.mark.parametrize(
    ("before", "typed", "words"),
    [("0.000001", "0", "From $1.00 to $0.00: free."), ("0", "5", "From $0.00 to $5.00: free before.")],
)
def test_a_price_that_becomes_free_or_is_so_no_longer_is_asked_about(staff, offers, before, typed, words):
    ProviderModel.objects.filter(pk=offers[0].pk).update(pricing={"prompt": before})
    offers[0].refresh_from_db()
    asked = staff.post(reverse(CHANGE_OFFER, args=[offers[0].pk]), offer_form(offers[0], price_prompt=typed))
    assert words in asked.content.decode()
    assert ProviderModel.objects.get(pk=offers[0].pk).pricing == {"prompt": before}


def test_a_price_that_moves_more_than_ten_times_is_asked_about_and_only_that_one_is_meant(staff, offers):
    url = reverse(CHANGE_OFFER, args=[offers[0].pk])
    asked = staff.post(url, offer_form(offers[0], price_prompt="11")).content.decode()
    assert "From $1.00 to $11.00: more than ten times." in asked
    (meant,) = re.findall(r'name="meant_prompt" value="([^"]+)"', asked)
    assert staff.post(url, offer_form(offers[0], price_prompt="1100", meant_prompt=meant)).status_code == 200
    assert staff.post(url, offer_form(offers[0], price_prompt="11", meant_prompt=meant)).status_code == 302
    offers[0].refresh_from_db()
    assert offers[0].pricing["prompt"] == "0.000011"


def test_an_offer_switched_off_by_its_form_takes_its_entry_out_of_use(staff, offers):
    staff.post(reverse(CHANGE_OFFER, args=[offers[0].pk]), offer_form(offers[0], active=""))
    assert not AIModel.objects.get(model_id="acme/m0").is_available


@pytest.mark.parametrize("named", ["", "openrouter"])
@pytest.mark.parametrize("excepted", ["", "acme/m1\nacme/m2"])
@pytest.mark.parametrize("what", ["enable", "disable"])
def test_the_bulk_page_previews_and_then_applies_each_pattern(staff, openrouter, offers, what, excepted, named):
    bulk.switch(what == "disable", Author.person(None))
    form = {"what": what, "pasted": excepted, "provider": openrouter.pk if named else ""}
    page = staff.post(BULK, {**form, "preview": "1"})
    kept = len(excepted.split())
    assert (page.context["counts"].checked, page.context["counts"].updated) == (31, 31 - kept)
    assert ProviderModel.objects.filter(active=what == "enable").count() == 0
    staff.post(BULK, {**form, "apply": "1", "_seal": page.context["seal"]})
    assert ProviderModel.objects.filter(active=what == "enable").count() == 31 - kept


def test_an_unknown_exception_is_named_and_nothing_is_changed(staff, offers):
    page = staff.post(BULK, {"what": "disable", "pasted": "acme/m1\nacme/m1l", "apply": "1"})
    assert "acme/m1l" in page.content.decode()
    assert not ProviderModel.objects.filter(active=False).exists()
    form = {"what": "disable", "pasted": "acme/m1l", "ignore_unknown": "on"}
    seal = staff.post(BULK, form).context["seal"]
    staff.post(BULK, {**form, "apply": "1", "_seal": seal})
    assert not ProviderModel.objects.filter(active=True).exists()


def test_selected_provider_models_are_shown_before_they_are_switched(staff, offers):
    form = {"action": "disable_selected", "_selected_action": [offers[0].pk, offers[1].pk]}
    url = reverse("admin:providers_providermodel_changelist")
    page = staff.post(url, form)
    assert "acme/m1" in page.content.decode()
    assert not ProviderModel.objects.filter(active=False).exists()
    staff.post(url, {**form, "apply": "1", "_seal": page.context["seal"]})
    assert ProviderModel.objects.filter(active=False).count() == 2


@pytest.fixture
def held(openrouter, offers, upstream) -> SyncRun:
    listing(upstream, 10)
    assert sync(openrouter).state == "held"
    return SyncRun.objects.latest("pk")


def decide(staff, run: SyncRun, **form: Any) -> None:
    assert staff.post(reverse("admin:providers_syncrun_decide", args=[run.pk]), form).status_code == 302
    run.refresh_from_db()


def listed() -> int:
    return ProviderModel.objects.filter(listing="language", is_listed=True).count()


def test_a_held_run_is_shown_and_accepted_whole_in_part_or_not_at_all(staff, held):
    page = staff.get(reverse("admin:providers_syncrun_change", args=[held.pk]))
    assert "acme/m29" in page.content.decode()
    decide(staff, held, accept_chosen="1", id=["acme/m29"], confirmed="1", _seal=page.context["seal"])
    assert (listed(), held.decision) == (29, "")
    asked = staff.post(reverse("admin:providers_syncrun_decide", args=[held.pk]), {"accept_all": "1"})
    assert "acme/m28" in asked.content.decode()
    assert listed() == 29
    decide(staff, held, accept_all="1", confirmed="1", _seal=asked.context["seal"])
    assert (listed(), held.decision) == (10, "accepted")


@pytest.mark.parametrize(("how", "word"), [("accept_all", "accepted"), ("reject", "rejected")])
def test_a_run_that_was_decided_on_is_nowhere_said_to_wait(staff, held, how, word):
    places = [reverse("admin:providers_syncrun_changelist"), reverse("admin:providers_syncrun_change", args=[held.pk])]
    seal = staff.get(places[1]).context["seal"]
    decide(staff, held, **{how: "1"}, confirmed="1", _seal=seal)
    run, runs = (staff.get(place).content.decode() for place in reversed(places))
    assert all(
        f"Was held; {word} since" in page and ">Held<" not in page for page in (run, runs.split("result_list")[1])
    )
    assert f"was held; {word} since" in staff.get(reverse("admin:providers_provider_changelist")).content.decode()
    first = staff.get("/admin/").content.decode()
    assert f"{word} unusual changes" in first
    assert "wait for a member of staff" not in first


def test_a_rejected_run_changes_nothing(staff, held):
    decide(staff, held, reject="1")
    assert (listed(), held.decision) == (30, "rejected")


def test_a_credential_is_stored_encrypted_and_shown_as_a_hint(staff, openrouter, sweep):
    sweep.hide(SECRET)
    url = reverse("admin:providers_provider_change", args=[openrouter.pk])
    form = {"slug": "openrouter", "name": "OpenRouter", "kind": "openrouter", "precedence": 50, "is_active": "on"}
    assert staff.post(url, {**form, "new_credential": SECRET}).status_code == 302
    openrouter.refresh_from_db()
    assert SECRET not in openrouter.credential
    assert credentials.of(openrouter) == SECRET
    assert "...1234" in staff.get(url).content.decode()
    staff.post(url, {**form, "forget_credential": "on"})
    openrouter.refresh_from_db()
    assert openrouter.credential == ""
    assert AuditEntry.objects.filter(subject_type="provider").count() == 2


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/",
        "http://127.1:9900/",
        "http://2130706433/",
        "http://[::ffff:127.0.0.1]/",
        "http://10.0.0.5/",
        "file:///etc/passwd",
        "http://user:pw@example.com/",
        "http://example.com:22/",
    ],
)
def test_an_address_inside_the_network_is_refused_in_the_form(staff, db, address):
    form = {"slug": "inside", "name": "Inside", "kind": "compatible", "precedence": 9, "base_url": address}
    page = staff.post(reverse("admin:providers_provider_add"), form)
    assert "base_url" in page.context["adminform"].form.errors
    assert not Provider.objects.exists()


def test_a_dry_run_shows_what_would_change_and_writes_nothing(staff, openrouter, offers, upstream):
    listing(upstream, 31)
    history = FieldChange.objects.count()
    page = staff.post(reverse("admin:providers_provider_dry_run", args=[openrouter.pk])).content.decode()
    assert "acme/m30" in page
    assert (FieldChange.objects.count(), SyncRun.objects.count()) == (history, 1)


def test_a_connection_is_tested_and_a_refusal_is_told_in_words(staff, openrouter, upstream):
    url = reverse("admin:providers_provider_test", args=[openrouter.pk])
    listing(upstream, 3)
    assert "success" in staff.post(url, follow=True).content.decode()
    upstream.serve("/api/v1/models", {"error": {"message": "no"}}, status=503)
    assert "The test failed" in staff.post(url, follow=True).content.decode()


@pytest.mark.django_db(transaction=True)
def test_sync_now_starts_a_run_and_leads_to_it(staff, openrouter, upstream):
    listing(upstream, 5)
    answer = staff.post(reverse("admin:providers_provider_sync", args=[openrouter.pk]))
    run = SyncRun.objects.get()
    assert answer["Location"] == reverse("admin:providers_syncrun_change", args=[run.pk])
    # To its end: it still writes for a moment after the run is done, and the tables are emptied after this test.
    for thread in threading.enumerate():
        if thread.name == "sync of openrouter":
            thread.join(10)
    run.refresh_from_db()
    assert (run.state, run.trigger, run.triggered_by) == ("ok", "admin", "ops")


@pytest.mark.parametrize("permissions", [[], ["view_provider", "view_syncrun", "view_providermodel"]])
def test_without_the_right_nobody_syncs_decides_or_edits(client, make_user, openrouter, held, offers, permissions):
    reader = make_user("reader", is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(reader, backend="django.contrib.auth.backends.ModelBackend")
    runs = SyncRun.objects.count()
    for name in ("test", "sync", "dry_run"):
        assert client.post(reverse(f"admin:providers_provider_{name}", args=[openrouter.pk])).status_code == 403
    for url in (
        reverse("admin:providers_syncrun_decide", args=[held.pk]),
        reverse(CHANGE_OFFER, args=[offers[0].pk]),
        BULK,
    ):
        assert client.post(url, {"accept_all": "1", "what": "disable", "apply": "1"}).status_code == 403
    assert (SyncRun.objects.count(), listed()) == (runs, 30)


def test_the_first_page_says_how_fresh_each_source_is_and_what_waits(staff, held):
    page = staff.get("/admin/").content.decode()
    assert "OpenRouter" in page
    assert f"Run {held.pk} of openrouter waits for a decision" in page
    SyncRun.objects.create(provider=held.provider, state="ok", sizes={"embeddings": 2})
    assert f"Run {held.pk} of openrouter waits" in staff.get("/admin/").content.decode()
    SyncRun.objects.create(provider=held.provider, state="ok", sizes={"language": 30})
    assert "waits for a decision" not in staff.get("/admin/").content.decode()


def test_the_first_page_says_in_words_how_old_a_source_is(staff, held):
    Provider.objects.filter(pk=held.provider_id).update(last_success_at=timezone.now() - timedelta(hours=3))
    page = staff.get("/admin/").content.decode().replace("\xa0", " ")
    assert ">3 hours ago</time>" in page


@pytest.mark.alone
def test_5000_provider_models_are_switched_in_two_seconds(db):
    provider = Provider.objects.create(slug="big", name="Big", kind="openrouter")
    models = AIModel.objects.bulk_create(AIModel(model_id=f"big/m{n}", name="m") for n in range(5000))
    ProviderModel.objects.bulk_create(
        ProviderModel(provider=provider, upstream_id=m.model_id, listing="language", model=m) for m in models
    )
    started = timezone.now()
    assert bulk.switch(False, Author.person(None)).updated == 5000
    assert (timezone.now() - started).total_seconds() < 8  # 2 on an idle machine; this one may be shared
    assert not AIModel.objects.filter(is_available=True).exists()


def test_taking_a_provider_off_takes_its_models_out_of_use(staff, openrouter, offers):
    url = reverse("admin:providers_provider_change", args=[openrouter.pk])
    staff.post(url, {"slug": "openrouter", "name": "OpenRouter", "kind": "openrouter", "precedence": 50})
    assert not AIModel.objects.filter(is_available=True).exists()
    staff.post(url, {"slug": "openrouter", "name": "O", "kind": "openrouter", "precedence": 50, "is_active": "on"})
    assert AIModel.objects.filter(is_available=True).count() == 31


def test_an_entry_shows_what_each_source_says_of_it_side_by_side(staff, offers):
    model = AIModel.objects.get(model_id="acme/m0")
    other = Provider.objects.create(slug="modelsdev", name="models.dev", kind="modelsdev", precedence=90)
    ProviderModel.objects.create(
        provider=other,
        upstream_id="acme/m0",
        listing="models",
        model=model,
        facts={"context_length": 9999, "family": "m"},
        pricing={"prompt": "0.000003"},
    )
    page = staff.get(reverse("admin:catalog_aimodel_change", args=[model.pk]))
    assert page.context["source_names"] == ["openrouter (acme/m0)", "modelsdev (acme/m0)"]
    rows = {row.field: row for row in page.context["source_rows"]}
    assert (rows["context length"].said, rows["context length"].differ) == (("8,192", "9,999"), True)
    assert (rows["family"].said, rows["family"].differ) == (("", "m"), False)
    assert rows["prompt price per million"].said == ("$1.00 (stored: 0.000001)", "$3.00 (stored: 0.000003)")
    assert "tokenizer" not in rows
    text = page.content.decode()
    beside = text.partition('id="from-context_length"')[2].partition("</div>")[0]
    assert re.findall(r'href="([^"]*)">(\w+)</a> ([\d,]+)', beside) == [
        (reverse("admin:providers_providermodel_change", args=[offer.pk]), offer.provider.slug, words)
        for offer, words in zip(model.offers.order_by("provider__precedence"), ("8,192", "9,999"), strict=True)
    ]
    assert "modelsdev" not in text.partition('id="from-supports_tools"')[2].partition("</div>")[0]
    table = text.partition('<section id="sources">')[2].partition("</section>")[0]
    assert table.count("<td>on · listed</td>") == 2


def test_an_entry_shows_its_price_over_time(staff, openrouter, offers, upstream):
    listing(upstream, 30, pricing={"prompt": "0.00000105", "completion": "0.000002"})
    sync(openrouter)
    model = AIModel.objects.get(model_id="acme/m0")
    text = staff.get(reverse("admin:catalog_aimodel_change", args=[model.pk])).content.decode()
    past = text.partition('<section id="past-prices">')[2].partition("</section>")[0]
    assert re.findall(r"<td>(prompt [^<]*)</td>", past) == [
        "prompt $1.00, completion $2.00",
        "prompt $1.05, completion $2.00",
    ]
