"""providers/sync/merge.py: one AI model out of several sources, and of what people have set."""

import json

import pytest
from django.core.management import call_command

from catalog.editing import entries
from catalog.editing.history import Author
from catalog.models import AccessGrant, AIModel, CatalogVersion, FieldChange
from providers import defaults
from providers.models import Provider, ProviderModel
from providers.offers import bulk, deletion
from providers.reading import curated
from providers.sync import run as sync
from tests.feeds import Meddling, available, feed, fingerprint, record

AUTHOR = Author.person(None, "ops")


def model(model_id):
    return AIModel.objects.get(model_id=model_id)


def openai_list(*ids):
    return {"object": "list", "data": [{"id": i, "object": "model", "created": 1, "owned_by": "system"} for i in ids]}


@pytest.fixture
def openai(make_provider):
    return make_provider("openai", precedence=60)


def test_a_bare_list_blanks_nothing_and_shares_the_entry(sync_feed, openai):
    sync_feed(feed([record("openai/gpt-x", name="GPT X", prompt="0.000003")]))
    before = model("openai/gpt-x")
    assert sync_feed(openai_list("gpt-x"), provider=openai).state == "ok"
    after = model("openai/gpt-x")
    assert after.pk == before.pk
    assert (after.name, after.context_length, after.pricing) == ("GPT X", 8192, before.pricing)
    assert after.offered_by == ["openrouter", "openai"]
    assert after.offers.count() == 2


def test_a_bare_list_alone_leaves_a_poor_entry_that_a_rich_source_fills(sync_feed, openai):
    sync_feed(openai_list("gpt-x"), provider=openai)
    assert (model("openai/gpt-x").name, model("openai/gpt-x").status) == ("gpt-x", "init")
    sync_feed(feed([record("openai/gpt-x", name="GPT X")]))
    assert (model("openai/gpt-x").name, model("openai/gpt-x").status) == ("GPT X", "filled")


@pytest.mark.parametrize(("precedence", "wins"), [(40, "second"), (70, "first")])
def test_per_field_the_better_precedence_wins_and_the_other_fills(sync_feed, make_provider, precedence, wins):
    second = make_provider("openrouter2", kind="openrouter", precedence=precedence)
    sync_feed(feed([record("acme/m", description="first", name="")]))
    sync_feed(feed([record("acme/m", description="second", name="Named", prompt="0.000009")]), provider=second)
    found = model("acme/m")
    assert (found.description, found.name) == (wins, "Named")
    assert found.upstream["description"]["source"] == ("openrouter2" if wins == "second" else "openrouter")
    assert found.pricing["prompt"] == ("0.000009" if wins == "second" else "0.000001")
    assert set(found.upstream["description"]) == {"value", "source", "since"}


def test_the_next_provider_takes_over_when_the_first_drops_a_model(sync_feed, make_provider):
    second = make_provider("openrouter2", kind="openrouter", precedence=90)
    sync_feed(feed([record("acme/m", description="first"), record("acme/n")]))
    sync_feed(feed([record("acme/m", description="second")]), provider=second)
    sync_feed(feed([record("acme/n")]))
    found = model("acme/m")
    assert (found.description, found.offered_by, found.is_available) == ("second", ["openrouter2"], True)
    sync_feed(feed([record("acme/z")]), provider=second)
    found = model("acme/m")
    assert (found.description, found.offered_by, found.is_available) == ("second", [], False)


def test_a_missing_field_keeps_what_it_had(sync_feed):
    sync_feed(feed([record("acme/m", description="told")]))
    sync_feed(feed([record("acme/m", description=None, context_length=100)]))
    assert (model("acme/m").description, model("acme/m").context_length) == ("told", 100)


