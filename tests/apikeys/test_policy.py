"""Which ids a policy allows, by itself and on the database."""

import re
import time

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings, strategies
from hypothesis.extra.django import TestCase

from apikeys.policy import MAX_PATTERNS, MAX_STARS, MAX_WILD, Conjunction, KeyPolicy, chosen, problems_of
from catalog.db import lookups
from catalog.models import AIModel
from catalog.validation import model_ids
from tests.machine import seconds

# Few characters, so that patterns meet ids: every sign that GLOB, LIKE or a regular expression gives a meaning.
SIGNS = "aAbé/?[]^-_%\\.:(+$|'"
IDS = [
    "a", "A", "b", "aa", "ab", "aA", "a/b", "a/B", "b/a", "aab", "aba", "a?b", "a[b]", "[ab]", "a_b", "a%b", "a\\b",
    "\\", "%", "_", "?", "[", "]", "^a", "a-b", "é", "É", "a.b", ".*", "(a+)+$", "a'b", "a:b", "[^a]", "a]b", "aéb",
]  # fmt: skip
texts = strategies.text(alphabet=SIGNS + "*", min_size=1, max_size=6).filter(lambda text: text.count("*") <= MAX_STARS)
policies = strategies.builds(
    KeyPolicy,
    strategies.sampled_from(["all", "allow_list", "deny_list", "unheard_of"]),
    strategies.lists(texts | strategies.sampled_from(IDS), max_size=4).map(tuple),
)


class OnTheDatabase(TestCase):
    @classmethod
    def setUpTestData(cls):
        AIModel.objects.bulk_create([AIModel(model_id=text, name=text) for text in IDS])

    @settings(max_examples=300, deadline=None)
    @given(policies)
    def test_a_policy_decides_alike_in_the_process_and_on_the_database(self, policy):
        found = set(AIModel.objects.filter(policy.condition("model_id")).values_list("model_id", flat=True))
        assert found == {text for text in IDS if policy.allows(text)}

    @settings(max_examples=50, deadline=None)
    @given(policies, policies)
    def test_so_do_two_at_once(self, first, second):
        both = Conjunction((first, second))
        found = set(AIModel.objects.filter(both.condition("model_id")).values_list("model_id", flat=True))
        assert found == {text for text in IDS if first.allows(text) and second.allows(text)}


@settings(max_examples=1000, deadline=None)
@given(strategies.lists(texts, min_size=1, max_size=4), texts.map(lambda text: text.replace("*", "a")))
def test_an_expression_of_patterns_names_what_one_of_them_matches(patterns, text):
    found = re.match(lookups.expression(patterns), text) is not None
    assert found == any(lookups.matches(pattern, text) for pattern in patterns)


@settings(max_examples=1000, deadline=None)
@given(policies, policies, strategies.lists(texts.map(lambda text: text.replace("*", "a")), max_size=20))
def test_a_policy_said_to_be_within_another_allows_nothing_besides(inner, outer, more):
    if inner.is_within(outer):
        assert all(outer.allows(text) for text in [*IDS, *more] if inner.allows(text))


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        (KeyPolicy("all"), KeyPolicy("all")),
        (KeyPolicy("allow_list", ("acme/x*", "acme/y")), KeyPolicy("allow_list", ("acme/*",))),
        (KeyPolicy("allow_list"), KeyPolicy("allow_list", ("acme/x",))),
        (KeyPolicy("deny_list", ("acme/*", "b")), KeyPolicy("deny_list", ("acme/x*",))),
        (KeyPolicy("allow_list", ("b",)), KeyPolicy("deny_list", ("acme/*",))),
    ],
)
def test_narrower_is_recognised_and_wider_is_not(inner, outer):
    assert inner.is_within(outer)
    assert inner == outer or not outer.is_within(inner)


@pytest.mark.parametrize("pattern", ["openai/gpt-4.1*", "openai/gpt-[4]", "(a+)+$", ".*"])
def test_only_the_star_is_special(pattern):
    policy = KeyPolicy("allow_list", (pattern,))
    assert policy.allows(pattern.replace("*", "-mini"))
    for other in ("openai/gpt-4x1-secret", "openai/gpt-4", "aaaa", "anything"):
        assert not policy.allows(other)


def test_an_allow_list_of_nothing_allows_nothing():
    assert not KeyPolicy("allow_list").allows("acme/x")


@pytest.mark.parametrize(
    "entry", ["", " ", 5, None, {}, [], True, "a" * 256, "a b", "a\u0000", "a\u200b", "e\u0301", "*a" * (MAX_STARS + 1)]
)
def test_an_entry_that_cannot_stand_is_named_by_position(entry):
    assert set(problems_of(["acme/x", entry])) == {1}
    with pytest.raises(ValidationError) as refusal:
        chosen(None, {"allowed_models": ["acme/x", entry]})
    assert set(refusal.value.message_dict) == {"allowed_models.1"}


