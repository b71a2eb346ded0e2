"""catalog/admin/log.py: one log of all that was done, in sentences, by act."""

import pytest
from django.contrib.auth.models import Group, Permission

from catalog.admin import log
from catalog.editing import entries
from catalog.editing.history import Author, audit, change_row
from catalog.models import AuditEntry, FieldChange, Tag
from providers.models import Provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


def acts(staff, **query):
    return staff.get("/admin/log/", query).context["acts"]


def told(act):
    return f"{act.who} {act.told} {act.name}".strip(), [f"{line.subject} {line.text}".strip() for line in act.lines]


def synced(run, *rows):
    author = Author.sync(run, "openrouter")
    FieldChange.objects.bulk_create([change_row(author, *row) for row in rows])


def test_acts_are_sentences_and_the_newest_is_first(staff, ops, make_model):
    model = make_model("acme/x", context_length=8192)
    entries.edit(model, {"context_length": 4096, "name": "X"}, Author.person(ops))
    prices = {"prompt": "0.00000095"}, {"prompt": "0.00000108"}
    synced(4, ("acme/x", "pricing", *prices), ("acme/y", "is_available", True, False))
    audit(Author.person(ops), Tag.objects.create(name="fast"), "added", {"name": [None, "fast"], "id": [None, 1]})
    assert [told(act) for act in acts(staff)][:3] == [
        ("ops made tag fast", ["name: fast; id: 1"]),
        ("run 4 of openrouter changed 2 fields of 2 models",
         ["acme/y available: yes to no", "acme/x prompt $0.95 to $1.08 (+14 %)"]),
        ("ops changed 2 fields of acme/x", ["acme/x name: x to X", "acme/x context length: 8,192 to 4,096"]),
    ]  # fmt: skip
    page = staff.get("/admin/log/").content.decode()
    assert '<a href="/admin/providers/syncrun/4/change/">Run 4 of openrouter</a>' in page
    assert f'href="/admin/catalog/aimodel/{model.pk}/history/"' not in page


def test_what_a_switch_of_a_provider_did_to_models_is_one_act_with_it(staff, ops, make_model):
    acme, author = Provider.objects.create(slug="acme", name="Acme"), Author.person(ops)
    rows = [
        change_row(author, name, "is_available", True, False, model=make_model(name)) for name in ("acme/x", "acme/y")
    ]
    FieldChange.objects.bulk_create(rows)
    audit(author, acme, "disable models", {"count": [None, 2]})
    (act,) = acts(staff)
    assert (act.who, act.told, act.name, len(act.rows), act.more) == ("ops", act.rows[0].done, "acme", 3, 0)
    assert [line.text for line in act.lines][1:] == ["available: yes to no"] * 2
    assert act.lines[0].text.endswith("changed 2 fields of 2 models")
    assert "acme/y" in staff.get("/admin/log/").content.decode()
    assert staff.get("/admin/log/").context["older"] == ""


def test_new_entries_are_told_as_added(staff, ops):
    entries.create({"model_id": "acme/new", "name": "New", "context_length": 8192}, Author.person(ops))
    synced(5, ("acme/y", "created", None, "acme/y"), ("acme/y", "name", "", "Y"), ("acme/z", "created", None, "acme/z"))
    assert [(act.who, act.told, act.name) for act in acts(staff)] == [
        ("run 5 of openrouter", "added 2 models", ""),
        ("ops", "added", "acme/new"),
    ]


def test_a_key_is_told_with_the_name_of_its_owner(staff, alice, make_key):
    make_key(alice)
    (act,) = acts(staff, kind="apikey")
    assert (act.told, act.name.partition(" (")[0], act.whose) == ("made key", "a key", "alice")
    assert act.lines[0].text.startswith("every model; scopes: ")
    make_key(Group.objects.create(name="research"))
    act = acts(staff, kind="apikey")[0]
    assert act.whose == "research"
    assert " for research</span>" in staff.get("/admin/log/?kind=apikey").content.decode()


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"mode": "allow_list", "patterns": ["minimax/*", "a/b"], "per_minute": 2}, "minimax/*, a/b, 2 a minute"),
        ({"mode": "allow_list", "patterns": []}, "no model"),
        (
            {"mode": "deny_list", "patterns": ["a/*"], "per_day": 1000, "is_active": False},
            "all but a/*, 1,000 a day, off",
        ),
        ({"mode": "deny_list", "patterns": []}, "every model"),
        ({"expires_at": "2098-01-31T18:00:07.123+00:00"}, "every model, until 2098-01-31 18:00"),
    ],
)
def test_a_new_key_is_one_sentence(staff, ops, alice, make_key, made, words):
    key = make_key(alice).key
    AuditEntry.objects.all().delete()
    audit(Author.person(ops), key, "create", {name: [None, value] for name, value in {"name": "k", **made}.items()})
    (act,) = acts(staff, kind="apikey")
    assert [line.text for line in act.lines] == [words]