def test_a_model_returns_as_itself_with_grants_and_decisions(sync_feed, alice):
    sync_feed(feed(2))
    kept = model("acme/m0001")
    AccessGrant.objects.create(model=kept, principal_type="user", user=alice)
    AIModel.objects.filter(pk=kept.pk).update(active=False)
    sync_feed(feed(1))
    assert not model("acme/m0001").is_available
    sync_feed(feed(2))
    back = model("acme/m0001")
    assert (back.pk, back.is_available, back.active, back.grants.get().user) == (kept.pk, True, False, alice)


# Namespaces.


@pytest.mark.parametrize("foreign", ["openai/gpt-x", "acme/m0000"])
def test_an_untrusted_host_stays_in_its_namespace(sync_feed, make_provider, foreign):
    sync_feed(feed([record("openai/gpt-x"), record("acme/m0000")]))
    before = fingerprint_of(foreign)
    box = make_provider("box", kind="compatible", base_url="https://box.example/v1")
    sync_feed(openai_list(foreign), provider=box)
    assert fingerprint_of(foreign) == before
    assert AIModel.objects.filter(model_id=f"box/{foreign}").exists()


def fingerprint_of(model_id):
    return AIModel.objects.filter(model_id=model_id).values().get()


def test_an_aggregator_cannot_write_in_a_hosts_namespace(sync_feed, make_provider):
    make_provider("box", kind="compatible")
    outcome = sync_feed(feed([record("box/m"), record("ollama/m"), record("acme/a"), record("acme/b")]))
    assert (outcome.state, outcome.counts["added"], outcome.counts["bad"]) == ("partial", 2, 2)
    assert not AIModel.objects.filter(model_id__in=["box/m", "ollama/m"]).exists()


def test_ids_that_differ_in_case_are_different_models(sync_feed):
    sync_feed(feed([record("acme/Large"), record("acme/large", context_length=5)]))
    assert (model("acme/Large").context_length, model("acme/large").context_length) == (8192, 5)


# Pins.


def test_a_pinned_field_stands_others_move_and_release_hands_it_back(sync_feed, capsys):
    sync_feed(feed([record("acme/m", description="theirs")]))
    call_command("edit_model", "acme/m", "--set", "description=ours")
    sync_feed(feed([record("acme/m", description="theirs, new", prompt="0.000005")]))
    found = model("acme/m")
    assert (found.description, found.pricing["prompt"]) == ("ours", "0.000005")
    assert (found.upstream["description"]["value"], found.pinned_fields) == ("theirs, new", ["description"])
    call_command("edit_model", "acme/m", "--release", "description")
    assert (model("acme/m").description, model("acme/m").pinned_fields) == ("theirs, new", [])


def test_upstreams_word_on_a_pinned_field_touches_neither_the_row_nor_its_time(sync_feed):
    sync_feed(feed([record("acme/m")]))
    entries.edit(model("acme/m"), {"description": "ours"}, Author.person(None, "ops"))
    before = model("acme/m")
    sync_feed(feed([record("acme/m", description="another")]))
    after = model("acme/m")
    assert (after.description, after.updated_at) == ("ours", before.updated_at)


def test_a_frozen_entry_keeps_every_field_but_not_its_availability(sync_feed):
    sync_feed(feed([record("acme/m"), record("acme/n")]))
    entries.edit(model("acme/m"), {"frozen": True}, Author.person(None, "ops"))
    moved = record("acme/m", description="new", context_length=5, prompt="0.000005")
    sync_feed(feed([moved, record("acme/n")]))
    found = model("acme/m")
    assert (found.context_length, found.pricing["prompt"]) == (8192, "0.000001")
    assert found.upstream["context_length"]["value"] == 5
    sync_feed(feed([record("acme/n")]))
    assert not model("acme/m").is_available


def test_a_persons_edit_while_upstream_is_read_stands(sync_feed, openrouter):
    sync_feed(feed([record("acme/m", description="old")]))
    sent = feed([record("acme/m", description="new", context_length=5)])

    def edit():
        entries.edit(model("acme/m"), {"description": "ours"}, Author.person(None, "ops"))

    outcome = sync.sync(openrouter, reader=Meddling(openrouter, sent, edit))
    assert (outcome.state, model("acme/m").description, model("acme/m").context_length) == ("ok", "ours", 5)
    assert model("acme/m").upstream["description"]["value"] == "new"


