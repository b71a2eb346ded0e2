"""Days of use in any order: people, groups, keys, edits, grants, flags, syncs, and crashes in the middle of them.

Hypothesis chooses the acts; beside the product stands its state as plain Python, and after each act every key is
asked what it sees. `make test-long` takes many more and longer days.
"""

from __future__ import annotations

import fnmatch
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management.color import no_style
from django.db import connection, transaction
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from waffle import get_waffle_flag_model

from apikeys import keys
from apikeys.models import ApiKey
from apikeys.policy import KeyPolicy
from catalog.access.callers import GroupPrincipal
from catalog.editing import entries, grants
from catalog.editing.history import Author
from catalog.models import AccessGrant, AIModel, CatalogVersion
from preferences.models import ModelPreference
from providers.models import Provider
from providers.sync import run as sync
from tests.conftest import Api
from tests.feeds import available, feed, fingerprint, record, saved
from tests.worlds import IS_LONG, seeds

IDS = ["acme/a", "acme/ab", "acme/b", "zeta/a", "zeta/b"]
# One that upstream always lists: a list that is empty, or wholly another, would be held.
ANCHOR = "anchor/a"
PATTERNS = [*IDS, "acme/*", "acme/a*", "*/b", "*"]
PEOPLE = ["alice", "bob"]

ids, people = st.sampled_from(IDS), st.sampled_from(PEOPLE)
patterns = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2, unique=True)
policies = st.one_of(
    st.just({}),
    patterns.map(lambda sent: {"mode": "allow_list", "allowed_models": sent}),
    patterns.map(lambda sent: {"mode": "deny_list", "denied_models": sent}),
)
numbers = st.integers(0, 50)


class Crash(Exception):
    """What the machine dies of in the middle of a write."""


