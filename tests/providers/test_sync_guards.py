"""providers/sync/guards.py and held_runs.py: what a sync does not do unseen."""

from datetime import timedelta

import pytest
from django.utils import timezone

from catalog.models import AIModel, AuditEntry, CatalogVersion, FieldChange
from providers.adapters import BadRecord, ListedModel
from providers.models import ProviderModel, SyncRun
from providers.reading import claims
from providers.reading.namespaces import Namespace
from providers.reading.records import checked
from providers.sync import held_runs
from providers.sync.run import sync
from tests.feeds import available, feed, fingerprint, record


def records(count, **fields):
    return feed(count, **fields)["data"]


@pytest.mark.parametrize(
    ("size", "left", "state", "available_then"),
    [
        (400, 319, "held", 400),  # 20.25 % gone
        (400, 321, "ok", 321),  # 19.75 %
        (400, 320, "ok", 320),  # exactly 20 %
        (10, 5, "ok", 5),  # half, but only five
        (10, 4, "held", 10),
    ],
)
def test_more_than_a_fifth_and_more_than_five_gone_are_held(sync_feed, size, left, state, available_then):
    sync_feed(feed(size))
    outcome = sync_feed(feed(left))
    assert (outcome.state, len(available())) == (state, available_then)
    waiting = outcome.held.get("removals", {}).get("language", [])
    assert len(waiting) == (size - left if state == "held" else 0)


def test_additions_and_updates_of_a_held_run_apply_and_removals_wait(sync_feed):
    sync_feed(feed(40))
    smaller = [record("acme/new"), *records(20, context_length=4096)]
    outcome = sync_feed(feed(smaller))
    assert (outcome.state, outcome.counts["added"], outcome.counts["updated"]) == ("held", 1, 20)
    assert len(available()) == 41
    assert AIModel.objects.get(model_id="acme/m0000").context_length == 4096


def test_allow_shrink_retires_once_and_is_audited(sync_feed, ops):
    sync_feed(feed(40))
    sync_feed(feed(10))
    outcome = sync_feed(feed(10), allow_shrink=True, by=ops)
    assert (outcome.state, outcome.counts["retired"], len(available())) == ("ok", 30, 10)
    assert AIModel.objects.count() == 40
    assert AuditEntry.objects.get(action="allow_shrink").user == ops
    assert SyncRun.objects.get(pk=outcome.run_id).confirmed


def test_a_slow_leak_is_measured_against_the_last_confirmed_size(sync_feed):
    states = []
    for size in (100, 90, 82, 79):
        states.append(sync_feed(feed(size)).state)
    assert states == ["ok", "ok", "ok", "held"]
    assert len(available()) == 82


def test_a_leak_that_new_models_hide_is_seen(sync_feed):
    def moved(by):
        return feed([record(f"acme/m{number:03}") for number in range(by, by + 100)])

    assert [sync_feed(moved(by)).state for by in (0, 8, 16, 24)] == ["ok", "ok", "ok", "held"]


def test_a_confirmation_counts_for_a_week(sync_feed):
    for size in (100, 90, 82):
        sync_feed(feed(size))
    SyncRun.objects.filter(confirmed=True).update(ended_at=timezone.now() - timedelta(days=8))
    assert sync_feed(feed(79)).state == "ok"


def test_a_total_exchange_of_the_list_is_held(sync_feed):
    sync_feed(feed(50))
    outcome = sync_feed(feed([record(f"other/m{number}") for number in range(50)]))
    assert (outcome.state, len(available())) == ("held", 100)


def test_the_first_sync_of_an_empty_catalog_is_not_guarded(sync_feed):
    assert sync_feed(feed(3)).state == "ok"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"prompt": "0", "completion": "0"}, "prices_zero"),
        ({"prompt": "0.001", "completion": "0.002"}, "prices_shifted"),
        ({"prompt": "0.000000001", "completion": "0.000000002"}, "prices_shifted"),
        ({"pricing": {}}, "prices_missing"),
    ],
)
def test_prices_that_move_all_at_once_hold_the_whole_run(sync_feed, fields, reason):
    sync_feed(feed(12))
    before = fingerprint()
    outcome = sync_feed(feed([*records(12, **fields), record("acme/new")]))
    assert (outcome.state, outcome.reason, outcome.counts["held"]) == ("held", reason, 13)
    assert fingerprint() == before


