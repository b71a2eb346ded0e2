"""What each page of the admin costs, from its URL conf: as many statements for many rows as for few, and no more than 25.

ADMIN_ENTRIES=5276, with pytest's -s, prints the milliseconds and statements of each page at so many entries, and fails
where one takes more than 150 ms of this process: for a machine that does nothing else.
"""

from __future__ import annotations

import os
import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from waffle import get_waffle_flag_model

from apikeys.models import ApiKey
from catalog.dialects.registry import DIALECTS
from catalog.models import AccessGrant, AIModel, AuditEntry, FieldChange, Tag
from providers.models import Provider, ProviderModel, SyncRun
from tests.test_admin_accessibility import addresses, others

pytestmark = pytest.mark.django_db
MOST, MOST_MS = 25, 150
# tests/catalog/test_admin_pages.py asks these; of forms those of one entry and of one held run have much beside them.
OF_EACH_MODEL = re.compile(
    r"/admin/(?!catalog/aimodel/|providers/syncrun/)\w+/\w+/(\?.*|add/|\d+/(change|history|password)/)?$"
)
MEASURED = int(os.environ.get("ADMIN_ENTRIES", "0"))
PRICES = {"prompt": "0.00000025", "completion": "0.00000125"}


def fill(first: int, last: int, ops: Any) -> None:
    """Entries `first` to `last`, each with two offers, and what stands beside so many: keys, people, grants, history."""
    now, numbers, few = timezone.now(), range(first, last), range(first, last, 50 if last > 1000 else 5)
    entries = AIModel.objects.bulk_create(
        AIModel(
            model_id=f"author{n % 60}/model-{n}", name=f"Model {n}", is_available=True, context_length=8192 + n,
            description="reads and writes " * 20, pricing=PRICES, prompt_price=0.25, input_modalities=["text"],
            restricted=n % 20 == 0, upstream={"context_length": {"value": 8192, "source": "one", "since": "2026-01-01"}},
            offered_by=["one", "two"], pinned_fields=["context_length"],
            retires_at=(now + timedelta(days=9)).date() if n % 20 == 0 else None,
        )
        for n in numbers
    )  # fmt: skip
    tag, _ = Tag.objects.get_or_create(name="fast")
    AIModel.tags.through.objects.bulk_create(AIModel.tags.through(aimodel=entry, tag=tag) for entry in entries[::4])
    for precedence, slug in enumerate(("one", "two"), 1):
        provider, _ = Provider.objects.get_or_create(
            slug=slug, defaults={"kind": "compatible", "precedence": precedence}
        )
        ProviderModel.objects.bulk_create(
            ProviderModel(
                provider=provider, upstream_id=entry.model_id, listing="models", model=entry, pricing=PRICES,
                facts={"context_length": 8192 * (precedence if n % 5 == 0 else 1), "name": entry.name, "supports_tools": True},
            )
            for n, entry in enumerate(entries)
        )  # fmt: skip
        ids = list(provider.offers.values_list("upstream_id", flat=True))
        SyncRun.objects.create(provider=provider, state="ok", ended_at=now)
        run = SyncRun.objects.create(
            provider=provider, state="held", message="All are gone.", sizes={"models": len(ids)},
            held={"removals": {"models": ids}},
            problems=[{"listing": "models", "index": n, "id": f"x{n}", "reason": "id is missing"} for n in few],
        )  # fmt: skip
    FieldChange.objects.bulk_create(
        FieldChange(
            model=entry, subject=entry.model_id, offered_by=offered_by, field="pricing", old={}, new=PRICES,
            source="sync", actor="two", run_id=run.pk,
        )
        for entry in entries for offered_by in ("", "one")
    )  # fmt: skip
    names = [f"user{n}" for n in few]
    users = User.objects.bulk_create(User(username=name, password="!") for name in names)
    groups = Group.objects.bulk_create(Group(name=f"group {name}") for name in names)
    for user, group in zip(users, groups, strict=True):
        user.groups.add(group)
    restricted = [entry for entry in entries if entry.restricted]
    AccessGrant.objects.bulk_create(
        AccessGrant(model=entry, principal_type="group", group=group, permission="read")
        for entry in restricted[:40] for group in groups[:5]
    )  # fmt: skip
    ApiKey.objects.bulk_create(
        ApiKey(
            user=user, name="of a notebook", hint="h", key_id=f"key{user.pk}", secret_hash="x", pepper_id="p",
            mode="allow_list", patterns=["author1/*"], expires_at=now + timedelta(days=3),
        )
        for user in users
    )  # fmt: skip
    AIModel.objects.bulk_create(
        AIModel(model_id=f"preset-{n}", name="Preset", kind="custom", owner=user, base_model=entries[n - first])
        for n, user in zip(few, users, strict=True)
    )
    get_waffle_flag_model().objects.bulk_create(get_waffle_flag_model()(name=f"flag{n}") for n in few[:20])
    AuditEntry.objects.bulk_create(
        AuditEntry(subject_type="apikey", subject_id="1", subject="k", action="added", actor="ops", user=ops)
        for _ in few
    )


def pages(request: Any) -> list[str]:
    user, view_as = User.objects.get(username="user0"), reverse("admin:catalog_aimodel_view_as")
    conflicts, held = reverse("admin:providers_providermodel_conflicts"), SyncRun.objects.filter(state="held").last()
    apps = {model._meta.app_label for model in admin.site._registry}
    return [
        *others("site"), *addresses(request, tuple(sorted(apps))), f"{view_as}?user={user.pk}",
        f"{view_as}?user={user.pk}&show=unseen&model=author0/model-0", f"{view_as}?user={user.pk}&dialect={DIALECTS[0].label}",
        f"{reverse('admin:catalog_aimodel_changelist')}?q=model-1", f"{conflicts}?source=one&p=2",
        reverse("admin:providers_syncrun_change", args=[held.pk]), f"{reverse('admin:log')}?kind=person",
    ]  # fmt: skip


def costs(client: Any, wanted: list[str]) -> dict[str, int]:
    """Address -> its statements, once the process has what it keeps in memory."""
    found = {}
    for address in wanted:
        client.get(address)
        begun = time.process_time()
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address).status_code == 200, address
        found[address] = len(asked)
        if MEASURED:
            took = (time.process_time() - begun) * 1000
            print(f"{took:7.0f} ms {found[address]:3} statements {address}", flush=True)
            assert min([took, *(again(client, address) for _ in range(3 * (took > MOST_MS)))]) <= MOST_MS, address
    return found


def again(client: Any, address: str) -> float:
    """Milliseconds."""
    begun = time.process_time()
    client.get(address)
    return (time.process_time() - begun) * 1000


def test_no_page_of_the_admin_asks_more_for_more_rows(client, rf, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    request = rf.get("/admin/")
    request.user = ops
    fill(0, MEASURED or 31, ops)
    if MEASURED:
        assert {page: asked for page, asked in costs(client, pages(request)).items() if asked > MOST} == {}
        return
    few = costs(client, [page for page in pages(request) if not OF_EACH_MODEL.search(page)])
    fill(31, 91, ops)
    many = costs(client, list(few))
    assert {page: asked for page, asked in many.items() if asked > few[page]} == {}
    assert {page: asked for page, asked in many.items() if asked > MOST} == {}
