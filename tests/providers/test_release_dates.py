"""providers/reading/release_dates.py: which values of `created` are taken for a release date."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from catalog.models import AIModel, CatalogVersion
from providers.models import ProviderModel
from tests.answers import DATA
from tests.feeds import DAYS, OPENROUTER, day, feed, fingerprint, record

HOUR, LONG_AGO = 3600, 1_700_000_000
MIDNIGHT = 1_699_920_000


@pytest.fixture
def lab(make_provider):
    return make_provider("lab", kind="compatible", base_url="http://127.0.0.1:9/v1")


def listed(*created):
    return {"data": [{"id": f"m{number}", "created": when} for number, when in enumerate(created)]}


def dates():
    return list(AIModel.objects.order_by("model_id").values_list("released_at", flat=True))


def moment(seconds):
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize("start", [0, -HOUR, -90 * 24 * HOUR, HOUR], ids=["now", "an hour ago", "long ago", "ahead"])
@pytest.mark.parametrize("models", [1, 2, 5])
@pytest.mark.parametrize("apart", [0, 1], ids=["one value", "values a second apart"])
def test_a_created_that_moves_with_each_sync_changes_nothing(lab, sync_feed, start, models, apart):
    first = int(time.time()) + start
    sync_feed(listed(*(first + apart * number for number in range(models))), provider=lab)
    before, version = fingerprint(), CatalogVersion.objects.current()
    for later in (HOUR, 2 * HOUR):
        sent = listed(*(first + later + apart * number for number in range(models)))
        outcome = sync_feed(sent, provider=lab)
        assert (outcome.state, outcome.counts["unchanged"]) == ("ok", models)
    assert (fingerprint(), CatalogVersion.objects.current()) == (before, version)


@pytest.mark.parametrize("ahead", [0, -300, 300, 86_400], ids=lambda seconds: f"{seconds} s")
@pytest.mark.parametrize("kind", ["compatible", "openrouter", "openai", "mistral"])
def test_the_time_of_asking_is_no_release_date(make_provider, sync_feed, kind, ahead):
    names = ("acme/a", "acme/b") if kind == "openrouter" else ("a", "b")
    now = int(time.time()) + ahead
    sent = {"data": [{"id": name, "created": now + step} for step, name in enumerate(names)]}
    sync_feed(sent, provider=make_provider(kind, base_url="http://127.0.0.1:9/v1"))
    assert dates() == [None, None]


@pytest.mark.parametrize(
    ("created", "taken"),
    [
        ([LONG_AGO], [LONG_AGO]),
        ([LONG_AGO, LONG_AGO], [None, None]),
        ([LONG_AGO] * 5, [None] * 5),
        ([LONG_AGO, LONG_AGO, LONG_AGO + 9], [None, None, LONG_AGO + 9]),
        ([LONG_AGO, LONG_AGO, 1_600_000_000, 1_500_000_000], [LONG_AGO, LONG_AGO, 1_600_000_000, 1_500_000_000]),
        ([LONG_AGO, None, None], [LONG_AGO, None, None]),
        ([LONG_AGO] * 3 + [LONG_AGO + n for n in range(1, 7)], [None] * 3 + [LONG_AGO + n for n in range(1, 7)]),
        ([MIDNIGHT] * 3 + [MIDNIGHT + n for n in range(1, 5)], [MIDNIGHT] * 3 + [MIDNIGHT + n for n in range(1, 5)]),
    ],
)
def test_one_constant_beside_most_models_is_no_release_date(lab, sync_feed, created, taken):
    sync_feed(listed(*created), provider=lab)
    assert dates() == [when and moment(when) for when in taken]


def test_a_date_that_was_taken_stays_whatever_is_said_later(lab, sync_feed):
    sync_feed(listed(LONG_AGO, LONG_AGO + 9), provider=lab)
    before = fingerprint()
    for created in ([LONG_AGO - 5, LONG_AGO + 50], [LONG_AGO, LONG_AGO], [None, None], [int(time.time())] * 2):
        assert sync_feed(listed(*created), provider=lab).counts["unchanged"] == 2
    assert (dates(), fingerprint()) == ([moment(LONG_AGO), moment(LONG_AGO + 9)], before)


def test_a_date_after_the_model_was_first_seen_is_dropped_even_where_it_was_stored(lab, sync_feed):
    sync_feed(listed(LONG_AGO), provider=lab)
    seen = timezone.now() - timedelta(days=30)
    moved = {"released_at": (seen + timedelta(days=3)).isoformat()}
    ProviderModel.objects.update(first_listed_at=seen, facts=moved)
    sync_feed(listed(int((seen + timedelta(days=5)).timestamp())), provider=lab)
    assert "released_at" not in ProviderModel.objects.get().facts


def test_a_date_too_fresh_to_be_told_from_the_time_of_asking_is_taken_later(lab, sync_feed):
    created = int(time.time()) - 120
    sync_feed(listed(created, LONG_AGO), provider=lab)
    assert dates()[0] is None
    # An hour later, as the clocks of its row show it.
    ProviderModel.objects.update(first_listed_at=timezone.now() - timedelta(hours=1))
    sync_feed(listed(created - HOUR, LONG_AGO), provider=lab)
    assert dates()[0] == moment(created - HOUR)


def test_a_model_under_a_code_name_may_come_out_later_than_it_is_listed(sync_feed):
    ahead = int(time.time()) + 5 * 24 * HOUR
    sync_feed(
        feed([record("stealth/x", created=ahead), *(record(f"acme/m{n}", created=LONG_AGO + n) for n in range(5))])
    )
    assert AIModel.objects.get(model_id="stealth/x").released_at == moment(ahead)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        *(("openrouter", day(date)) for date in DAYS),
        ("openrouter", OPENROUTER / "fixture_edge_cases_2026-08-22.json"),
        ("openrouter", OPENROUTER / "models_decisions_2026-09-29.json"),
        ("openrouter", OPENROUTER / "embeddings_models_2026-03-14.json"),
        ("openai", DATA / "openai/models_2026-08-22_reconstructed.json"),
    ],
    ids=lambda value: str(value).rpartition("/")[2],
)
def test_recorded_lists_of_vendors_keep_every_date(make_provider, sync_feed, kind, path):
    sync_feed(path, provider=make_provider(kind))
    sent = {item["id"]: moment(item["created"]) for item in json.loads(path.read_text())["data"]}
    prefix = "" if kind == "openrouter" else f"{kind}/"
    assert dict(AIModel.objects.values_list("model_id", "released_at")) == {
        f"{prefix}{name}": when for name, when in sent.items()
    }


def test_facts_that_a_loading_server_leaves_out_and_sends_again_change_nothing(lab, sync_feed):
    meta = {"n_ctx_train": 40960, "n_params": 8_030_261_248, "size": 4_912_898_304}
    loaded, loading = ({"data": [{"id": "m", "created": LONG_AGO, "meta": found}]} for found in (meta, None))
    sync_feed(loaded, provider=lab)
    before, version = fingerprint(), CatalogVersion.objects.current()
    for answer in (loading, loaded, loading):
        assert sync_feed(answer, provider=lab).counts["unchanged"] == 1
    assert (fingerprint(), CatalogVersion.objects.current()) == (before, version)
    assert ProviderModel.objects.get().context_length == 40960


def test_what_changes_beside_what_is_left_out_is_taken(lab, sync_feed):
    sync_feed({"data": [{"id": "m", "name": "M", "context_length": 1000, "max_tokens": 10}]}, provider=lab)
    outcome = sync_feed({"data": [{"id": "m", "name": "M", "context_length": 2000}]}, provider=lab)
    assert (outcome.counts["updated"], AIModel.objects.get().context_length) == (1, 2000)