def test_one_models_price_may_triple_or_be_free(sync_feed):
    sync_feed(feed(12))
    rest = records(12)[2:]
    outcome = sync_feed(feed([record("acme/m0000", prompt="0.000003"), record("acme/m0001", prompt="0"), *rest]))
    assert (outcome.state, outcome.counts["updated"]) == ("ok", 2)
    change = FieldChange.objects.get(subject="acme/m0000", field="pricing")
    assert (change.old["prompt"], change.new["prompt"], change.offered_by) == ("0.000001", "0.000003", "openrouter")


def test_mostly_bad_records_hold_the_whole_run(sync_feed):
    sync_feed(feed(10))
    before = fingerprint()
    outcome = sync_feed(feed([*records(4, context_length=1), *[{"id": None, "pricing": {}}] * 6]))
    assert (outcome.state, outcome.reason) == ("held", "mostly_bad")
    assert fingerprint() == before


@pytest.mark.parametrize(
    "bad",
    [None, 5, "x", {}, {"id": None}, {"id": ""}, {"id": 7}, {"id": ["acme/m0020"]}],
    ids=repr,
)
def test_one_bad_record_costs_that_record_only(sync_feed, bad):
    sync_feed(feed(40))
    sent = records(40, context_length=4096)
    sent[20] = bad
    outcome = sync_feed(feed(sent))
    assert (outcome.state, outcome.counts["updated"], outcome.counts["bad"]) == ("partial", 39, 1)
    assert outcome.problems[0]["index"] == 20
    assert len(available()) == 40, "the old version of the bad record was retired"
    assert AIModel.objects.get(model_id="acme/m0020").context_length == 8192


class Given:
    """A reader that brings these good and bad records."""

    listings, sent_credential = ("language",), False

    def __init__(self, provider, good, bad):
        self.provider, self.good, self.bad = provider, good, bad

    def fetch(self, listing):
        namespace = Namespace(self.provider, claims.private())
        return checked(listing, [ListedModel(name, name, {}, {}) for name in self.good], self.bad, namespace)


@pytest.fixture
def sync_given(openrouter):
    """`sync_given(["acme/a"], None, "a b")`: syncs the good ids, and bad records with these ids."""

    def run(good, *bad):
        refused = [BadRecord(len(good) + place, name, "id is none") for place, name in enumerate(bad)]
        return sync(openrouter, reader=Given(openrouter, good, refused))

    return run


TEN = [f"acme/m{number}" for number in range(10)]


@pytest.mark.parametrize("name", ["Go reasoning", "豆包-pro", "acme/*", "acme/m9\u200b", "x" * 300, " acme/m9"])
def test_a_record_whose_id_can_be_read_but_not_accepted_is_named_and_spares_nothing(sync_given, name):
    sync_given(TEN)
    outcome = sync_given(TEN[:9], name)
    assert (outcome.counts["retired"], outcome.counts["kept"], len(available())) == (1, 0, 9)
    assert outcome.problems[0]["id"] == name.replace("\u200b", "?")[:255]
    assert sync_given(TEN[:9], name).counts["retired"] == 0


def test_a_refused_id_does_not_spare_the_model_whose_id_it_is_shown_like(sync_given):
    sync_given([*TEN, "acme/q?"])
    assert sync_given(TEN, "acme/q\u200b").counts["retired"] == 1


@pytest.mark.parametrize(("left", "unreadable", "kept"), [(9, 1, 1), (7, 1, 1), (7, 2, 2), (8, 4, 2), (10, 3, 0)])
def test_a_record_without_a_readable_id_spares_one_model_and_always_the_same(sync_given, left, unreadable, kept):
    sync_given(TEN)
    outcome = sync_given(TEN[:left], *[None] * unreadable)
    assert (outcome.counts["kept"], outcome.counts["retired"]) == (kept, 10 - left - kept)
    version = CatalogVersion.objects.current()
    again = sync_given(TEN[:left], *[None] * unreadable)
    assert (again.counts["kept"], again.counts["retired"], CatalogVersion.objects.current()) == (kept, 0, version)
    assert sync_given(TEN[:left]).counts["retired"] == kept


