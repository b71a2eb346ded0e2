"""providers/reading/claims.py and offers/deletion.py: whose ids are whose, and the deletion of a provider."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.urls import reverse

from catalog.models import AccessGrant, AIModel, AuditEntry, FieldChange
from providers import defaults
from providers.models import Provider, ProviderModel, SyncRun
from providers.offers.history import availability, price_history
from providers.sync import held_runs
from providers.sync import run as sync
from tests.feeds import DAYS, Meddling, day, feed, fingerprint, record

ADD = "admin:providers_provider_add"
CHANGE, DELETE = "admin:providers_provider_change", "admin:providers_provider_delete"


def names(*ids):
    return {"data": [{"id": name} for name in ids]}


@pytest.fixture
def staff(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def make_host(make_provider):
    """`make_host("k")`: a host of OpenAI's dialect that has a namespace of its own."""
    return lambda slug, **fields: make_provider(slug, kind="compatible", base_url="http://8.8.8.8/v1", **fields)


def form(slug, kind="compatible", **changed):
    base = "http://8.8.8.8/v1"
    return {"slug": slug, "name": slug, "kind": kind, "base_url": base, "precedence": 9, "is_active": "on", **changed}


def errors(page):
    return page.context["adminform"].form.errors if page.status_code == 200 else {}


# The form.


@pytest.mark.parametrize("kind", ["compatible", "ollama", "openai"])
@pytest.mark.parametrize("active", ["on", ""])
def test_a_slug_under_which_another_source_has_entries_is_refused_by_its_name(staff, sync_feed, kind, active):
    sync_feed(feed([record("deepseek/deepseek-chat"), record("acme/m")]))
    page = staff.post(reverse(ADD), form("deepseek", kind, is_active=active))
    assert "Openrouter" in str(errors(page)["slug"])
    assert Provider.objects.count() == 1


@pytest.mark.parametrize("slug", ["openai", "anthropic", "google", "mistral", "mistralai", "qwen"])
def test_a_slug_that_the_curated_list_or_a_vendors_own_kind_names_is_refused(staff, slug):
    assert "slug" in errors(staff.post(reverse(ADD), form(slug)))
    assert not Provider.objects.exists()


@pytest.mark.parametrize("slug", ["k", "lab", "deepseek2", "deep"])
def test_a_slug_of_its_own_is_accepted(staff, sync_feed, slug):
    sync_feed(feed([record("deepseek/deepseek-chat"), record("~deepseek/latest"), record("Lab/x")]))
    assert errors(staff.post(reverse(ADD), form(slug))) == {}


@pytest.mark.parametrize("kind", ["openrouter", "vercel", "modelsdev"])
def test_a_source_that_has_no_namespace_may_have_any_slug(staff, sync_feed, kind):
    sync_feed(feed([record("deepseek/deepseek-chat")]))
    assert errors(staff.post(reverse(ADD), form("deepseek", kind))) == {}


def test_a_vendors_own_adapter_shares_its_entries_with_the_aggregators(staff, sync_feed):
    sync_feed(feed([record("openai/gpt-x")]))
    assert errors(staff.post(reverse(ADD), form("openai", "openai"))) == {}
    outcome = sync_feed(names("gpt-x"), provider=Provider.objects.get(slug="openai"))
    assert (outcome.state, AIModel.objects.get().offered_by) == ("ok", ["openai", "openrouter"])


# The sync.


def test_a_host_that_is_named_like_a_vendor_takes_nothing_from_openrouter(sync_feed, make_host):
    sync_feed(day(DAYS[-1]))
    before = AIModel.objects.filter(author="deepseek", is_available=True).count()
    host = make_host("deepseek")
    outcome = sync_feed(names("deepseek-chat", "other"), provider=host)
    assert (outcome.state, outcome.reason) == ("failed", "slug_taken")
    assert outcome.message.startswith("The ids that begin with deepseek/ are those of Openrouter: delete this provider")
    again = sync_feed(day(DAYS[-1]))
    assert (again.state, again.counts["bad"], before > 10) == ("ok", 0, True)
    offered = AIModel.objects.filter(author="deepseek").values_list("offered_by", flat=True)
    assert all(found in (["openrouter"], []) for found in offered)


def test_a_host_takes_nothing_from_an_author_that_only_openrouter_names(sync_feed, make_host):
    sync_feed(feed([record("acme/m"), record("acme/n")]))
    make_host("acme")
    outcome = sync_feed(feed([record("acme/m", prompt="0.000002"), record("acme/n")]))
    assert (outcome.state, outcome.counts["updated"]) == ("ok", 1)


