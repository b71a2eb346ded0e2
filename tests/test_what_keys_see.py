"""No key sees or changes a model outside its policy and its owner's sight, on any route that can name a model.

Random worlds, each asked through the API and compared with the rule as it is written a second time here, model by
model, without a line of catalog/access/rules.py. One example is one route's word on one model for
one key; `make test-long` gives more than 100,000 on each database.
"""

from __future__ import annotations

import fnmatch
import random
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone
from waffle import get_waffle_flag_model

from apikeys import tokens
from apikeys.models import ApiKey
from catalog.dialects.registry import DIALECTS
from catalog.models import AccessGrant, AIModel
from preferences.models import ModelPreference, Profile
from providers.lists import cache, items
from providers.models import Provider
from tests.worlds import seeds

MODELS, ALIASES, CUSTOM, KEYS, SINGLES = 52, 10, 16, 12, 2
NOW = timezone.now()
# Ids that differ in case, in one character, and in what a pattern language may take for special.
STEMS = (
    "gpt-4.1",
    "gpt-4x1",
    "GPT-4.1",
    "gpt_4.1",
    "gpt%4",
    "large[1]",
    "large1",
    "a?c",
    "abc",
    "é",
    "x:free",
    "x~y",
    "b",
    "b*",
    "b.1",
    "b-1",
)


@dataclass
class World:
    models: list[AIModel] = field(default_factory=list)
    keys: list[tuple[str, ApiKey]] = field(default_factory=list)
    groups_of: dict[int, set[int]] = field(default_factory=dict)
    flags_of: dict[int, set[str]] = field(default_factory=dict)
    grants: dict[int, list[AccessGrant]] = field(default_factory=dict)
    preferences: dict[tuple[int, int], bool] = field(default_factory=dict)
    no_new_since: dict[int, Any] = field(default_factory=dict)
    examples: int = 0

    def entry(self, model_id: str) -> AIModel | None:
        return next((m for m in self.models if m.model_id == model_id and m.kind == "catalog"), None)


def make_world(seed: int) -> World:
    chance, world = random.Random(seed), World()
    groups = [Group.objects.create(name=f"group {n}") for n in range(3)]
    users = [get_user_model().objects.create(username=f"user{n}", email=f"u{n}@example.com") for n in range(4)]
    for user in users:
        held = chance.sample(groups, chance.randint(0, 2))
        user.groups.set(held)
        world.groups_of[user.pk] = {group.pk for group in held}
        since = NOW - timedelta(days=5) if chance.random() < 0.3 else None
        Profile.objects.create(user=user, no_new_since=since)
        world.no_new_since[user.pk] = since
        world.flags_of[user.pk] = set()
    for name in ("beta", "gamma", "experimental_models"):
        flag = get_waffle_flag_model().objects.create(name=name, superusers=False)
        for user in chance.sample(users, 2):
            flag.users.add(user)
            world.flags_of[user.pk].add(name)

    def row(model_id: str, **fields: Any) -> AIModel:
        return AIModel(
            model_id=model_id,
            name=model_id,
            active=chance.random() < 0.85,
            hidden=chance.random() < 0.1,
            experimental=chance.random() < 0.15,
            requires_feature_flag=chance.choice(["", "", "", "", "beta", "gamma", "gone"]),
            restricted=chance.random() < 0.3,
            enabled_by_default=chance.random() < 0.8,
            supported_in_api=chance.random() < 0.9,
            priority=chance.choice([0, 0, 0, 5, -1]),
            # Formats of prices alone show what has some.
            pricing={"prompt": "0.000001", "completion": "0.000002"},
            created_at=NOW - timedelta(days=chance.choice([1, 10])),
            **fields,
        )

    ids = [f"{author}/{stem}" for author in ("acme", "Acme", "zeta", "beta") for stem in STEMS]
    world.models = AIModel.objects.bulk_create(
        # What replaces it may be out of sight, or not there.
        row(model_id, is_available=chance.random() < 0.85, successor=chance.choice(["", *ids]))
        for model_id in chance.sample(ids, MODELS)
    )
    entries = [model.model_id for model in world.models]
    aliases = [f"~acme/{n}" for n in range(ALIASES)]
    # Of entries and of aliases, later ones too: in chains, in circles, of themselves, of nothing.
    world.models += AIModel.objects.bulk_create(
        row(
            alias,
            is_available=chance.random() < 0.85,
            alias_of=chance.choice([*chance.sample(entries, 6), *aliases[:4], "acme/gone"]),
        )
        for alias in aliases
    )
    for n in range(CUSTOM):
        # The later ones may be built upon the earlier; at most three in a chain.
        low = [m for m in world.models if m.kind == "catalog" or m.base_model is None or m.base_model.kind == "catalog"]
        custom = row(
            f"custom{n}",
            kind="custom",
            owner=chance.choice([*users, None]),
            base_model=chance.choice([*low, *low, None]),
            delegated=chance.random() < 0.2,
        )
        custom.save()
        world.models.append(custom)
    for model in world.models:
        principals: list[Any] = ["everyone", *groups, *users]
        for principal in chance.sample(principals, chance.choice([0, 0, 1, 2])) if model.restricted else []:
            grant = AccessGrant(model=model, permission=chance.choice(["read", "write"]))
            if principal == "everyone":
                grant.principal_type = "everyone"
            elif isinstance(principal, Group):
                grant.principal_type, grant.group = "group", principal
            else:
                grant.principal_type, grant.user = "user", principal
            grant.save()
            world.grants.setdefault(model.pk, []).append(grant)
    for user in users:
        for model in chance.sample(world.models, 8):
            world.preferences[user.pk, model.pk] = chance.random() < 0.5
    ModelPreference.objects.bulk_create(
        ModelPreference(user_id=user, model_id=model, is_enabled=on) for (user, model), on in world.preferences.items()
    )
    names = [model.model_id for model in world.models]
    for _ in range(KEYS):
        patterns = [
            *chance.sample(names, chance.randint(0, 6)),
            *chance.sample(["acme/*", "*/gpt-4.1*", "*gpt?4*", "*[1]*", "custom*", "*", "a*e/*1", "*:free", "~*"], 2),
        ]
        token = tokens.make()
        key = ApiKey.objects.create(
            key_id=token.key_id,
            user=chance.choice(users),
            name="key",
            hint=token.hint,
            secret_hash=token.digest(tokens.newest_pepper()),
            pepper_id=tokens.newest_pepper(),
            mode=chance.choice(["all", "allow_list", "allow_list", "deny_list"]),
            patterns=patterns,
            scopes=["models:read", "preferences:write", "custom_models:write"],
        )
        world.keys.append((token.text, key))
    return world