# Provenance and history.


def test_every_change_is_history_of_its_run(sync_feed):
    sync_feed(feed([record("acme/m", name="One")]))
    outcome = sync_feed(feed([record("acme/m", name="Two", prompt="0.000003", context_length=9)]))
    rows = FieldChange.objects.filter(run_id=outcome.run_id)
    assert {(r.field, r.offered_by) for r in rows} == {
        ("name", ""),
        ("context_length", ""),
        ("context_length", "openrouter"),
        ("pricing", "openrouter"),
    }
    named = rows.get(field="name")
    assert (named.old, named.new, named.actor, named.source, named.model.model_id) == (
        "One",
        "Two",
        "openrouter",
        "sync",
        "acme/m",
    )


def test_the_catalogs_version_moves_with_a_change_and_only_then(sync_feed):
    sync_feed(feed(3))
    before = CatalogVersion.objects.current()
    sync_feed(feed(3))
    assert CatalogVersion.objects.current() == before
    sync_feed(feed(3, context_length=7))
    assert CatalogVersion.objects.current() > before


def test_new_models_arrive_as_the_provider_says(sync_feed, openrouter, make_user):
    group = make_user("carol", groups=["research"]).groups.get()
    openrouter.new_models_groups.add(group)
    Provider.objects.update(new_models_active=False)
    sync_feed(feed(1))
    found = model("acme/m0000")
    assert (found.active, found.restricted, found.grants.get().group) == (False, True, group)


# The curated list.


def test_curated_entries_count_until_a_listing_that_covers_them_was_read(sync_feed):
    assert defaults.load_curated() == (44, 0)
    assert defaults.load_curated() == (0, 0)
    assert len(available()) == 23
    first = min(available())
    sync_feed(feed([record(first, description="from upstream"), record("acme/m")]))
    assert available() == {first, "acme/m"}
    assert model(first).description == "from upstream"
    assert AIModel.objects.filter(supports_embeddings=True, is_available=True).count() == 21
    sync_feed(feed([record("acme/embed", produces="embeddings")]))
    assert AIModel.objects.filter(supports_embeddings=True, is_available=True).count() == 1


@pytest.mark.parametrize("is_listed", [False, True])
def test_a_curated_entry_is_after_a_tick_and_its_removal_what_it_was_before(sync_feed, openrouter, is_listed):
    defaults.load_curated()
    entry = model(min(available()))
    if is_listed:
        sync_feed(feed([record(entry.model_id), record("acme/m")]))
        sync_feed(feed([record("acme/m")]), allow_shrink=True)
        deletion.delete(openrouter, AUTHOR, deletion.delete(openrouter, AUTHOR).digest)
    for tick in (True, False):
        entries.edit(entry, {"always_available": tick}, AUTHOR)
        assert model(entry.model_id).is_available is (tick or not is_listed)


def test_a_curated_entry_that_is_made_by_hand_is_available_as_one_that_was_read(db):
    made = entries.create({"model_id": min(curated.entries()), "name": "Ours"}, AUTHOR)
    assert made.is_available
    defaults.load_curated()
    assert model(made.model_id).is_available


def test_a_vendors_list_decides_on_its_own_entries_only(sync_feed, openai):
    defaults.load_curated()
    others = {i for i in available() if not i.startswith("openai/")}
    sync_feed(openai_list("gpt-x"), provider=openai)
    assert available() == {*others, "openai/gpt-x"}


def test_the_price_of_the_curated_list_fills_in(sync_feed, openai):
    defaults.load_curated()
    curated = next(m for m in AIModel.objects.order_by("model_id") if m.model_id.startswith("openai/gpt"))
    sync_feed(openai_list(curated.model_id.removeprefix("openai/")), provider=openai)
    assert (model(curated.model_id).pricing, model(curated.model_id).is_available) == (curated.pricing, True)