class Days(RuleBasedStateMachine):
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        empty()
        self.users = {name: get_user_model().objects.create_user(name) for name in PEOPLE}
        self.browsers = {name: Api().as_(user) for name, user in self.users.items()}
        self.group = Group.objects.create(name="research")
        self.flag = get_waffle_flag_model().objects.create(name="beta", superusers=False)
        self.author = Author.person(get_user_model().objects.create_user("ops", is_staff=True, is_superuser=True))
        self.provider = Provider.objects.create(slug="openrouter", name="OpenRouter", kind="openrouter")
        # What is, in our own words.
        self.rows: dict[str, dict[str, Any]] = {}
        self.pks: dict[str, int] = {}
        self.listed: dict[str, int] = {}
        self.members: set[str] = set()
        self.holders: set[str] = set()
        self.off: set[tuple[str, str]] = set()
        self.inactive: set[str] = set()
        self.keys: list[dict[str, Any]] = []
        self.take_over({ANCHOR: 1, IDS[0]: 1, IDS[3]: 1})

    # Syncs.

    def take_over(self, listed: dict[str, int]) -> Any:
        answer = feed([record(i, prompt=f"0.00000{price}") for i, price in sorted(listed.items())])
        outcome = sync.sync(self.provider, path=saved(self.folder, answer))
        if outcome.state == "ok":
            self.listed = listed
            for model_id in listed:
                self.rows.setdefault(
                    model_id, {"active": True, "hidden": False, "flag": "", "granted": None, "name": None}
                )
        return outcome

    @rule(chosen=st.sets(ids), price=st.integers(4, 5))
    def upstream_lists_others(self, chosen: set[str], price: int) -> None:
        assert self.take_over({ANCHOR: price} | {model_id: price for model_id in chosen}).state == "ok"

    # Its argument keeps it from being the simplest of all rules, of which a first day would consist.
    @rule(_=numbers)
    def the_same_list_again(self, _: int) -> None:
        before = fingerprint(), CatalogVersion.objects.current()
        assert self.take_over(dict(self.listed)).state == "ok"
        assert (fingerprint(), CatalogVersion.objects.current()) == before

    # Staff.

    def edit(self, model_id: str, **values: Any) -> None:
        entries.edit(AIModel.objects.get(model_id=model_id), values, self.author)

    @rule(number=numbers, field=st.sampled_from(["hidden", "active", "flag", "name"]))
    def staff_edit(self, number: int, field: str) -> None:
        model_id = sorted(self.rows)[number % len(self.rows)]
        present = self.rows[model_id][field]
        value = {"flag": "" if present else "beta", "name": f"By hand {number}"}.get(field, not present)
        self.edit(model_id, **{{"flag": "requires_feature_flag"}.get(field, field): value})
        self.rows[model_id][field] = value

    @rule(number=numbers, principal=st.sampled_from([*PEOPLE, "research", "everyone"]))
    def staff_grant(self, number: int, principal: str) -> None:
        model_id = sorted(self.rows)[number % len(self.rows)]
        row = self.rows[model_id]
        if principal in (row["granted"] or ()):
            grants.take(self.grants_of(model_id, principal), self.author)
            row["granted"].remove(principal)
            return
        kind = {"research": "group", "everyone": "everyone"}.get(principal, "user")
        who = {"user": {"user": self.users.get(principal)}, "group": {"group": self.group}, "everyone": {}}[kind]
        model = AIModel.objects.get(model_id=model_id)
        grants.give(AccessGrant(model=model, principal_type=kind, permission="read", **who), self.author)
        row["granted"] = {*(row["granted"] or ()), principal}

    def grants_of(self, model_id: str, principal: str) -> Any:
        found = AccessGrant.objects.filter(model__model_id=model_id)
        if principal in PEOPLE:
            return found.filter(user=self.users[principal])
        return found.filter(principal_type={"research": "group"}.get(principal, principal))

    @rule(name=people)
    def the_flag_is_given_or_taken(self, name: str) -> None:
        act = self.flag.users.remove if name in self.holders else self.flag.users.add
        act(self.users[name])
        self.holders ^= {name}

    @rule(name=people)
    def somebody_joins_or_leaves(self, name: str) -> None:
        act = self.group.user_set.remove if name in self.members else self.group.user_set.add
        act(self.users[name])
        self.members ^= {name}

    @rule(name=people)
    def somebody_is_switched_off_or_on(self, name: str) -> None:
        self.inactive ^= {name}
        self.users[name].is_active = name not in self.inactive
        self.users[name].save()

    # People and their keys.

    @rule(name=people, policy=policies)
    @precondition(lambda self: len(self.keys) < 4)
    def a_key_is_made(self, name: str, policy: dict[str, Any]) -> None:
        if name in self.inactive:
            return
        answer = self.browsers[name].post("/api/keys", {"name": "k", **policy}, format="json")
        assert answer.status_code == (201 if self.may_be_named(name, policy) else 400), answer.json()
        if answer.status_code == 201:
            self.keys.append({"owner": name, "id": answer.json()["id"], "token": answer.json()["key"], **policy})

    def may_be_named(self, name: str, policy: dict[str, Any]) -> bool:
        """What is denied may be anything: that is told of no model, and narrows."""
        return all("*" in one or self.visible(one, name) for one in policy.get("allowed_models", []))

    @rule(policy=policies)
    @precondition(lambda self: len(self.keys) < 4)
    def a_key_of_the_group_is_made(self, policy: dict[str, Any]) -> None:
        sent = tuple(policy.get("allowed_models", policy.get("denied_models", ())))
        actor = keys.Actor(self.author, is_staff=True)
        if all("*" in one or one in self.rows for one in policy.get("allowed_models", [])):
            of = KeyPolicy(policy.get("mode", "all"), sent)
            issued = keys.create(GroupPrincipal(self.group), {"name": "k"}, of, actor)
            self.keys.append({"owner": "research", "id": issued.key.key_id, "token": issued.token, **policy})

    @rule(number=numbers, what=st.sampled_from(["revoke", "rotate", "change"]), policy=policies)
    @precondition(lambda self: self.keys)
    def a_key_is_changed(self, number: int, what: str, policy: dict[str, Any]) -> None:
        key = self.keys[number % len(self.keys)]
        if key["owner"] == "research" or key["owner"] in self.inactive or key.get("gone"):
            return
        caller, path = self.browsers[key["owner"]], f"/api/keys/{key['id']}"
        if what == "revoke":
            assert caller.delete(path).status_code == 204
            key["gone"] = True
        elif what == "rotate":
            answer = caller.post(f"{path}/rotate", {"overlap_seconds": 0}, format="json")
            assert answer.status_code == 200
            old, key["token"] = key["token"], answer.json()["key"]
            assert Api().with_key(old).get("/v1/models").status_code == 401
        elif policy:
            named = {name: key[name] for name in ("allowed_models", "denied_models") if name in key}
            answer = caller.patch(path, policy, format="json")
            present = set(named.get("allowed_models", ()))
            fresh = {
                name: [one for one in sent if one not in present] if isinstance(sent, list) else sent
                for name, sent in policy.items()
            }
            assert answer.status_code == (200 if self.may_be_named(key["owner"], fresh) else 400), answer.json()
            if answer.status_code == 200:
                for name in ("mode", *named):
                    key.pop(name, None)
                key.update(policy)

    @rule(number=numbers, name=people, on=st.booleans())
    def somebody_switches_a_model(self, number: int, name: str, on: bool) -> None:
        if name in self.inactive:
            return
        model_id = [*IDS, ANCHOR][number % 6]
        answer = self.browsers[name].patch("/api/models", {"model_id": model_id, "is_enabled": on}, format="json")
        assert answer.status_code == (200 if self.visible(model_id, name) else 404)
        if answer.status_code == 200:
            (self.off.discard if on else self.off.add)((name, model_id))

    # Crashes.

    @rule(at=numbers, what=st.sampled_from(["sync", "edit", "switch", "key", "grant"]), number=numbers, name=people)
    def the_machine_dies_in_the_middle(self, at: int, what: str, number: int, name: str) -> None:
        """Of what it did nothing is there; of a sync all, where the catalog was written and the run could not be ended."""
        before = self.everything()
        model_id = sorted(self.rows)[number % len(self.rows)]
        # Once to count what it writes, and back.
        with suppress(Crash), self.dying(0) as written, transaction.atomic():
            self.act(what, model_id, name)
            raise Crash
        if not written:
            return
        with suppress(Crash), self.dying(1 + at % len(written)) as written:
            self.act(what, model_id, name)
        after = self.everything()
        if what == "sync" and available() == {ANCHOR, *IDS[1:4]}:
            self.take_over({ANCHOR: 1} | dict.fromkeys(IDS[1:4], 1))
        else:
            assert after == before, written

    def act(self, what: str, model_id: str, name: str) -> None:
        if what == "sync":
            answer = feed([record(i, prompt="0.000001") for i in [ANCHOR, *IDS[1:4]]])
            sync.sync(self.provider, path=saved(self.folder, answer))
        elif what == "edit":
            self.edit(model_id, name="never stored", active=False)
        elif what == "grant":
            if self.rows[model_id]["granted"]:
                grants.take(AccessGrant.objects.filter(model__model_id=model_id), self.author)
            else:
                model = AIModel.objects.get(model_id=model_id)
                grants.give(AccessGrant(model=model, principal_type="everyone", permission="write"), self.author)
        elif what == "switch":
            body = {"updates": [{"model_id": one, "is_enabled": False} for one in self.rows if self.visible(one, name)]}
            self.browsers[name].patch("/api/models", body, format="json")
        else:
            self.browsers[name].post("/api/keys", {"name": "never"}, format="json")

    def everything(self) -> Any:
        return (
            fingerprint(), CatalogVersion.objects.current(), sorted(ApiKey.objects.values_list("key_id", "patterns", "mode")),
            sorted(ModelPreference.objects.values_list("user", "model", "is_enabled")),
        )  # fmt: skip

    @contextmanager
    def dying(self, at: int) -> Any:
        """The write of this number fails, as one does whose process or database is gone."""
        done: list[str] = []

        def bomb(execute: Any, sql: str, *rest: Any) -> Any:
            if sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
                done.append(sql)
                if len(done) == at:
                    raise Crash
            return execute(sql, *rest)

        with connection.execute_wrapper(bomb):
            yield done

    # What must hold after each act.

    def granted(self, row: dict[str, Any], owner: str) -> bool:
        if row["granted"] is None:
            return True
        principals = {owner, "everyone"} | ({"research"} if owner in self.members else set())
        return bool(principals & row["granted"])

    def visible(self, model_id: str, owner: str) -> bool:
        row = self.rows.get(model_id)
        return (
            row is not None
            and row["active"]
            and not row["hidden"]
            and (not row["flag"] or owner in self.holders)
            and self.granted(row, owner)
        )

    def permitted(self, key: dict[str, Any], model_id: str) -> bool:
        named = any(
            fnmatch.fnmatchcase(model_id, one) for one in key.get("allowed_models", key.get("denied_models", ()))
        )
        return {"all": True, "allow_list": named, "deny_list": not named}[key.get("mode", "all")]

    @invariant()
    def every_key_sees_what_the_rule_says_and_one_that_ended_nothing(self) -> None:
        for key in self.keys:
            caller, owner = Api().with_key(key["token"]), key["owner"]
            answer = caller.get("/v1/models")
            if key.get("gone") or owner in self.inactive:
                assert answer.status_code == 401
                continue
            seen = {one for one in self.rows if self.visible(one, owner) and self.permitted(key, one)}
            usable = {one for one in seen if one in self.listed and (owner, one) not in self.off}
            assert {row["id"] for row in answer.json()["data"]} == usable
            both = caller.get("/api/models").json()
            assert {row["id"] for row in both["catalog"]} == seen
            assert {row["id"] for row in both["models"]} == usable

    @invariant()
    def no_row_is_lost_and_what_was_typed_stands(self) -> None:
        rows = {row.model_id: row for row in AIModel.objects.all()}
        assert set(rows) == set(self.rows)
        for model_id, row in rows.items():
            assert self.pks.setdefault(model_id, row.pk) == row.pk
            assert row.is_available == (model_id in self.listed)
            assert self.rows[model_id]["name"] in (None, row.name)


def empty() -> None:
    """As after each test that commits, but for what migrations made, which takes longer to make again."""
    kept = {"django_content_type", "auth_permission", "django_migrations"}
    tables = sorted(set(connection.introspection.django_table_names(only_existing=True)) - kept)
    connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), tables, allow_cascade=True))


# Committed, so that what servers keep between requests is in use.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", seeds(2, 40))
def test_in_whatever_order_things_are_done_the_promises_hold(tmp_path: Path, number: int):
    Days.folder = tmp_path
    examples, steps = (4, 20) if IS_LONG else (3, 10)
    run_state_machine_as_test(
        seed(number)(Days),
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
