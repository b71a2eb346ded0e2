"""
How long a page of /api/models/list takes at 1,000 and at 100,000 models, on PostgreSQL with 1,000 users.

    python -m tests.bench.lists [--models N] [--rounds N] [--explain]

Prints the median and the 95th percentile of each request, first as it is asked again and again (the page is stored),
then as the first of its kind after a change of the catalog (it is counted, and its items are made), and how many times
longer each takes with many models than with few. Starts a PostgreSQL of its own, unless TEST_DATABASE_URL names one.
Ends with 1 where a promise is not kept: three times at most, and 150 ms at the 95th percentile.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from typing import Any

os.environ["TEST_DATABASE"] = "postgresql"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django

from tests import environment  # noqa: F401

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.models import Group  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402

from catalog.api import pagination  # noqa: E402
from catalog.api.snapshot import snapshot  # noqa: E402
from catalog.models import AccessGrant, AIModel, Tag  # noqa: E402

FEW = 1000
MOST_MS, MOST_TIMES, MOST_QUERIES = 150, 3, 6
AUTHORS = [
    f"{a}{b}" for a in ("acme", "blue", "cedar", "delta", "ember") for b in ("labs", "works", "ai", "soft", "co")
]
WORDS = [
    "amber",
    "basalt",
    "cobalt",
    "drift",
    "ember",
    "flint",
    "garnet",
    "harbor",
    "indigo",
    "jasper",
    "krill",
    "lumen",
    "maple",
    "nickel",
    "onyx",
    "pearl",
]
TAGS = [f"tag-{n}" for n in range(50)]

REQUESTS: dict[str, list[dict[str, Any]]] = {
    "page 1": [{}],
    "search, one word": [{"query": word} for word in WORDS[:8]],
    "search, two words": [{"query": f"{a} {b}"} for a, b in zip(WORDS, AUTHORS, strict=False)],
    "search, nothing found": [{"query": f"zz{n}qq"} for n in range(8)],
    "tag": [{"tag": tag} for tag in TAGS[:8]],
    "price": [{"max_prompt_price": str(n / 10)} for n in range(1, 9)],
    "price, sorted": [{"max_prompt_price": "3", "order_by": "price", "direction": "asc"}],
    "capability": [{"capability": "vision"}],
    "mine": [{"view_option": "created"}],
    "last page": [{"page": -1}],
}


def seed(start: int, stop: int, users: list[Any], groups: list[Group]) -> None:
    chance, now = random.Random(start), timezone.now()
    tags = Tag.named(TAGS)
    rows = [
        AIModel(
            model_id=f"{chance.choice(AUTHORS)}/{chance.choice(WORDS)}-{n}",
            name=f"{chance.choice(WORDS)} {chance.choice(WORDS)} {n}".title(),
            family=chance.choice(WORDS),
            description="A model that answers. " * 8,
            context_length=chance.choice([8192, 32768, 131072, 1_000_000, None]),
            prompt_price=chance.choice([None, 0, *(round(chance.random() * 20, 3) for _ in range(6))]),
            pricing={"prompt": "0.000001", "completion": "0.000002"},
            supports_images=chance.random() < 0.2,
            input_modalities=["text", "image"],
            output_modalities=["text"],
            is_available=True,
            offered_by=["openrouter"],
            active=chance.random() < 0.97,
            hidden=chance.random() < 0.02,
            restricted=n % 20 == 0,
            created_at=now - timezone.timedelta(seconds=chance.randrange(10**7)),
            upstream={"name": {"value": "x" * 200, "source": "openrouter", "since": "2026-01-01"}},
        )
        for n in range(start, stop)
    ]
    for at in range(0, len(rows), 5000):
        AIModel.objects.bulk_create(rows[at : at + 5000], batch_size=500)
    custom = [
        AIModel(
            model_id=f"preset-{n}",
            name=f"Preset {chance.choice(WORDS)} {n}",
            kind="custom",
            owner=chance.choice(users),
            base_model=chance.choice(rows),
            params={"temperature": 0.5},
            created_at=now - timezone.timedelta(seconds=chance.randrange(10**7)),
        )
        for n in range(start, stop, 25)
    ]
    AIModel.objects.bulk_create(custom, batch_size=500)
    through = AIModel.tags.through
    through.objects.bulk_create(
        [
            through(aimodel_id=row.pk, tag_id=tag.pk)
            for row in (*rows, *custom)
            for tag in chance.sample(tags, chance.choice([0, 1, 2]))
        ],
        batch_size=5000,
    )
    AccessGrant.objects.bulk_create(
        [
            AccessGrant(model=row, principal_type="group", group=chance.choice(groups), permission="read")
            for row in (*rows[::20], *custom)
        ],
        batch_size=5000,
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def timed(client: Any, variants: list[dict[str, Any]], rounds: int, forget: bool) -> list[float]:
    """Milliseconds of each of so many requests, taking turns among the variants."""
    taken = []
    for n in range(-len(variants), rounds):
        if forget:
            pagination._totals.clear()
            snapshot.bodies.clear()
        began = time.perf_counter()
        response = client.get("/api/models/list", variants[n % len(variants)])
        elapsed = (time.perf_counter() - began) * 1000
        assert response.status_code == 200, response.content
        if n >= 0:  # the first of each warms caches up
            taken.append(elapsed)
    return taken


def measured(client: Any, rounds: int) -> dict[str, dict[str, list[float]]]:
    total = client.get("/api/models/list").json()["total"]
    times: dict[str, dict[str, list[float]]] = {}
    for name, variants in REQUESTS.items():
        # The last page but one is the deepest full one: page 3,000 and more of 100,000 models.
        variants = [{**each, "page": max(1, total // 30)} if each.get("page") == -1 else each for each in variants]
        pagination._totals.clear()
        with CaptureQueriesContext(connection) as queries:
            client.get("/api/models/list", variants[0])
        assert len(queries) <= MOST_QUERIES, f"{name}: {len(queries)} queries"
        times[name] = {"again": timed(client, variants, rounds, False), "first": timed(client, variants, rounds, True)}
    print(f"\n{total} models found by this user", flush=True)
    return times


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[18]


def explain(client: Any) -> None:
    """The plans of the slowest request's statements."""
    for name, variants in REQUESTS.items():
        pagination._totals.clear()
        with CaptureQueriesContext(connection) as queries:
            client.get("/api/models/list", variants[0] if variants[0].get("page") != -1 else {"page": 3000})
        for each in queries:
            if "catalog_aimodel" in (each["sql"] or "") and float(each["time"]) > 0.02:
                with connection.cursor() as cursor:
                    cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + each["sql"])
                    print(f"\n-- {name}: {each['sql'][:3000]}\n" + "\n".join(row[0] for row in cursor.fetchall()))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--models", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=40)
    options.add_argument("--explain", action="store_true")
    chosen = options.parse_args()
    call_command("migrate", verbosity=0)
    groups = [Group.objects.create(name=f"group {n}") for n in range(20)]
    people = get_user_model()._default_manager
    users = people.bulk_create([people.model(username=f"user{n}", email=f"u{n}@example.com") for n in range(1000)])
    for n, user in enumerate(users[:200]):
        user.groups.add(groups[n % 20])
    client = APIClient(HTTP_HOST="localhost")
    client.force_login(users[0], backend="django.contrib.auth.backends.ModelBackend")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")
        print("with trigrams" if cursor.fetchone()[0] else "WITHOUT trigrams: searches read every row")
    seed(0, FEW, users, groups)
    few = measured(client, chosen.rounds)
    seed(FEW, chosen.models, users, groups)
    many = measured(client, chosen.rounds)
    print(f"\n{'request':24}{'':8}{'few p50':>9}{'p95':>8}{'many p50':>10}{'p95':>8}{'times':>7}   (ms)")
    kept = True
    for name in REQUESTS:
        for kind in ("again", "first"):
            old, new = few[name][kind], many[name][kind]
            times = statistics.median(new) / statistics.median(old)
            bad = p95(new) > MOST_MS or (times > MOST_TIMES and kind == "again" and name != "last page")
            kept &= not bad
            print(
                f"{name:24}{kind:8}{statistics.median(old):9.1f}{p95(old):8.1f}{statistics.median(new):10.1f}"
                f"{p95(new):8.1f}{times:7.1f}{'   MISSED' if bad else ''}"
            )
    if chosen.explain:
        explain(client)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