# One that upstream lists and the catalog has no entry of: the key's policy alone decides on it.
UNLISTED = "upstream/only"


def list_upstream(world: World) -> None:
    """As if OpenRouter had listed every catalog entry of the world a moment ago, and one more."""
    provider = Provider.objects.create(slug="openrouter", name="OpenRouter", kind="openrouter")
    ids = [UNLISTED, *(model.model_id for model in world.models if model.kind == "catalog")]
    cache.store(provider, "language", [items.item(id_, id_, name=id_, facts={}, pricing={}) for id_ in ids])


def matched(pattern: str, model_id: str) -> bool:
    """The policy's pattern by another's code: fnmatch, with all but the star made literal."""
    literal = "".join(f"[{c}]" if c in "?[" else c for c in pattern)
    return fnmatch.fnmatchcase(model_id, literal)


class Oracle:
    """Section 4 of the design, in its own words."""

    def __init__(self, world: World, key: ApiKey) -> None:
        self.world, self.key, self.user = world, key, key.user_id

    def granted(self, model: AIModel, permissions: tuple[str, ...] = ("read", "write")) -> bool:
        return any(
            grant.permission in permissions
            and (
                grant.principal_type == "everyone"
                or grant.user_id == self.user
                or grant.group_id in self.world.groups_of[self.user]
            )
            for grant in self.world.grants.get(model.pk, [])
        )

    def permitted(self, model: AIModel) -> bool:
        return self.permits(model.model_id)

    def target_seen(self, model: AIModel, links: int = 3) -> bool:
        """Whether what an alias stands for is not denied; an allow list that names the alias is content with that."""
        if model.kind == "custom" or not model.alias_of:
            return True
        target = self.world.entry(model.alias_of)
        return (
            links > 0
            and target is not None
            and self.passes(target, permitted=self.key.mode == "allow_list" or self.permitted(target))
            and self.target_seen(target, links - 1)
        )

    def permits(self, model_id: str) -> bool:
        named = any(matched(pattern, model_id) for pattern in self.key.patterns)
        return {"all": True, "allow_list": named, "deny_list": not named}[self.key.mode]

    def passes(self, model: AIModel, *, active: bool = True, permitted: bool | None = None) -> bool:
        flags = self.world.flags_of[self.user]
        readable = model.owner_id == self.user or self.granted(model)
        if model.kind == "catalog" and not model.restricted:
            readable = True
        return (
            (model.active or not active)
            and not model.hidden
            and (not model.requires_feature_flag or model.requires_feature_flag in flags)
            and (not model.experimental or "experimental_models" in flags)
            and readable
            and (self.permitted(model) if permitted is None else permitted)
        )

    def base_seen(self, model: AIModel) -> bool:
        if model.kind == "catalog":
            return True
        return model.base_model is not None and (model.delegated or self.visible(model.base_model))

    def visible(self, model: AIModel) -> bool:
        return self.passes(model) and self.target_seen(model) and self.base_seen(model)

    def found(self, model: AIModel) -> bool:
        own = model.kind == "custom" and (model.owner_id == self.user or self.granted(model, ("write",)))
        return self.visible(model) or (own and self.passes(model, active=False) and self.base_seen(model))

    def available(self, model: AIModel) -> bool:
        if model.kind == "custom":
            return model.base_model is not None and self.available(model.base_model)
        return model.is_available

    def enabled(self, model: AIModel) -> bool:
        own = self.world.preferences.get((self.user, model.pk))
        if own is not None:
            return own
        since = self.world.no_new_since[self.user]
        return model.enabled_by_default and (since is None or model.created_at <= since)

    def usable(self, model: AIModel) -> bool:
        return self.visible(model) and self.available(model) and self.enabled(model)