def test_the_log_names_pinned_fields_as_people_know_them(staff, ops, make_model):
    model = make_model("acme/x", context_length=8192)
    entries.edit(model, {"context_length": 4096}, Author.person(ops))
    entries.release(model, ["context_length"], Author.person(ops))
    assert told(acts(staff, who="ops")[0])[1] == ["acme/x pinned fields: context length to empty"]


def test_times_in_the_log_have_one_form(staff, ops, alice, make_key):
    key = make_key(alice).key
    AuditEntry.objects.all().delete()
    times = ["2098-01-31T18:00:07.123456+00:00", "2099-01-31T18:00:00+00:00"]
    audit(Author.person(ops), key, "change", {"expires_at": times})
    assert told(acts(staff)[0])[1] == ["expires at: 2098-01-31 18:00 to 2099-01-31 18:00"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, 3),
        ({"who": "ops"}, 2),
        ({"who": "openrouter"}, 1),
        ({"object": "acme/x"}, 2),
        ({"object": "fast"}, 1),
        ({"kind": "sync"}, 1),
        ({"kind": "person"}, 1),
        ({"kind": "tag"}, 1),
        ({"kind": "provider"}, 0),
        ({"since": "2020-01-01"}, 3),
        ({"until": "2020-01-01"}, 0),
    ],
)
def test_the_log_is_filtered_by_person_object_kind_and_date(staff, ops, make_model, query, expected):
    model = make_model("acme/x")
    FieldChange.objects.all().delete()
    AuditEntry.objects.all().delete()
    entries.edit(model, {"name": "Other"}, Author.person(ops))
    synced(4, ("acme/x", "context_length", 1, 2))
    audit(Author.person(ops), Tag.objects.create(name="fast"), "added")
    assert len(acts(staff, **query)) == expected


def test_nothing_is_left_out_between_pages(staff, ops, monkeypatch):
    monkeypatch.setattr(log, "ACTS", 4)
    monkeypatch.setattr(log, "ROWS", 10)
    FieldChange.objects.all().delete()
    AuditEntry.objects.all().delete()
    for run in range(6):
        synced(run + 1, *((f"acme/m{n}", "context_length", run, n) for n in range(7)))
        audit(Author.person(ops), Tag.objects.create(name=f"t{run}"), "added")
    seen, query = [], ""
    for _ in range(40):
        context = staff.get(f"/admin/log/?{query}").context
        seen += [(type(row), row.pk) for act in context["acts"] for row in act.rows]
        if not (query := context["older"]):
            break
    assert (len(seen), len(set(seen))) == (48, 48)
    assert set(seen) == {
        *((FieldChange, pk) for pk in FieldChange.objects.values_list("pk", flat=True)),
        *((AuditEntry, pk) for pk in AuditEntry.objects.values_list("pk", flat=True)),
    }


def test_the_log_asks_little_however_long_it_is(staff, ops, django_assert_max_num_queries):
    for run in range(60):
        synced(run + 1, *((f"acme/m{n}", "context_length", run, n) for n in range(20)))
    with django_assert_max_num_queries(12):
        assert len(acts(staff)) == log.ACTS


@pytest.mark.parametrize(("codename", "kinds"), [("view_fieldchange", 1), ("view_auditentry", 1), ("view_tag", None)])
def test_each_part_of_the_log_asks_for_its_right(client, ops, make_user, codename, kinds):
    synced(4, ("acme/x", "context_length", 1, 2))
    AuditEntry.objects.all().delete()
    audit(Author.person(ops), Tag.objects.create(name="fast"), "added")
    sam = make_user("sam", is_staff=True)
    sam.user_permissions.add(Permission.objects.get(codename=codename))
    client.force_login(sam, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.get("/admin/log/")
    assert answer.status_code == (200 if kinds else 403)
    assert not kinds or len(answer.context["acts"]) == kinds


@pytest.mark.parametrize("query", ["since=x", "until=9999-12-31", "f=x&a=-1", "kind=%F0%9F%A6%8A", "until=0001-01-01"])
def test_an_address_that_somebody_mistyped_is_no_error(staff, query):
    assert staff.get(f"/admin/log/?{query}").status_code == 200


def test_the_log_of_a_thing_holds_also_what_was_done_under_another_name(staff, db):
    tag = Tag.objects.create(name="fast")
    staff.post(f"/admin/catalog/tag/{tag.pk}/change/", {"name": "quick"})
    staff.post(f"/admin/catalog/tag/{tag.pk}/change/", {"name": "swift"})
    page = staff.get(f"/admin/catalog/tag/{tag.pk}/change/").content.decode()
    assert f'href="/admin/log/?kind=tag&amp;id={tag.pk}"' in page
    found = acts(staff, kind="tag", id=tag.pk)
    assert [told(act) for act in found] == [
        ("ops changed tag swift", ["name: quick to swift; key: quick to swift"]),
        ("ops changed tag quick", ["name: fast to quick; key: fast to quick"]),
    ]


def test_a_page_of_an_object_leads_to_its_part_of_the_log(staff, make_model):
    model = make_model("acme/a b")
    page = staff.get(f"/admin/catalog/aimodel/{model.pk}/change/").content.decode()
    assert 'href="/admin/log/?object=acme%2Fa%20b"' in page
