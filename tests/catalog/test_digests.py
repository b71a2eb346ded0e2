"""catalog/access/digests.py: what an ETag tells beyond its answer."""

import hashlib

import orjson
import pytest
from django.contrib.auth.models import Group

from catalog.access.viewers import Viewer
from catalog.editing.bulk import switch
from catalog.editing.history import Author
from catalog.editing.state import state
from catalog.models import AccessGrant, AIModel, ModelImage

KEYED = [
    "/v1/models",
    "/v1/models/acme%2Flarge",
    "/api/models",
    "/api/models?format=cli",
    "/api/models/list",
    "/api/models/tags",
    "/api/models/acme/large",
    "/api/models/custom/mine",
    "/api/settings",
    "/api/models/openrouter",
    "/api/models/openrouter/embeddings",
    "/api/models/openai",
]
# Digests of nothing but the bytes of the answer.
OF_THE_ANSWER_ALONE = ["/api/schema", "/api/models/custom/mine/image"]


@pytest.fixture
def key(alice, make_model, make_key):
    mine = make_model("mine", owner=alice, base_model=make_model("acme/large"))
    ModelImage.objects.create(model=mine, content_type="image/png", data=b"\x89PNG", digest="0" * 64)
    return make_key(alice).token


def tag(api, key, path):
    answer = api.with_key(key).get(path)
    assert answer.status_code == 200, answer.content
    return answer.headers["ETag"]


@pytest.mark.parametrize("path", [*KEYED, *OF_THE_ANSWER_ALONE])
def test_a_tag_of_more_than_the_answer_depends_on_the_secret_of_the_deployment(api, key, settings, path):
    before = tag(api, key, path)
    settings.SECRET_KEY = "another-secret-0123456789abcdefghijklmnopqrstuvwxyz"
    assert (tag(api, key, path) != before) == (path in KEYED)


@pytest.fixture
def delegated(make_model, alice, bob):
    """A preset of alice's on a model that nobody sees, which bob may read."""
    base = make_model("acme/secret", hidden=True)
    make_model("acme/other", hidden=True)
    return make_model("preset", owner=alice, base_model=base, delegated=True, granted_to=bob)


@pytest.mark.parametrize("hidden", ["base", "grant"])
def test_a_readers_tag_does_not_move_with_what_the_answer_hides(api, bob, ops, delegated, hidden):
    before = api.as_(bob).get("/api/models/preset")
    assert (before.status_code, before.json()["base_model_id"], before.json()["access_grants"]) == (200, None, [])
    if hidden == "base":
        other = AIModel.objects.get(model_id="acme/other")
        switch(AIModel.objects.filter(pk=delegated.pk), "base_model", other, Author.person(ops))
        AIModel.objects.filter(pk=delegated.pk).update(updated_at=delegated.updated_at)
    else:
        group = Group.objects.create(name="research")
        AccessGrant.objects.create(model=delegated, principal_type="group", group=group)
    after = api.as_(bob).get("/api/models/preset")
    assert (after.content, after.headers["ETag"]) == (before.content, before.headers["ETag"])


def test_what_a_writers_tag_hides_cannot_be_guessed_without_the_secret(api, alice, bob, delegated):
    delegated.grants.update(permission="write")
    told = api.as_(bob).get("/api/models/preset").headers["ETag"].strip('"').partition(".")[0]
    row = AIModel.objects.find(Viewer(user_id=bob.pk), "preset")
    guess = [
        row.pk, row.model_id, row.name, row.shown_base, row.params, row.meta, row.description, row.active,
        row.delegated, row.owner_id, row.shown_image, [], [("user", str(bob.pk), "write")],
    ]  # fmt: skip
    data = orjson.dumps(guess, option=orjson.OPT_SORT_KEYS)
    guesses = {
        digest(data, **size).hexdigest()[: len(told)]
        for digest, size in ((hashlib.blake2b, {"digest_size": len(told) // 2}), (hashlib.sha256, {}))
    }
    assert state(row) == told
    assert told not in guesses