def names(models: list[AIModel]) -> set[str]:
    return {model.model_id for model in models}


def searched(model: AIModel) -> str:
    """What a search looks at; who may use a delegated custom model need not know what it is built on."""
    named = [model.base_model.model_id] if model.base_model and not model.delegated else []
    return " ".join([model.model_id, *named])


def check_names(world: World, rows: list[dict[str, Any]], oracle: Oracle) -> None:
    """What a model stands for or is built on is named only to those who see that one."""
    by_id = {model.model_id: model for model in world.models}
    for row in rows:
        model = by_id[row["id"]]
        target = by_id.get(model.alias_of) if model.kind == "catalog" else None
        assert row.get("alias_of") == (target.model_id if target and oracle.visible(target) else None), row
        successor = by_id.get(model.successor)
        assert row.get("successor") == (successor.model_id if successor and oracle.visible(successor) else None), row
        if row.get("base_model_id"):
            assert oracle.visible(by_id[row["base_model_id"]]), row


def check_lists(world: World, caller: Any, token: str, oracle: Oracle) -> None:
    def expected(holds: Any) -> set[str]:
        world.examples += len(world.models)
        return names([model for model in world.models if holds(model)])

    rows = caller.get("/v1/models").json()["data"]
    assert {row["id"] for row in rows} == expected(lambda m: oracle.usable(m) and m.supported_in_api)
    check_dialects(world, caller, token, expected(lambda m: oracle.usable(m) and m.supported_in_api))
    both = caller.get("/api/models").json()
    assert {row["id"] for row in both["catalog"]} == expected(oracle.visible)
    assert {row["id"] for row in both["models"]} == expected(oracle.usable)
    check_names(world, both["catalog"] + both["models"], oracle)
    picked = caller.get("/api/models", {"format": "cli"}).json()
    assert {row["slug"] for row in picked} == expected(
        lambda m: oracle.visible(m) and oracle.available(m) and world.preferences.get((oracle.user, m.pk)) is not False
    )
    listed = caller.get("/api/models/openrouter").json()["data"]
    assert listed["source"] == "api"
    beside = {UNLISTED} if oracle.permits(UNLISTED) else set()
    assert {row["id"] for row in listed["models"]} == beside | expected(
        lambda m: m.kind == "catalog" and oracle.visible(m)
    )
    page = caller.get("/api/models/list", {"page_size": 200}).json()
    assert {row["id"] for row in page["items"]} == expected(oracle.found)
    assert page["total"] == len(page["items"])
    check_names(world, page["items"], oracle)
    found = caller.get("/api/models/list", {"page_size": 200, "query": "4"}).json()
    assert {row["id"] for row in found["items"]} == expected(lambda m: oracle.found(m) and "4" in searched(m))


