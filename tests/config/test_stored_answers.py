"""config/stored_answers.py: what is sent again is what Django would answer, and only while it is."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import DatabaseError
from django.utils import timezone

from apikeys import authentication, usage
from apikeys.models import ApiKey
from catalog.dialects.registry import DIALECTS
from catalog.models import AccessGrant, AIModel, FieldChange, Tag
from config import asgi, metrics, stored_answers
from config.databases import patience
from preferences.models import ModelPreference
from tests.exchanges import Answer, ask, asked
from tests.worlds import seeds

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("made")]

PATHS = [
    *dict.fromkeys(dialect.address for dialect in DIALECTS if "{" not in dialect.address),
    "/v1/models/acme/one",
    "/api/models",
    "/api/models?format=cli",
    "/api/models/list",
    "/api/models/list?query=one&page_size=1",
    "/api/models/tags",
    "/api/models/acme/one",
    "/api/changes",
]


def fresh(monkeypatch: pytest.MonkeyPatch, path: str, token: str, **headers: str) -> Answer:
    """What Django answers now."""
    with monkeypatch.context() as patch:
        patch.setattr(asgi, "head_of", lambda environ: None)
        return ask(path, token, **headers)


@pytest.mark.parametrize("encoding", ["", "gzip"])
@pytest.mark.parametrize("path", PATHS)
def test_an_answer_is_sent_again_byte_for_byte_and_django_makes_it_once(
    made, alice, make_key, make_model, path, encoding
):
    make_model("acme/one", tags=["fast"], context_length=8192, description="x" * 2000)
    # Used a moment ago, so that nothing is noted between the two.
    token = make_key(alice, last_used_at=timezone.now()).token
    first, second = (ask(path, token, Accept_Encoding=encoding) for _ in range(2))
    assert (first.status, second.shown, len(made)) == (200, first.shown, 1)
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    tag = first.headers["ETag"]
    assert [ask(path, token, If_None_Match=tag).status for _ in range(2)] == [304, 304]
    assert len(made) == 2


def test_each_answer_tells_the_id_of_its_own_request(alice, make_key, make_model):
    make_model("acme/one")
    sent = {"x_api_key": make_key(alice).token, "anthropic_version": "2023-06-01"}
    told = [ask("/v1/models", **sent, X_Request_Id=own).headers for own in ("a", "b", "c")]
    assert [(headers["X-Request-Id"], headers["request-id"]) for headers in told] == [
        ("a", "a"),
        ("b", "b"),
        ("c", "c"),
    ]


@pytest.mark.parametrize("name", sorted(stored_answers.PASSED_OVER))
@pytest.mark.parametrize("path", ["/v1/models", "/api/models/list"])
def test_a_header_that_is_passed_over_makes_no_difference_but_by_its_length(
    monkeypatch, made, alice, make_key, make_model, name, path
):
    make_model("acme/one")
    token, header = make_key(alice, last_used_at=timezone.now()).token, name.removeprefix("HTTP_")
    first = ask(path, token)
    assert ask(path, token, **{header: "203.0.113.9"}).shown == first.shown
    assert len(made) == 1
    assert fresh(monkeypatch, path, token, **{header: "203.0.113.9"}).shown == first.shown
    assert ask(path, token, **{header: "x" * 9000}).status == 431


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Accept_Encoding": "gzip"}, 200),
        ({"Origin": "https://other.example"}, 200),
        ({"Host": "elsewhere.example"}, 400),
        ({"Cookie": "a=b"}, 200),
        ({"If_None_Match": "*"}, 304),
        ({"x_api_key": "mdx_nonsense", "anthropic_version": "1"}, 401),
        ({"Accept": "x" * 2000}, 431),
        ({"Content_Type": "x" * 2000}, 431),
    ],
)
def test_another_head_is_another_request(monkeypatch, made, alice, make_key, make_model, headers, status):
    make_model("acme/one", description="x" * 2000)
    token = make_key(alice, last_used_at=timezone.now()).token
    ask("/v1/models", token)
    found = ask("/v1/models", token, **headers)
    assert (found.status, len(made)) == (status, 2)
    assert found.shown == fresh(monkeypatch, "/v1/models", token, **headers).shown


@pytest.mark.parametrize("sent", [{"method": "HEAD"}, {"Content_Length": "0"}, {"Transfer_Encoding": "chunked"}])
def test_nothing_but_a_plain_get_is_answered_from_what_is_stored(made, alice, make_key, make_model, sent):
    make_model("acme/one")
    token = make_key(alice, last_used_at=timezone.now()).token
    assert [ask("/v1/models", token).status, ask("/v1/models", token, **sent).status] == [200, 200]
    assert len(made) == 2


def test_history_that_is_cut_is_told_of_by_the_next_answer(monkeypatch, alice, make_key, make_model):
    model, now = make_model("acme/one"), timezone.now()
    for n in range(3):
        FieldChange.objects.bulk_create(
            [
                FieldChange(
                    model=model, subject="acme/one", field="name", new=f"{n}", changed_at=now - timedelta(days=900)
                )
            ]
        )
    token = make_key(alice, last_used_at=now).token
    begin = ask("/api/changes?limit=1", token)
    since = f"/api/changes?since={orjson.loads(begin.body)['next']}"
    assert ask(since, token).status == 200
    call_command("prune")
    assert ask(since, token).status == 410
    assert ask("/api/changes?limit=1", token).shown == fresh(monkeypatch, "/api/changes?limit=1", token).shown
    assert ask("/api/changes?limit=1", token, If_None_Match=begin.headers["ETag"]).status == 200


def test_anonymous_answers_refusals_and_what_has_no_tag_are_made_each_time(made, settings, alice, make_key, make_model):
    settings.PUBLIC_CATALOG = True
    make_model("acme/one")
    token = make_key(alice).token
    for path, sent in (("/api/models", ""), ("/v1/models/none", token), ("/api/changes?mine=true", token)):
        made.clear()
        assert len({ask(path, sent).status for _ in range(3)}) == 1
        assert len(made) == 3


def world(make_user, make_model, make_key):
    carol = make_user("carol", groups=["research"])
    group = carol.groups.get()
    models = [
        make_model(f"acme/{n}", tags=["fast"], restricted=n == 2, granted_to=group if n == 2 else ()) for n in range(4)
    ]
    mother = make_key(carol, per_day=10_000)
    tokens = [
        make_key(carol).token,
        make_key(carol, allow=["acme/[0-2]", "mine"]).token,
        make_key(group).token,
        make_key(carol, made_with=mother.key).token,
    ]
    return carol, group, models, mother, tokens


def changes(carol, group, models, mother, hold_flag):
    """What takes sight away, gives it, or changes what is seen."""
    own = ApiKey.objects.filter(user=carol)
    return {
        "a name": lambda chance: edit(models[0], name=f"Name {chance.random()}"),
        "hidden": lambda chance: edit(models[1], hidden=chance.random() < 0.5),
        "off": lambda chance: edit(models[0], active=chance.random() < 0.5),
        "a flag asked for": lambda chance: edit(models[3], requires_feature_flag=chance.choice(["", "beta"])),
        "a flag": lambda chance: hold_flag("beta", *chance.choice([(), (carol,)])),
        "a grant": lambda chance: (
            AccessGrant.objects.filter(model=models[2]).delete()
            if chance.random() < 0.5
            else AccessGrant.objects.get_or_create(model=models[2], principal_type="group", group=group)
        ),
        "a group": lambda chance: carol.groups.set(chance.choice([[], [group]])),
        "a switch": lambda chance: ModelPreference.objects.update_or_create(
            user=carol, model=models[0], defaults={"is_enabled": chance.random() < 0.5}
        ),
        "tags": lambda chance: models[1].tags.set(Tag.named([chance.choice(["fast", "slow"])])),
        "a policy": lambda chance: own.update(mode="allow_list", patterns=[f"acme/[0-{chance.randint(0, 3)}]"]),
        "scopes": lambda chance: own.update(scopes=chance.choice([["models:read"], ["preferences:write"]])),
        "a key": lambda chance: own.update(is_active=chance.random() < 0.7),
        "the key that made one": lambda chance: ApiKey.objects.filter(pk=mother.key.pk).update(
            revoked_at=chance.choice([None, timezone.now()])
        ),
        "an owner": lambda chance: save(carol, is_active=chance.random() < 0.7),
        "a custom model": lambda chance: AIModel.objects.update_or_create(
            model_id="mine", defaults={"name": f"{chance.random()}", "kind": "custom", "owner": carol, "base_model": models[0]}
        ),
    }  # fmt: skip


def edit(model, **fields):
    save(model, **fields)


def save(row, **fields):
    for name, value in fields.items():
        setattr(row, name, value)
    row.save()


@pytest.mark.parametrize("seed", seeds(4, 60))
def test_whatever_changes_what_is_sent_is_what_django_answers(
    monkeypatch, made, make_user, make_model, make_key, hold_flag, seed
):
    chance = random.Random(seed)
    carol, group, models, mother, tokens = world(make_user, make_model, make_key)
    possible = changes(carol, group, models, mother, hold_flag)
    heads = [
        (path, token)
        for path in ("/v1/models", "/v1/models/acme/2", "/api/models", "/api/models/list")
        for token in tokens
    ]
    seen = set()
    for name in chance.choices(list(possible), k=14):
        possible[name](chance)
        for path, token in heads:
            # Twice: the second may be one that was stored a moment ago.
            for _ in range(2):
                found = ask(path, token)
                seen.add(found.status)
                assert found.shown == fresh(monkeypatch, path, token).shown, (name, path)
    assert {200, 404} <= seen


@pytest.mark.parametrize("fields", [{"expires_at": timedelta(hours=1)}, {"previous": timedelta(hours=1)}])
def test_a_key_that_ends_by_the_clock_ends_for_stored_answers(monkeypatch, made, alice, make_key, make_model, fields):
    make_model("acme/one")
    now = timezone.now()
    issued = make_key(alice, last_used_at=now)
    rows = ApiKey.objects.filter(pk=issued.key.pk)
    if "previous" in fields:
        rows.update(previous_hash=issued.key.secret_hash, secret_hash="0" * 64, previous_until=now + fields["previous"])
        rows.update(previous_pepper_id=issued.key.pepper_id)
    else:
        rows.update(expires_at=now + fields["expires_at"])
    assert [ask("/v1/models", issued.token).status for _ in range(2)] == [200, 200]
    assert len(made) == 1
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(hours=2))
    assert ask("/v1/models", issued.token).status == 401


def test_the_use_of_a_key_is_noted_for_stored_answers(monkeypatch, alice, make_key, make_model):
    make_model("acme/one")
    now = timezone.now()
    issued = make_key(alice, last_used_at=now)
    ask("/v1/models", issued.token)
    later = now + usage.EVERY + timedelta(seconds=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    ask("/v1/models", issued.token)
    assert ApiKey.objects.get(pk=issued.key.pk).last_used_at == later


def test_many_at_once_are_asked_about_together_and_each_gets_its_own(
    monkeypatch, made, make_user, make_key, make_model
):
    groups = [Group.objects.create(name=f"group {n}") for n in range(20)]
    for n, group in enumerate(groups):
        make_model(f"acme/{n}", restricted=True, granted_to=group)
    tokens = [make_key(group, last_used_at=timezone.now()).token for group in groups]
    statements: list[int] = []
    rows = authentication._READ_AGAIN.rows
    monkeypatch.setattr(
        authentication._READ_AGAIN, "rows", lambda *ids: (statements.append(len({*ids})), rows(*ids))[1]
    )

    async def many() -> list[Answer]:
        return await asyncio.gather(*(asked("/v1/models", token) for token in tokens))

    first = asyncio.run(many())
    assert (len(made), statements) == (20, [])
    second = asyncio.run(many())
    assert [answer.shown for answer in second] == [answer.shown for answer in first]
    assert len({answer.body for answer in second}) == 20
    assert (len(made), sum(statements)) == (20, 20)
    # The first is asked about at once, and the others while its statement runs.
    assert len(statements) <= 4


@pytest.mark.parametrize("error", [DatabaseError("gone"), ValueError("a fault")])
def test_where_nothing_can_be_asked_django_has_the_last_word(
    monkeypatch, made, caplog, alice, make_key, make_model, error
):
    make_model("acme/one")
    token = make_key(alice, last_used_at=timezone.now()).token

    def fails(*ids: str) -> Any:
        raise error

    assert ask("/v1/models", token).status == 200
    monkeypatch.setattr(authentication._READ_AGAIN, "rows", fails)
    assert (ask("/v1/models", token).status, len(made)) == (200, 2)
    assert ("could not be validated" in caplog.text) == isinstance(error, ValueError)


class Row:
    """A basis whose row is as long as `size`."""

    is_counted = is_held_up = False
    size = 0
    still_hold: Any = None
    count: Any = None


def test_a_database_that_is_silent_is_waited_for_once_by_all_who_ask(monkeypatch, made, alice, make_key, make_model):
    statements: list[int] = []
    told: list[Any] = []

    def is_silent(bases: Any) -> Any:
        statements.append(len(bases))
        time.sleep(0.3)
        waiting: Any = patience.current()
        waiting.give_up(time.monotonic())
        raise DatabaseError

    async def many() -> None:
        validation = stored_answers.Together("a thread", is_silent, lambda: None)
        told.extend(await asyncio.gather(*(validation.said_of(Row()) for _ in range(150))))

    asyncio.run(many())
    assert (statements, told) == ([1], [None] * 150)

    make_model("acme/one")
    token = make_key(alice, last_used_at=timezone.now()).token
    assert ask("/v1/models", token).status == 200
    monkeypatch.setattr(authentication.KeyBasis, "still_hold", is_silent)
    found: list[Any] = []

    def django(environ: dict[str, Any], start_response: Any) -> Any:
        found.append(patience.current())
        start_response("503 Service Unavailable", [("X-Request-Id", "a")])
        return [b""]

    monkeypatch.setattr(asgi, "django", django)
    assert ask("/v1/models", token).status == 503
    assert [waiting.seconds for waiting in found] == [0]


@pytest.mark.parametrize(("body", "header", "row"), [(10_000, 0, 0), (0, 10_000, 0), (0, 0, 10_000)])
def test_what_is_stored_is_bounded(monkeypatch, body, header, row):
    monkeypatch.setattr(stored_answers, "MOST", 100_000)
    monkeypatch.setattr(Row, "size", row)
    store = stored_answers.StoredAnswers()
    for n in range(20):
        store.store(b"%d" % n, stored_answers.Answer(200, [("Link", "x" * header)], b"x" * body, Row()))
    assert [store.get(b"%d" % n) is not None for n in range(20)] == [False] * 13 + [True] * 7
    assert metrics.STORED_BYTES._value.get() <= 100_000
    for answer in (
        stored_answers.Answer(200, [], b"x" * (stored_answers.LARGEST + 1), Row()),
        stored_answers.Answer(200, [], b"x"),
    ):
        store.store(b"other", answer)
        assert store.get(b"other") is None


def test_answers_to_one_key_rest_on_one_row_and_weigh_what_it_holds(alice, make_key, make_model):
    make_model("acme/one")
    token = make_key(alice, allow=[f"acme/{n}*" for n in range(1000)], last_used_at=timezone.now()).token
    for path in ("/v1/models", "/api/models", "/api/models/list"):
        assert ask(path, token).status == 200
    bases: list[Any] = [answer.basis for answer in asgi.load.stored._answers.values()]
    assert len(bases) == 3
    assert len({id(basis.row) for basis in bases}) == 1
    assert bases[0].size > 3 * 9_000


def test_a_stored_answer_is_counted_as_any_other(settings, alice, make_key, make_model):
    settings.METRICS_TOKEN = "a token of some length"
    make_model("acme/one")
    token = make_key(alice, last_used_at=timezone.now()).token
    counted = metrics.REQUESTS.labels("v1/models", "GET", 200)
    before = counted._value.get()
    for _ in range(3):
        ask("/v1/models", token)
    # The first was Django's, whose middleware is not there without the setting at the start.
    assert counted._value.get() == before + 2


def test_no_secret_is_in_what_is_stored(alice, make_key, make_model):
    make_model("acme/one")
    token = make_key(alice).token
    ask("/v1/models", token)
    (head,) = asgi.load.stored._answers
    stored = asgi.load.stored.get(head)
    assert stored is not None
    assert stored.basis is not None
    assert token not in repr((head, stored.headers, stored.basis, stored.body))