# Switching.


def test_an_entry_whose_offers_are_all_switched_off_is_unavailable(sync_feed):
    sync_feed(feed(5))
    counts = bulk.switch(False, Author.person(None), exclude=["acme/m0002"])
    assert (counts.checked, counts.updated, counts.skipped) == (5, 4, 1)
    assert available() == {"acme/m0002"}
    sync_feed(feed(5, context_length=3))
    assert available() == {"acme/m0002"}, "a sync switched them on again"
    assert bulk.switch(True, Author.person(None)).updated == 4
    assert len(available()) == 5


def test_an_unknown_exception_is_refused_by_name(sync_feed):
    sync_feed(feed(2))
    with pytest.raises(bulk.UnknownIds, match="acme/M0001"):
        bulk.switch(False, Author.person(None), exclude=["acme/M0001"])
    assert len(available()) == 2
    assert bulk.switch(False, Author.person(None), exclude=["acme/M0001"], ignore_unknown=True).updated == 2


def test_a_dry_run_of_a_switch_writes_nothing(sync_feed, capsys):
    sync_feed(feed(3))
    before = fingerprint()
    call_command("bulk_models", "disable", "--except", "acme/m0001", "--dry-run")
    assert "2 would be updated, 1 skipped, 3 checked" in capsys.readouterr().out
    assert fingerprint() == before
    call_command("bulk_models", "disable", "--provider", "openrouter", "--except", "acme/m0001")
    assert "2 updated, 1 skipped, 3 checked" in capsys.readouterr().out


def test_a_switched_off_offer_gives_way_to_the_next(sync_feed, make_provider):
    second = make_provider("openrouter2", kind="openrouter", precedence=90)
    sync_feed(feed([record("acme/m")]))
    sync_feed(feed([record("acme/m", prompt="0.000009")]), provider=second)
    bulk.switch(False, Author.person(None), provider=Provider.objects.get(slug="openrouter"))
    assert (model("acme/m").pricing["prompt"], model("acme/m").offered_by) == ("0.000009", ["openrouter2"])


def test_a_deactivated_provider_offers_nothing(sync_feed, openrouter):
    sync_feed(feed(2))
    Provider.objects.filter(pk=openrouter.pk).update(is_active=False)
    openrouter.refresh_from_db()
    bulk.recompute(openrouter, Author.person(None))
    assert available() == set()


def test_what_a_person_set_of_an_offer_stands(sync_feed):
    sync_feed(feed(1))
    ProviderModel.objects.update(pricing={"prompt": "0.5"}, pinned_fields=["pricing"])
    sync_feed(feed(1, prompt="0.000002", context_length=9))
    offer = ProviderModel.objects.get()
    assert (offer.pricing, offer.upstream["pricing"]["prompt"], offer.context_length) == (
        {"prompt": "0.5"},
        "0.000002",
        9,
    )
    assert model("acme/m0000").pricing == {"prompt": "0.5"}


def test_the_json_answer_of_a_dry_run_is_the_diff(sync_feed, tmp_path, capsys):
    sync_feed(feed(3))
    before = fingerprint()
    path = tmp_path / "next.json"
    path.write_text(json.dumps(feed([*feed(2, name="New")["data"], record("acme/added")])))
    call_command("sync_catalog", "openrouter", "--from-file", str(path), "--dry-run", "--json")
    (told,) = json.loads(capsys.readouterr().out)
    assert told["counts"] | {"unchanged": 0} == told["counts"]
    assert {(c["model"], c["field"]) for c in told["changes"]} >= {
        ("acme/added", "created"),
        ("acme/m0002", "is_listed"),
        ("acme/m0002", "is_available"),
        ("acme/m0000", "name"),
    }
    assert fingerprint() == before
