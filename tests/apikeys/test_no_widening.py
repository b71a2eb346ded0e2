"""apikeys/policy.py and keys.py: whatever a key says to the API, it and the keys that it makes never come to more than it had."""

from datetime import timedelta

from django.contrib.auth import get_user_model
from django.utils import timezone
from hypothesis import given, settings, strategies
from hypothesis.extra.django import TestCase
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.test import APIClient

from apikeys import keys, tokens
from apikeys.authentication import identified, scopes_of
from apikeys.models import ApiKey, Scope
from apikeys.policy import KeyPolicy, policy_of
from catalog.editing.history import Author
from catalog.models import AIModel

IDS = ["a/x", "a/y", "a/xy", "b/x", "b/y", "c"]
PATTERNS = [*IDS, "a/*", "a/x*", "*/x", "b/*", "*", "c*"]
LONG = 10_000

patterns = strategies.lists(strategies.sampled_from(PATTERNS), max_size=3, unique=True)
policies = strategies.builds(
    KeyPolicy, strategies.sampled_from(["all", "allow_list", "deny_list"]), patterns.map(tuple)
).map(lambda policy: policy if policy.mode != "all" else KeyPolicy("all"))
moments = strategies.sampled_from([1, 5, 9]).map(lambda days: (timezone.now() + timedelta(days)).isoformat())
bodies = strategies.fixed_dictionaries(
    {},
    optional={
        "name": strategies.just("another"),
        "mode": strategies.sampled_from(["all", "allow_list", "deny_list"]),
        "allowed_models": patterns | strategies.none(),
        "denied_models": patterns | strategies.none(),
        "scopes": strategies.lists(strategies.sampled_from(Scope.values), min_size=1, unique=True),
        "per_minute": strategies.sampled_from([None, LONG // 2, LONG, 2 * LONG]),
        "expires_at": moments | strategies.none(),
        "is_active": strategies.just(True),
    },
)
# Who is spoken to: the key itself (0), or one of those that it made; and by whom: itself, or the last that it made.
words = strategies.sampled_from(["create", "change", "change", "rotate"])
calls = strategies.lists(
    strategies.tuples(words, strategies.integers(0, 2), bodies, strategies.booleans()), min_size=1, max_size=6
)


class Rights:
    """What the key behind a text comes to at this moment; nothing where it is refused."""

    def __init__(self, text):
        try:
            key = identified(tokens.parse(text)).key
        except AuthenticationFailed:
            self.models, self.scopes, self.per_minute, self.expires_at = set(), frozenset(), 0, timezone.now()
            return
        chain = [key, key.made_with] if key.made_with else [key]
        self.models = {model for model in IDS if policy_of(key).allows(model)}
        self.scopes = scopes_of(key)
        self.per_minute = min(link.per_minute or 10**9 for link in chain)
        self.expires_at = min(link.expires_at or timezone.now() + timedelta(999) for link in chain)

    def __le__(self, other):
        return (
            self.models <= other.models
            and self.scopes <= other.scopes
            and self.per_minute <= other.per_minute
            and self.expires_at <= other.expires_at
        )


class NoWidening(TestCase):
    @classmethod
    def setUpTestData(cls):
        AIModel.objects.bulk_create([AIModel(model_id=text, name=text) for text in IDS])
        cls.alice = get_user_model().objects.create_user("alice")

    @settings(max_examples=60, deadline=None)
    @given(policies, strategies.sets(strategies.sampled_from(Scope.values)), calls)
    def test_no_sequence_of_calls_by_a_key_widens_it_or_makes_a_wider_one(self, policy, scopes, sequence):
        until = timezone.now() + timedelta(5)
        issued = keys.create(
            self.alice, {"name": "k"}, KeyPolicy("all"), keys.Actor(Author.person(self.alice), is_staff=True)
        )
        ApiKey.objects.filter(pk=issued.key.pk).update(
            mode=policy.mode, patterns=list(policy.patterns), scopes=[*scopes, "keys:write"], per_minute=LONG,
            expires_at=until,
        )  # fmt: skip
        texts, before = {issued.key.key_id: issued.token}, Rights(issued.token)
        for what, which, body, by_made in sequence:
            ids = list(texts)
            caller = APIClient(headers={"authorization": f"Bearer {texts[ids[-1 if by_made else 0]]}"})
            target = f"/api/keys/{ids[which % len(ids)]}"
            if what == "create":
                answer = caller.post("/api/keys", {"name": "made"} | body)
            elif what == "rotate":
                answer = caller.post(f"{target}/rotate", {})
            else:
                answer = caller.patch(target, body)
            assert answer.status_code in (200, 201, 400, 401, 403, 404, 409)
            if "key" in (answer.json() or {}):
                texts[answer.json()["id"]] = answer.json()["key"]
            assert all(Rights(text) <= before for text in texts.values())