def test_a_host_named_as_in_the_curated_list_takes_nothing_even_where_it_is_there_first(sync_feed, make_host):
    host = make_host("deepseek")
    assert sync_feed(names("deepseek-chat"), provider=host).reason == "slug_taken"
    assert sync_feed(feed([record("deepseek/deepseek-chat"), record("acme/n")])).state == "ok"


def test_a_claim_that_was_made_before_keeps_others_out_by_name_and_nothing_else(sync_feed, make_host):
    host = make_host("k")
    sync_feed(names("m"), provider=host)
    before = AIModel.objects.values().get()
    for _ in range(2):
        outcome = sync_feed(feed([record("k/m"), record("k/new"), *(record(f"acme/{name}") for name in "mno")]))
        refused = [(problem["id"], problem["reason"]) for problem in outcome.problems]
        said = "The ids that begin with k/ belong to the provider k."
        assert refused == [("k/m", said), ("k/new", said)]
    assert AIModel.objects.filter(author="k").values().get() == before | {"last_synced_at": before["last_synced_at"]}
    assert AIModel.objects.filter(model_id="acme/m", is_available=True).exists()
    assert sync_feed(names("m"), provider=host).state == "ok"


@pytest.mark.parametrize("kind", ["compatible", "ollama", "openai"])
def test_a_provider_that_is_switched_off_claims_nothing(sync_feed, make_provider, kind):
    host = make_provider("k", kind=kind, base_url="http://8.8.8.8/v1")
    assert sync_feed(feed([record("k/m"), record("a/b"), record("a/c")])).counts["bad"] == 1
    Provider.objects.filter(pk=host.pk).update(is_active=False)
    assert sync_feed(feed([record("k/m"), record("a/b"), record("a/c")])).counts["bad"] == 0


def test_what_another_took_over_meanwhile_keeps_a_provider_switched_off(staff, sync_feed, make_host):
    host = make_host("k", is_active=False)
    sync_feed(feed([record("k/m")]))
    url = reverse(CHANGE, args=[host.pk])
    refused = str(errors(staff.post(url, form("k")))["is_active"])
    assert "are those of Openrouter" in refused
    assert "delete it and add it under another slug" in refused
    assert errors(staff.post(url, form("k", is_active="", name="Still off"))) == {}
    assert sync_feed(names("m"), provider=host).reason == "slug_taken"


def test_an_enricher_passes_over_a_hosts_namespace_without_a_word(sync_feed, make_host, make_provider):
    sync_feed(names("llama-3"), provider=make_host("groq"))
    before = AIModel.objects.values().get()
    dev = {"groq": {"id": "groq", "models": {"llama-3": {"id": "llama-3", "name": "L", "limit": {"context": 9}}}}}
    outcome = sync_feed({**dev, "openai": {"id": "openai", "models": {"x": {"id": "x", "name": "X"}}}},
                        provider=make_provider("modelsdev"))  # fmt: skip
    assert (outcome.state, outcome.problems) == ("ok", [])
    assert AIModel.objects.values().get() == before


# Deletion.


@pytest.fixture
def host(sync_feed, make_host, make_provider):
    """A provider with a model of its own, and one that OpenRouter offers as well, since it was switched off once."""
    found = make_host("k", is_active=False)
    sync_feed(names("own", "both"), provider=found)
    sync_feed(feed([record("k/both", prompt="0.000003"), record("acme/m")]))
    Provider.objects.filter(pk=found.pk).update(is_active=True)
    AIModel.objects.filter(model_id="k/own").update(is_available=True, offered_by=["k"])
    found.refresh_from_db()
    return found


def shown(staff, provider):
    page = staff.post(reverse(DELETE, args=[provider.pk]))
    return page.context["deletion"], page.content.decode()


def test_the_page_of_a_deletion_counts_offers_and_leads_to_what_would_go(staff, host):
    page = staff.get(reverse(DELETE, args=[host.pk])).content.decode()
    assert ("Its <b>2</b> offers" in page, "See what would become unavailable" in page) == (True, True)
    assert 'name="confirmed"' not in page


def test_the_deletion_is_shown_and_nothing_is_changed_by_showing_it(staff, host, alice, make_model):
    own = AIModel.objects.get(model_id="k/own")
    make_model("alices-own", owner=alice, base_model=own)
    before, rows = fingerprint(), FieldChange.objects.count()
    found, page = shown(staff, host)
    assert (found.offers, found.unavailable, found.available) == (2, ["k/own"], ["k/both"])
    assert found.presets == [("alices-own", "alice")]
    assert "alices-own of alice" in page
    assert (fingerprint(), FieldChange.objects.count(), AuditEntry.objects.count()) == (before, rows, 0)