def test_no_look_alike_passes_for_an_id_that_vendors_share_whatever_the_adapter_let_through(sync_given):
    outcome = sync_given([*TEN, "\u0430cme/m0"])
    assert (outcome.counts["bad"], len(available())) == (1, 10)


def test_what_a_refused_id_does_not_spare_is_held_where_it_is_too_much(sync_given):
    sync_given([f"acme/m{number}" for number in range(40)])
    assert sync_given(TEN, "a b").state == "held"
    assert len(available()) == 40


def test_ids_that_differ_only_in_case_are_both_kept_and_remarked_once(sync_feed):
    sent = feed([record("acme/gpt-4o"), record("acme/GPT-4o"), record("acme/other")])
    for _ in range(2):
        outcome = sync_feed(sent)
        (remark,) = outcome.problems
        assert outcome.state == "ok"
        assert "acme/GPT-4o, acme/gpt-4o" in remark["reason"]
    assert len(available()) == 3


@pytest.mark.parametrize("field", [{"name": "\ud800"}, {"description": "x" * 100_000}])
def test_a_record_with_text_that_no_column_holds_keeps_its_old_version(sync_feed, field):
    sync_feed(feed(10))
    outcome = sync_feed(feed([record("acme/m0000", **field), *records(10, context_length=4096)[1:]]))
    assert (outcome.state, outcome.problems[0]["id"]) == ("partial", "acme/m0000")
    assert AIModel.objects.get(model_id="acme/m0000").context_length == 8192
    assert len(available()) == 10


@pytest.mark.parametrize("payload", ["", "null", "{}", "[]", '{"data":[]}', '{"data":null}', '{"error":{}}', "<html>"])
def test_an_empty_or_wrongly_shaped_answer_fails_and_changes_nothing(sync_feed, payload):
    sync_feed(feed(10))
    before = fingerprint()
    outcome = sync_feed(payload)
    assert (outcome.state, fingerprint()) == ("failed", before)
    assert outcome.message


# What a person decides.


@pytest.fixture
def shrunk(sync_feed):
    """A held run: 30 of 40 models are gone."""
    sync_feed(feed(40))
    return SyncRun.objects.get(pk=sync_feed(feed(10)).run_id)


def test_confirming_a_held_run_retires_exactly_what_was_shown(shrunk, ops, sync_feed):
    counts = held_runs.apply_held(shrunk, ops)
    assert (counts["retired"], len(available())) == (30, 10)
    assert (shrunk.decision, shrunk.decided_by, shrunk.confirmed, shrunk.held) == ("accepted", "ops", True, {})
    # The confirmed size is what the next run is measured against.
    assert sync_feed(feed(10)).state == "ok"
    with pytest.raises(held_runs.NotHeld, match="accepted by ops already"):
        held_runs.apply_held(shrunk, ops)


def test_a_held_run_may_be_confirmed_in_part(shrunk, ops):
    assert held_runs.apply_held(shrunk, ops, only=["acme/m0039"])["retired"] == 1
    assert (len(available()), shrunk.decision, len(shrunk.held["removals"]["language"])) == (39, "", 29)


def test_rejecting_a_held_run_leaves_the_catalog_as_it_is(shrunk, ops, sync_feed):
    held_runs.reject_held(shrunk, ops)
    assert (shrunk.decision, len(available())) == ("rejected", 40)
    assert sync_feed(feed(10)).state == "held"


def test_what_an_older_run_holds_cannot_be_confirmed(shrunk, ops, sync_feed):
    sync_feed(feed(40))
    with pytest.raises(held_runs.NotHeld, match="out of date"):
        held_runs.apply_held(shrunk, ops)
    assert len(available()) == 40


def test_confirming_a_run_held_for_its_prices_applies_the_list_that_was_shown(sync_feed, ops):
    sync_feed(feed(12))
    outcome = sync_feed(feed([record("acme/new"), *records(10, prompt="0.01", completion="0.02")]))
    run = SyncRun.objects.get(pk=outcome.run_id)
    counts = held_runs.apply_held(run, ops)
    assert (counts["added"], counts["updated"], counts["retired"]) == (1, 10, 2)
    assert ProviderModel.objects.get(upstream_id="acme/m0000").pricing["prompt"] == "0.01"
    assert FieldChange.objects.filter(run_id=run.pk, field="pricing").count() == 10
