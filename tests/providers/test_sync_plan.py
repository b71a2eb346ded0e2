"""providers/sync/diff.py, guards.py, merge.py, plan.py and write.py: pure functions, and rows that are written last."""

import copy
import dataclasses
import json

import pytest
from django.utils import timezone

from catalog.editing.history import Author
from catalog.models import AIModel, FieldChange
from providers import defaults
from providers.models import Provider, ProviderModel
from providers.reading.reader import Reader
from providers.reading.records import ParsedListing, Record, RejectedRecord
from providers.sync import run as sync
from providers.sync.diff import Accepted, compare, missing, offers_of
from providers.sync.guards import judge, waiting_in
from providers.sync.merge import Merger
from providers.sync.plan import merge_entries, plan_offers, plan_sync
from providers.sync.write import write
from tests.feeds import feed, fingerprint, record

# One that stays as it is, one that changes, one that goes and one that comes.
BEFORE = [record(f"acme/{name}", created=None) for name in ("same", "dearer", "gone")]
DEARER = record("acme/dearer", created=None, prompt="0.5", description="new")
AFTER = [BEFORE[0], DEARER, record("acme/new", created=None)]


def state(rows):
    """The values of rows, to compare them with later ones."""
    return copy.deepcopy([{k: v for k, v in vars(row).items() if k != "_state"} for row in rows])


@pytest.fixture
def known(sync_feed, openrouter):
    """OpenRouter with what it listed BEFORE."""
    sync_feed(feed(BEFORE))
    return openrouter


def parsed(provider, records):
    return Reader(provider).parse(feed(records), "language")


def planned(provider, records=AFTER):
    author = Author.sync(0, provider.slug)
    return plan_sync(provider, [parsed(provider, records)], author, allow_shrink=False, now=timezone.now(), lock=False)


def test_a_comparison_is_frozen_and_changes_no_row(known):
    offers = offers_of(known)
    before = state(offers.values())
    gone, _ = missing(offers, "language", {"acme/same", "acme/dearer"}, 0)
    found = compare(known, offers, [Accepted(parsed(known, AFTER), gone)], timezone.now())
    assert (found.added, set(found.changed), found.retired) == (
        ["acme/new"],
        {"acme/dearer", "acme/gone"},
        {"acme/gone"},
    )
    assert found.counts == {"added": 1, "updated": 1, "retired": 1, "returned": 0, "unchanged": 1}
    assert (found.offers["acme/gone"].is_listed, offers["acme/gone"].is_listed) == (False, True)
    assert state(offers.values()) == before
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.unchanged = 0


def test_an_id_that_moves_to_a_later_listing_is_retired_and_returns_in_one_comparison(known):
    moved = dataclasses.replace(parsed(known, [record("acme/gone")]), listing="embeddings")
    listings = [Accepted(parsed(known, BEFORE[:2]), ["acme/gone"]), Accepted(moved, [])]
    found = compare(known, offers_of(known), listings, timezone.now())
    assert [tuple(change) for change in found.changed["acme/gone"]] == [
        ("is_listed", True, False),
        ("is_listed", False, True),
    ]
    assert (found.offers["acme/gone"].listing, found.offers["acme/gone"].unlisted_at) == ("embeddings", None)
    first = compare(known, offers_of(known), reversed(listings), timezone.now())
    assert (first.returned, first.retired) == (set(), {"acme/gone"}), "the listing that has it describes it"


def test_a_merge_returns_values_and_history_and_changes_no_model(known):
    model = AIModel.objects.get(model_id="acme/same")
    offers = list(model.offers.all())
    offers[0].facts = {**offers[0].facts, "description": "new"}
    before = state([model, *offers])
    merged = Merger.from_database(timezone.now()).merge(model, offers)
    assert merged.values.keys() == {"description", "upstream", "updated_at"}
    assert [tuple(change) for change in merged.history] == [("description", "About acme/same.", "new")]
    assert state([model, *offers]) == before


def test_nothing_is_merged_where_nothing_differs(known):
    merged = merge_entries(
        AIModel.objects.values_list("pk", flat=True), Merger.from_database(timezone.now()), lock=False
    )
    assert (len(merged.ids), merged.entries, merged.history) == (3, [], [])


def test_a_plan_writes_nothing_and_a_write_changes_nothing_of_it(known):
    before = fingerprint()
    plan = planned(known).plan
    assert fingerprint() == before
    rows = [*plan.new_offers, *plan.changed_offers, *(row for row, _ in plan.changed_entries)]
    given = (state(rows), copy.deepcopy((plan.new_entries, plan.links, plan.history)))
    write(plan, known)
    assert (state(rows), (plan.new_entries, plan.links, plan.history)) == given
    assert [row.pk for row in plan.new_offers] == [None]
    assert AIModel.objects.get(model_id="acme/new").offers.get().upstream_id == "acme/new"


def test_the_history_that_is_written_is_that_of_the_plan(known):
    plan = planned(known).plan
    last = FieldChange.objects.order_by("pk").last().pk
    write(plan, known)
    rows = FieldChange.objects.filter(pk__gt=last).order_by("pk")
    assert [(r.subject, r.field, r.old, r.new, r.offered_by) for r in rows] == [
        (c.subject, c.field, c.old, c.new, c.offered_by) for c in plan.history
    ]
    assert (
        {row.model.model_id for row in rows}
        == {row.subject for row in rows}
        == {"acme/dearer", "acme/gone", "acme/new"}
    )