def texts(body: Any) -> set[str]:
    """Every text in an answer, the names of properties too."""
    if isinstance(body, dict | list):
        return set(body if isinstance(body, dict) else ()).union(
            *map(texts, body.values() if isinstance(body, dict) else body)
        )
    return {body} if isinstance(body, str) else set()


def check_dialects(world: World, caller: Any, token: str, usable: set[str]) -> None:
    """Whatever a dialect calls its fields, the ids among its texts are those of `/v1/models`: all, and no other."""
    for dialect in DIALECTS:
        address = dialect.address.replace("{token}", token)
        if "{provider}" in address:
            found = by_provider(world, caller, address)
        else:
            answer = caller.get(address, headers=dict(dialect.headers))
            assert answer.status_code == 200
            found = {text.removeprefix("models/") for text in texts(answer.json())}
        assert found & names(world.models) == usable, dialect.name
        world.examples += len(world.models)


def by_provider(world: World, caller: Any, address: str) -> set[str]:
    """The ids of a format that has a file for each provider, and in it the rest of each id."""
    found = set()
    for provider in {model.model_id.partition("/")[0] for model in world.models if "/" in model.model_id}:
        models = caller.get(address.replace("{provider}", quote(provider))).json()["models"]
        found |= {f"{provider}/{rest}" for rest in models}
    return found | set(caller.get(address.replace("{provider}", "user")).json()["models"])


def check_successor(world: World, model: AIModel, answer: Any, oracle: Oracle) -> None:
    """What replaces a model is named, in a header or in the message of a 404, to those alone who see both."""
    successor = world.entry(model.successor) if model.kind == "catalog" else None
    seen = successor is not None and oracle.visible(model) and oracle.visible(successor)
    if answer.status_code == 200:
        assert ("Link" in answer) is seen, model
    else:
        message = answer.json()["error"]["message"]
        assert ("replaces it" in message) is (seen and not oracle.available(model)), model


def levels(model: AIModel) -> int:
    return 1 if model.kind == "catalog" or model.base_model is None else 1 + levels(model.base_model)


def check_singles(world: World, caller: Any, oracle: Oracle, chance: random.Random) -> None:
    for model in chance.sample(world.models, SINGLES):
        path, visible = quote(model.model_id, safe=""), oracle.visible(model)
        shown = oracle.usable(model) and model.supported_in_api
        world.examples += 5
        answer = caller.get(f"/v1/models/{path}")
        assert (answer.status_code == 200) is shown, model
        check_successor(world, model, answer, oracle)
        detail = caller.get(f"/api/models/{path}")
        assert (detail.status_code == 200) is oracle.found(model), model
        if detail.status_code == 200:
            check_names(world, [detail.json()], oracle)
        explained = caller.get("/api/models/access", {"model_id": model.model_id})
        assert explained.status_code == (200 if oracle.found(model) else 404), model
        if explained.status_code == 200:
            told = SimpleNamespace(**explained.json())
            assert (told.visible, told.usable) == (visible, oracle.usable(model)), told
        same = oracle.enabled(model)
        written = caller.patch("/api/models", {"model_id": model.model_id, "is_enabled": same})
        assert written.status_code == (200 if visible else 404), model
        if visible:
            world.preferences[oracle.user, model.pk] = same
        if oracle.key.mode == "all":  # the new id of a preset, too, must be in a list
            sent = {"name": "A preset", "base_model_id": model.model_id}
            made = caller.post("/api/models/custom", {**sent, "id": f"a-preset-{world.examples}"})
            fits = oracle.usable(model) and levels(model) < 3
            assert made.status_code == (201 if fits else 400), (model, made.json())
            if fits:
                assert caller.delete(f"/api/models/custom/a-preset-{world.examples}").status_code == 204
        default = caller.patch("/api/settings", {"default_model": model.model_id})
        assert default.status_code == (200 if oracle.usable(model) else 400), model


@pytest.mark.django_db
@pytest.mark.parametrize("seed", seeds(5, 20))
def test_every_route_shows_a_key_exactly_what_the_rule_says(api, make_export, seed, settings):
    settings.OPENROUTER_API_KEY = "a credential of ours"
    world, chance = make_world(seed), random.Random(seed)
    list_upstream(world)
    for text, key in world.keys:
        caller, oracle = api.with_key(text), Oracle(world, key)
        check_lists(world, caller, make_export(key), oracle)
        check_singles(world, caller, oracle, chance)
    assert world.examples > 5_000
