"""Four worker processes: what was taken away is gone in each of them on the next request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from apikeys.models import ApiKey
from catalog.editing.entries import edit
from catalog.editing.history import Author
from catalog.models import AIModel
from tests.servers import Server, running

pytestmark = pytest.mark.django_db(transaction=True)

# So many that each of four processes answers some: all miss one with a chance of 4 * (3/4)**24, about 1 in 250; the
# test then says less, and never more, than it should.
CALLS = 24


@pytest.fixture(scope="module")
def four(database_url: str, project_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("four") / "log"
    with running(log, project_dir, DATABASE_URL=database_url, DATABASE_POOL_MAX_SIZE="4", WEB_WORKERS="4") as started:
        yield started


def ask(server: Server, path: str, key: str, **headers: str) -> list[Any]:
    with ThreadPoolExecutor(8) as callers:
        return list(
            callers.map(lambda _: server.request("GET", path, Authorization=f"Bearer {key}", **headers), range(CALLS))
        )


def statuses(answers: list[Any]) -> set[int]:
    return {answer.status for answer in answers}


@pytest.mark.parametrize("taken", ["revoked", "expired", "switched off", "owner deactivated", "owner deleted"])
def test_a_key_that_ended_is_401_everywhere_at_once_also_where_304_was_due(
    four, make_user, make_model, make_key, taken
):
    make_model("acme/large")
    alice = make_user("alice")
    issued = make_key(alice)
    before = ask(four, "/v1/models", issued.token)
    assert statuses(before) == {200}
    tag = before[0].headers["ETag"]
    assert statuses(ask(four, "/v1/models", issued.token, If_None_Match=tag)) == {304}
    rows = ApiKey.objects.filter(pk=issued.key.pk)
    if taken == "revoked":
        rows.update(revoked_at=timezone.now())
    elif taken == "expired":
        rows.update(expires_at=timezone.now())
    elif taken == "switched off":
        rows.update(is_active=False)
    elif taken == "owner deactivated":
        alice.is_active = False
        alice.save()
    else:
        alice.delete()
    after = ask(four, "/v1/models", issued.token, If_None_Match=tag)
    assert statuses(after) == {401}
    code = "key_expired" if taken == "expired" else "invalid_api_key"
    assert {json.loads(answer.body)["error"]["code"] for answer in after} == {code}


@pytest.mark.parametrize("taken", ["revoked", "expired", "group deleted", "grant deleted", "flag off", "maker deleted"])
def test_a_groups_key_ends_or_sees_less_everywhere_at_once(four, ops, make_model, make_key, hold_flag, taken):
    group = Group.objects.create(name="research")
    flag = hold_flag("beta", ops)
    flag.groups.add(group)
    make_model("acme/open")
    model = make_model("acme/ours", granted_to=group, requires_feature_flag="beta")
    issued = make_key(group, created_by=ops)
    assert listed(ask(four, "/v1/models", issued.token)) == {"acme/open", "acme/ours"}
    rows = ApiKey.objects.filter(pk=issued.key.pk)
    {
        "revoked": lambda: rows.update(revoked_at=timezone.now()),
        "expired": lambda: rows.update(expires_at=timezone.now()),
        "group deleted": group.delete,
        "grant deleted": lambda: model.grants.all().delete(),
        "flag off": lambda: flag.groups.clear(),
        "maker deleted": ops.delete,
    }[taken]()
    after = ask(four, "/v1/models", issued.token)
    if taken in ("revoked", "expired", "group deleted"):
        assert statuses(after) == {401}
    else:
        assert listed(after) == {"acme/open"} | ({"acme/ours"} if taken == "maker deleted" else set())


def listed(answers: list[Any]) -> set[str]:
    return {row["id"] for answer in answers for row in json.loads(answer.body)["data"]}


@pytest.mark.parametrize(
    "taken", ["hidden", "grant deleted", "left the group", "group deleted", "flag off", "switched off"]
)
def test_a_model_out_of_sight_is_out_of_sight_in_every_process(
    four, api, make_user, make_model, make_key, hold_flag, taken
):
    alice = make_user("alice", groups=["research"])
    group = Group.objects.get(name="research")
    flag = hold_flag("beta", alice)
    make_model("acme/open")
    model = make_model("acme/ours", granted_to=group, requires_feature_flag="beta")
    key = make_key(alice).token
    assert listed(ask(four, "/v1/models", key)) == {"acme/open", "acme/ours"}
    if taken == "hidden":
        edit(model, {"hidden": True}, Author.person(alice))
    elif taken == "grant deleted":
        model.grants.all().delete()
    elif taken == "left the group":
        alice.groups.clear()
    elif taken == "group deleted":
        group.delete()
    elif taken == "flag off":
        flag.users.clear()
    else:
        assert api.as_(alice).patch("/api/models", {"model_id": "acme/ours", "is_enabled": False}).status_code == 200
    assert listed(ask(four, "/v1/models", key)) == {"acme/open"}
    assert AIModel.objects.count() == 2