def test_a_repeated_entry_and_too_many_are_refused():
    assert set(problems_of(["a", "b", "a"])) == {2}
    for entries in ([f"a{n}" for n in range(1001)], [f"a{n}*" for n in range(MAX_WILD + 1)]):
        with pytest.raises(ValidationError, match=r"(?i)at most"):
            chosen(None, {"denied_models": entries})


ALL, ALLOW, DENY = KeyPolicy("all"), KeyPolicy("allow_list", ("a",)), KeyPolicy("deny_list", ("a",))


@pytest.mark.parametrize(
    ("current", "sent", "wanted"),
    [
        (None, {}, ALL),
        (None, {"allowed_models": None}, ALL),
        (None, {"allowed_models": []}, ALL),
        (None, {"allowed_models": ["a"]}, ALLOW),
        (None, {"denied_models": ["a"]}, DENY),
        (None, {"allowed_models": ["a"], "denied_models": None}, ALLOW),
        (None, {"mode": "allow_list", "allowed_models": []}, KeyPolicy("allow_list")),
        (ALL, {"allowed_models": ["a"]}, ALLOW),
        (ALL, {"allowed_models": None}, ALL),
        (ALLOW, {}, ALLOW),
        (ALLOW, {"denied_models": None}, ALLOW),
        (ALLOW, {"mode": "allow_list"}, ALLOW),
        (ALLOW, {"mode": "allow_list", "allowed_models": []}, KeyPolicy("allow_list")),
        (ALLOW, {"mode": "all", "allowed_models": []}, ALL),
        (ALLOW, {"mode": "all"}, ALL),
        (ALLOW, {"mode": "deny_list", "denied_models": ["a"]}, DENY),
        (DENY, {"allowed_models": ["a"]}, ALLOW),
        (DENY, {"allowed_models": None}, DENY),
    ],
)
def test_what_is_sent_gives_this_policy(current, sent, wanted):
    assert chosen(current, sent) == wanted


@pytest.mark.parametrize(
    ("current", "sent", "field"),
    [
        (None, {"allowed_models": ["a"], "denied_models": ["b"]}, "denied_models"),
        (None, {"allowed_models": [], "denied_models": []}, "denied_models"),
        (None, {"mode": "allow_list"}, "allowed_models"),
        (None, {"mode": "allow_list", "allowed_models": None}, "allowed_models"),
        (None, {"mode": "all", "allowed_models": ["a"]}, "allowed_models"),
        (None, {"mode": "deny_list", "allowed_models": ["a"]}, "denied_models"),
        (ALLOW, {"allowed_models": []}, "allowed_models"),
        (ALLOW, {"allowed_models": None}, "allowed_models"),
        (ALLOW, {"denied_models": ["b"]}, "denied_models"),
        (ALLOW, {"denied_models": []}, "denied_models"),
        (DENY, {"denied_models": []}, "denied_models"),
        (DENY, {"denied_models": None}, "denied_models"),
        (DENY, {"allowed_models": []}, "allowed_models"),
    ],
)
def test_what_is_unclear_or_would_give_a_list_up_unsaid_is_refused(current, sent, field):
    with pytest.raises(ValidationError) as refusal:
        chosen(current, sent)
    assert set(refusal.value.message_dict) == {field}


def test_what_must_be_sought_at_every_place_of_an_id_is_bounded():
    """Whatever the ids are: with 200 such patterns of 255 characters one id took 8 ms."""
    sought = ["*" + "a" * 30 + "*" + "a" * 30 + f"*b*{n}" for n in range(50)]
    with pytest.raises(ValidationError, match="between two stars"):
        chosen(None, {"denied_models": sought})
    most = chosen(None, {"denied_models": [*sought[:6], *(f"acme{n}/*-mini" for n in range(MAX_WILD - 6))]})
    began = time.process_time()
    for n in range(100):
        assert most.allows("a" * 250 + f"{n:04d}")
    assert time.process_time() - began < seconds(0.1)


def test_thirty_stars_are_refused_and_the_most_that_may_stand_answer_soon():
    assert problems_of(["*a" * 30])
    slow = KeyPolicy("allow_list", ("a*" * MAX_STARS + "b",))
    assert not slow.allows("a" * model_ids.MAX_LENGTH)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/models/list", "/api/models/acme/m7", "/api/models/tags", "/v1/models"])
def test_a_key_with_the_longest_list_answers_nearly_as_soon_as_one_without(api, alice, make_key, path):
    AIModel.objects.bulk_create(AIModel(model_id=f"acme/m{n}", name=str(n), is_available=True) for n in range(421))
    longest = [f"other{n}/*-x*" for n in range(MAX_WILD)] + [f"other/m{n}" for n in range(MAX_PATTERNS - MAX_WILD)]
    plain, listed = (api.with_key(make_key(alice, deny=deny).token) for deny in (None, longest))

    def spent(caller):
        AIModel.objects.filter(model_id="acme/m3").update(name="another")
        began = time.process_time()
        assert caller.get(path).status_code == 200
        return time.process_time() - began

    for caller in (plain, listed):
        spent(caller)
    assert min(spent(listed) for _ in range(5)) < 3 * min(spent(plain) for _ in range(5)) + seconds(0.005)