def test_what_was_confirmed_is_done_entries_stay_retired_and_history_is_kept(staff, host, alice):
    own = AIModel.objects.get(model_id="k/own")
    AccessGrant.objects.create(model=own, principal_type="user", user=alice, permission="read")
    runs = SyncRun.objects.filter(provider=host).count()
    found, _ = shown(staff, host)
    answer = staff.post(reverse(DELETE, args=[host.pk]), {"confirmed": found.digest}, follow=True)
    assert "1 entry became unavailable" in answer.content.decode()
    assert not Provider.objects.filter(slug="k").exists()
    assert not ProviderModel.objects.filter(provider__slug="k").exists()
    own.refresh_from_db()
    assert (own.is_available, own.offered_by, own.grants.count()) == (False, [], 1)
    assert AIModel.objects.get(model_id="k/both").offered_by == ["openrouter"]
    assert SyncRun.objects.filter(provider=None, deleted_provider="k").count() == runs
    ended = FieldChange.objects.get(subject="k/own", field="is_listed", new=False)
    assert (ended.old, ended.source, ended.user.username, ended.offered_by) == (True, "person", "ops", "k")
    assert [span.until is not None for span in availability(own)] == [True]
    assert AuditEntry.objects.get(action="delete").changes["offers"] == [2, 0]


@pytest.mark.parametrize("confirmed", ["x", "0" * 32])
def test_nothing_else_than_what_was_shown_is_deleted(staff, host, sync_feed, confirmed):
    found, _ = shown(staff, host)
    Provider.objects.filter(slug="openrouter").update(is_active=False)
    call_command("bulk_models", "disable", "--provider", "openrouter")
    for digest in (found.digest, confirmed):
        page = staff.post(reverse(DELETE, args=[host.pk]), {"confirmed": digest})
        assert page.context["deletion"].unavailable == ["k/both", "k/own"]
        assert "Look again" in page.content.decode()
    assert Provider.objects.filter(slug="k").exists()


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_slug_is_refused_under_which_a_person_or_a_deleted_provider_has_entries(
    staff, sync_feed, make_model, openrouter, by_hand
):
    if by_hand:
        make_model("acme/open")
    else:
        sync_feed({"data": [record("acme/open")]}, provider=openrouter)
        openrouter.delete()
    found = errors(staff.post(reverse(ADD), form("acme", new_models_active="on")))
    assert found["slug"] == ["There is a model acme/open already. Add it under a slug without models."]
    assert not Provider.objects.filter(slug="acme").exists()


def test_a_provider_without_models_does_not_move_under_a_slug_with_entries(staff, make_model, make_host):
    make_model("acme/open")
    host = make_host("zz")
    change = reverse("admin:providers_provider_change", args=[host.pk])
    assert "slug" in errors(staff.post(change, form("acme", is_active="on", new_models_active="on")))
    host.refresh_from_db()
    assert host.slug == "zz"


def test_a_slug_is_free_after_its_provider_was_deleted_and_its_entries_return_as_themselves(
    staff, sync_feed, make_host
):
    sync_feed(names("m"), provider=make_host("k"))
    own = AIModel.objects.get()
    found, _ = shown(staff, Provider.objects.get(slug="k"))
    staff.post(reverse(DELETE, args=[Provider.objects.get(slug="k").pk]), {"confirmed": found.digest})
    assert errors(staff.post(reverse(ADD), form("k", new_models_active="on"))) == {}
    sync_feed(names("m"), provider=Provider.objects.get(slug="k"))
    assert (AIModel.objects.get().pk, AIModel.objects.get().is_available) == (own.pk, True)


def test_a_provider_that_no_form_has_checked_is_refused_the_entries_that_were_there_before_it(
    sync_feed, make_model, make_host
):
    make_model("acme/open")
    before, host = AIModel.objects.values().get(), make_host("acme")
    for _ in range(2):
        outcome = sync_feed(names("open", "other"), provider=host)
        assert (outcome.state, outcome.reason) == ("failed", "slug_taken")
        assert outcome.message.startswith("There is a model acme/open that this provider has never listed: delete")
    assert AIModel.objects.values().get() == before
    assert sync_feed(feed([record("acme/open"), record("acme/n")])).counts["bad"] == 0


def test_an_entry_that_only_an_enricher_describes_is_not_taken_over(staff, sync_feed, make_model, make_provider):
    make_model("upstage/x")
    dev = {"upstage": {"id": "upstage", "models": {"x": {"id": "x", "name": "X", "limit": {"context": 9}}}}}
    sync_feed(dev, provider=make_provider("modelsdev"))
    assert AIModel.objects.get().context_length == 9
    page = staff.post(reverse(ADD), form("upstage"))
    assert errors(page)["slug"] == ["There is a model upstage/x already. Add it under a slug without models."]