def test_a_plan_of_no_change_is_false_and_writes_nothing(known, django_assert_num_queries):
    plan = planned(known, BEFORE).plan
    assert not plan
    with django_assert_num_queries(0):
        write(plan, known)


def test_two_offers_of_one_new_entry_share_it(db):
    provider = Provider.objects.create(slug="modelsdev2", kind="openrouter", name="x")
    found = parsed(provider, [record("acme/one"), record("acme/two")])
    records = [dataclasses.replace(found.records[0]), dataclasses.replace(found.records[1], model_id="acme/one")]
    comparison = compare(provider, {}, [Accepted(dataclasses.replace(found, records=records), [])], timezone.now())
    author = Author.sync(0, provider.slug)
    write(plan_offers(provider, comparison, Merger.from_database(timezone.now()), author), provider)
    assert AIModel.objects.get().model_id == "acme/one"
    assert set(ProviderModel.objects.values_list("model__model_id", flat=True)) == {"acme/one"}


def test_an_enricher_makes_no_entry(known, make_provider):
    enricher = make_provider("modelsdev")
    found = parsed(known, [record("acme/same"), record("acme/other")])
    plan = plan_sync(enricher, [found], Author.sync(0, "x"), allow_shrink=False, now=timezone.now(), lock=False)
    assert (plan.plan.new_entries, [offer.upstream_id for offer in plan.plan.new_offers]) == ({}, ["acme/same"])


def test_a_dry_run_shows_the_history_that_the_sync_then_writes(known, tmp_path):
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(feed(AFTER)))
    shown = [(c.subject, c.field, c.old, c.new) for c in sync.preview(known, path=path).changes]
    outcome = sync.sync(known, path=path)
    rows = FieldChange.objects.filter(run_id=outcome.run_id).order_by("pk")
    assert [(r.subject, r.field, r.old, r.new) for r in rows] == shown


def test_the_curated_list_is_planned_and_written_as_any_source(db):
    added, changed = defaults.load_curated()
    rows = FieldChange.objects.filter(source="curated", field="created")
    assert (rows.count(), changed) == (added, 0)
    assert set(rows.values_list("model__model_id", flat=True)) == set(
        AIModel.objects.values_list("model_id", flat=True)
    )


def source_of(upstream, field):
    return upstream[field]["source"], upstream[field].get("stale", False)


def test_what_no_source_has_any_more_stays_and_is_marked_as_stale(known):
    model = AIModel.objects.get(model_id="acme/same")
    offers = list(model.offers.all())
    assert source_of(model.upstream, "description") == ("openrouter", False)
    offers[0].facts = {name: value for name, value in offers[0].facts.items() if name != "description"}
    merged = Merger.from_database(timezone.now()).merge(model, offers)
    assert "description" not in merged.values
    assert source_of(merged.values["upstream"], "description") == ("openrouter", True)
    # That alone changes nothing that is served.
    assert "updated_at" not in merged.values


@pytest.mark.parametrize(
    ("records", "parsed_bad", "reason"), [(1, 1, None), (1, 2, "mostly_bad"), (0, 1, "mostly_bad")]
)
def test_a_listing_is_held_where_most_of_its_records_are_bad(records, parsed_bad, reason):
    bad = [RejectedRecord(number, "", "is bad") for number in range(parsed_bad)]
    listing = ParsedListing("language", [Record(f"a/{n}", f"a/{n}", {}, {}) for n in range(records)], bad)
    judged = judge(0, {}, [listing], allow_shrink=True)
    assert [hold.reason for hold in judged.holds] == ([reason] if reason else [])
    assert [accepted.parsed for accepted in judged.accepted] == ([] if reason else [listing])
    assert waiting_in(judged.held) == (records if reason else 0)


@pytest.mark.parametrize(
    ("old", "new", "models", "reason"),
    [
        ("1", "0", 2, "prices_zero"),
        ("1", None, 2, "prices_missing"),
        ("1", "5", 2, "prices_shifted"),
        ("5", "1", 2, "prices_shifted"),
        ("1", "4.99", 10, None),
        ("1", "5", 1, None),  # one model's own doing
        ("0", "5", 10, None),  # from nothing there is no factor
    ],
)
def test_a_listing_is_held_where_its_prices_move_together(old, new, models, reason):
    names = [f"a/{number}" for number in range(models)]
    offers = {n: ProviderModel(upstream_id=n, listing="language", pricing={"prompt": old}) for n in names}
    records = [Record(n, n, {}, {"prompt": new} if new else {}) for n in names]
    judged = judge(0, offers, [ParsedListing("language", records)], allow_shrink=True)
    assert [hold.reason for hold in judged.holds] == ([reason] if reason else [])


def test_a_sync_remarks_an_alias_that_nobody_will_see(sync_feed, make_model):
    make_model("acme/by-hand")
    targets = {"~a/1": "acme/m", "~a/2": "acme/by-hand", "~a/3": "acme/gone", "~a/4": "~a/5", "~a/5": "~a/4"}
    alias_records = [record(name, alias_target={"slug": target}) for name, target in targets.items()]
    outcome = sync_feed(feed([record("acme/m"), *alias_records]))
    assert [(problem["id"], "nobody sees it" in problem["reason"]) for problem in outcome.problems] == [
        ("~a/3", True), ("~a/4", True), ("~a/5", True),
    ]  # fmt: skip