def test_an_entry_made_by_hand_under_a_providers_slug_keeps_it_from_nothing_after_its_deletion(
    staff, sync_feed, make_host, make_model
):
    host = make_host("k")
    sync_feed(names("m"), provider=host)
    make_model("k/by-hand")
    staff.post(reverse(DELETE, args=[host.pk]), {"confirmed": shown(staff, host)[0].digest})
    assert errors(staff.post(reverse(ADD), form("k", new_models_active="on"))) == {}
    assert sync_feed(names("m"), provider=Provider.objects.get(slug="k")).state == "ok"


def test_the_price_that_a_deleted_provider_asked_stays_in_the_history(staff, sync_feed):
    sync_feed(feed([record("acme/m", prompt="0.000003")]))
    found, _ = shown(staff, Provider.objects.get())
    staff.post(reverse(DELETE, args=[Provider.objects.get().pk]), {"confirmed": found.digest})
    (step,) = price_history(AIModel.objects.get())
    assert (step.provider, step.pricing["prompt"]) == ("openrouter", "0.000003")


def test_curated_entries_that_a_deleted_provider_decided_on_stay_retired(staff, sync_feed):
    defaults.load_curated()
    sync_feed(day(DAYS[-1]))
    found, _ = shown(staff, Provider.objects.get())
    assert len(found.unavailable) == 421
    staff.post(reverse(DELETE, args=[Provider.objects.get().pk]), {"confirmed": found.digest})
    left = set(AIModel.objects.filter(is_available=True).values_list("supports_embeddings", flat=True))
    assert left == {True}, "only the curated embedding models, which no listing has covered"
    assert defaults.load_curated() == (0, 0)


def test_a_held_run_of_a_deleted_provider_can_be_read_and_not_decided(staff, sync_feed, ops):
    sync_feed(feed(40))
    sync_feed(feed(10))
    run = SyncRun.objects.latest("pk")
    found, _ = shown(staff, Provider.objects.get())
    staff.post(reverse(DELETE, args=[run.provider_id]), {"confirmed": found.digest})
    run.refresh_from_db()
    assert (run.decision, run.decided_by, str(run)) == ("rejected", "ops", f"run {run.pk} of openrouter")
    assert held_runs.waiting() == []
    for url in (
        reverse("admin:providers_syncrun_changelist"),
        reverse("admin:providers_syncrun_change", args=[run.pk]),
    ):
        assert "openrouter (deleted)" in staff.get(url).content.decode()
    decided = staff.post(reverse("admin:providers_syncrun_decide", args=[run.pk]), {"accept_all": "1"}, follow=True)
    assert "has been deleted" in decided.content.decode()


def test_a_default_provider_that_was_deleted_does_not_come_back_by_itself(staff, db):
    defaults.create_providers()
    ollama = Provider.objects.get(slug="ollama")
    found, _ = shown(staff, ollama)
    staff.post(reverse(DELETE, args=[ollama.pk]), {"confirmed": found.digest})
    assert defaults.create_providers() == []
    assert not Provider.objects.filter(slug="ollama").exists()


def test_a_sync_under_way_writes_nothing_after_its_provider_was_deleted(staff, openrouter, sync_feed, tmp_path):

    sync_feed(feed(3))

    def delete():
        found, _ = shown(staff, openrouter)
        staff.post(reverse(DELETE, args=[openrouter.pk]), {"confirmed": found.digest})

    outcome = sync.sync(openrouter, reader=Meddling(openrouter, feed(9), delete))
    assert (outcome.state, AIModel.objects.count()) == ("superseded", 3)
    assert SyncRun.objects.latest("pk").state == "superseded"


@pytest.mark.parametrize("permissions", [[], ["view_provider", "change_provider", "sync_provider"]])
def test_without_the_right_nobody_deletes_or_is_shown_what_it_would_do(client, make_user, host, permissions):
    reader = make_user("reader", is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(reader, backend="django.contrib.auth.backends.ModelBackend")
    url = reverse(DELETE, args=[host.pk])
    assert (client.get(url).status_code, client.post(url, {"confirmed": "x"}).status_code) == (403, 403)
    assert Provider.objects.filter(slug="k").exists()


def test_providers_are_not_deleted_unseen_from_the_list(staff, host):
    url = reverse("admin:providers_provider_changelist")
    staff.post(url, {"action": "delete_selected", "_selected_action": [host.pk], "post": "yes"})
    assert Provider.objects.filter(slug="k").exists()
    assert not LogEntry.objects.exists()
    assert staff.get(reverse(DELETE, args=[999_999])).status_code == 404
