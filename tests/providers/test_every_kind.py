"""providers/adapters: each kind is added, tested, dry-run and synced over a real socket, with and without a key."""

from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse

from catalog.models import AIModel
from providers.adapters import ADAPTERS
from providers.adapters.enricher import Enricher
from providers.connection import credentials
from providers.models import Provider, ProviderModel, SyncRun
from tests import upstreams
from tests.answers import DATA
from tests.upstreams import Upstream

SECRET = "sk-ours-0123456789abcdef"
THREE = {"data": [{"id": f"m{number}", "object": "model"} for number in range(3)]}
VERCEL = {"data": [{"id": "openai/gpt-x", "type": "language", "context_window": 4000, "max_tokens": 100}]}
# What each kind answers, by listing. A new kind of provider has none and fails here.
ANSWERS: dict[str, dict[str, Any]] = {
    "openrouter": {
        "language": "openrouter/models_2026-08-22.json",
        "embeddings": "openrouter/embeddings_models_2026-03-14.json",
    },
    "openai": {"models": "openai/models_2025-07-16.json"},
    "ollama": {"models": "ollama/tags_v0.30plus_2026-07-22.json"},
    "compatible": {"models": THREE},
    "anthropic": {"models": "anthropic/models_handmade_fixture.json"},
    "google": {"models": "local/google_handmade_fixture.json"},
    "mistral": {"models": "local/mistral_handmade_fixture.json"},
    "vercel": {"models": VERCEL},
    "modelsdev": {"models": "modelsdev/api_2026-07-02.json"},
    "litellm": {"models": "litellm/model_prices_1.109.1.json"},
}


@pytest.fixture
def staff(client, ops, settings, upstream):
    settings.PROVIDER_ALLOWED_HOSTS = [upstream.address]
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    return client


def added(staff, upstream: Upstream, kind: str, secret: str = "", **changed: Any) -> Provider:
    """A provider of the kind, entered in the admin, whose upstream answers as recorded."""
    base = upstream.url if kind == "ollama" else f"{upstream.url}/v1"
    for listing, path in ADAPTERS[kind].listings.items():
        payload = ANSWERS[kind][listing]
        found = (DATA / payload).read_bytes() if isinstance(payload, str) else payload
        upstream.serve(f"{base.removeprefix(upstream.url)}{path}".partition("?")[0], found)
    upstream.serve("/api/version", {"version": "0.32.15"})
    upstream.serve("/v1/key", {"data": {"limit_remaining": 1}})
    slug = kind if kind in ("openai", "anthropic", "google", "mistral", "ollama") else f"my-{kind}"
    form = {"slug": slug, "name": kind, "kind": kind, "base_url": base, "precedence": 9, "is_active": "on"}
    answer = staff.post(
        reverse("admin:providers_provider_add"),
        {**form, "new_models_active": "on", "new_credential": secret, **changed},
    )
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    return Provider.objects.get()


@pytest.mark.parametrize("secret", ["", SECRET], ids=["without a credential", "with one"])
@pytest.mark.parametrize("kind", ADAPTERS)
def test_every_kind_is_tested_dry_run_and_synced_with_and_without_a_credential(staff, upstream, kind, secret):
    provider = added(staff, upstream, kind, secret)
    tested = staff.post(reverse("admin:providers_provider_test", args=[provider.pk]), follow=True).content.decode()
    assert "The test failed" not in tested
    shown = staff.post(reverse("admin:providers_provider_dry_run", args=[provider.pk]))
    assert shown.context["outcome"].state == "ok"
    call_command("sync_catalog")
    run = SyncRun.objects.get()
    assert (run.state, run.counts["bad"]) == ("ok", 0)
    assert issubclass(ADAPTERS[kind], Enricher) or run.counts["added"] == AIModel.objects.count() > 0
    name, before = ADAPTERS[kind].credential_style
    sent = {request.headers.get(name.lower()) for request in upstream.requests}
    assert sent == ({before + secret} if secret else {None})


def test_a_kind_without_an_address_of_its_own_has_no_credential_in_the_environment(make_provider, settings):
    settings.COMPATIBLE_API_KEY = SECRET
    assert credentials.of(make_provider("lab", kind="compatible", base_url="http://127.0.0.1:8000/v1")) is None


@pytest.mark.parametrize("kind", ["openai", "anthropic", "google", "mistral"])
def test_a_vendors_own_address_is_left_out_of_the_round_without_a_key(make_provider, kind):
    make_provider(kind)
    make_provider("lab", kind="compatible", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(SystemExit):
        call_command("sync_catalog")
    assert set(SyncRun.objects.values_list("provider__slug", flat=True)) == {"lab"}


@pytest.mark.parametrize(
    ("kind", "path", "sent", "said"),
    [
        ("compatible", "/v1/models", {"data": []}, "The answer of 127.0.0.1 to /v1/models lists no models."),
        ("openai", "/v1/models", {"data": [{"id": "m", "architecture": {}}]},
         "The answer of 127.0.0.1 to /v1/models is none of openai: is that the kind of the provider?"),
        ("google", "/v1/models", {"data": []},
         "The answer of 127.0.0.1 to /v1/models is not an object with a list of models under models."),
        ("ollama", "/v1/api/version", {}, "{}/v1/api/version names no version: the server that answered is not Ollama."),
    ],
)  # fmt: skip
def test_an_answer_of_no_use_is_told_by_host_and_path(staff, upstream, kind, path, sent, said):
    provider = added(staff, upstream, kind, base_url=f"{upstream.url}/v1")
    upstream.serve(path, sent)
    tested = staff.post(reverse("admin:providers_provider_test", args=[provider.pk]), follow=True)
    assert [str(message) for message in tested.context["messages"]][
        -1
    ] == f"The test failed. {said.format(upstream.url)}"


@pytest.mark.parametrize(
    ("kind", "base", "said"),
    [
        (
            "ollama",
            "/v1",
            "127.0.0.1 answered 404 to /v1/api/version; the address of an Ollama host is the bare origin.",
        ),
        ("ollama", "", "127.0.0.1 answered 404 to /api/version."),
        ("compatible", "", "127.0.0.1 answered 404 to /models; the address of such a server usually ends in /v1."),
        ("compatible", "/v1", "127.0.0.1 answered 404 to /v1/models."),
        (
            "compatible",
            "/v1/models",
            "127.0.0.1 answered 404 to /v1/models/models; the address is without the /models at its end: drop that.",
        ),
        ("openrouter", "/v1", "127.0.0.1 answered 404 to /v1/models; the address usually ends in /api/v1."),
    ],
)
def test_a_mistyped_address_is_told_by_its_path_and_what_is_usual(staff, upstream, kind, base, said):
    provider = added(staff, upstream, kind, base_url=f"{upstream.url}{base}")
    upstream._answers.clear()
    tested = staff.post(reverse("admin:providers_provider_test", args=[provider.pk]), follow=True)
    assert [str(message) for message in tested.context["messages"]][-1] == f"The test failed. {said}"
    with pytest.raises(SystemExit):
        call_command("sync_catalog")
    assert SyncRun.objects.get().message.startswith(said.replace("version", "tags"))


def test_a_web_page_in_place_of_a_list_is_told_with_the_hint(staff, upstream):
    provider = added(staff, upstream, "compatible", base_url=upstream.url)
    upstream.on("/models", upstreams.html())
    staff.post(reverse("admin:providers_provider_dry_run", args=[provider.pk]))
    shown = staff.post(reverse("admin:providers_provider_dry_run", args=[provider.pk]))
    assert shown.context["outcome"].message == (
        "The answer of 127.0.0.1 to /models is a web page, not JSON; the address of such a server usually ends in /v1."
    )


@pytest.mark.parametrize(
    "mark",
    [
        "?key=sk-secret",
        "?",
        "#x",
        "?a=b#c",
        "user:pw@",
        "user@",
        "@",
        ";key=sk-secret",
        "%3Fkey=x",
        "/../x",
        "/%2e%2E/x",
    ],
    ids=lambda mark: mark,
)
def test_an_address_takes_no_password_in_its_query_or_before_its_host(staff, upstream, mark):
    url = f"http://{mark}{upstream.address}/v1" if mark.endswith("@") else f"{upstream.url}/v1{mark}"
    form = {"slug": "lab", "name": "Lab", "kind": "compatible", "precedence": 9, "base_url": url}
    page = staff.post(reverse("admin:providers_provider_add"), form)
    assert "base_url" in page.context["adminform"].form.errors
    assert not Provider.objects.exists()


@pytest.mark.parametrize("slug", ["custom", "list", "openrouter-2"])
def test_a_slug_whose_ids_a_route_would_hide_is_refused(staff, upstream, slug):
    """`/api/models/custom/x` is a user's custom model; `/api/models/list/x` is a model."""
    form = {"slug": slug, "name": "Lab", "kind": "compatible", "precedence": 9, "base_url": f"{upstream.url}/v1"}
    staff.post(reverse("admin:providers_provider_add"), form)
    assert Provider.objects.filter(slug=slug).exists() is (slug != "custom")


# Letters.


ENVELOPES = {
    "compatible": lambda name: {"data": [{"id": name}]},
    "openai": lambda name: {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 1, "owned_by": "lab"}],
    },
    "mistral": lambda name: {"data": [{"id": name}]},
    "anthropic": lambda name: {"data": [{"type": "model", "id": name, "display_name": "M"}], "has_more": False},
    "google": lambda name: {"models": [{"name": f"models/{name}"}]},
    "ollama": lambda name: {"models": [{"name": name}]},
}


@pytest.mark.parametrize("kind", ENVELOPES)
@pytest.mark.parametrize("name", ["豆包-pro", "модель:8b", "m\u00e9", "me\u0301"])
def test_a_host_of_its_own_namespace_may_use_letters_of_any_script(make_provider, sync_feed, kind, name):
    lab = make_provider("lab", kind=kind, base_url="http://127.0.0.1:9/v1")
    payload = ENVELOPES[kind](name)
    for state in ("added", "unchanged"):
        outcome = sync_feed(payload, provider=lab)
        assert (outcome.state, outcome.counts[state]) == ("ok", 1)
    assert AIModel.objects.get().model_id == f"lab/{name}".replace("e\u0301", "\u00e9")


@pytest.mark.parametrize("kind", ["compatible", "ollama"])
@pytest.mark.parametrize(
    "name",
    ["a b", "a\u200bb", "a\u202eb", "a\u00a0b", "a\u2028b", "a\ufeffb", "a\nb", "x" * 256, "a\u3164b", "a\ufe0f"],
)
def test_blanks_and_format_characters_are_accepted_nowhere(make_provider, sync_feed, kind, name):
    lab = make_provider("lab", kind=kind, base_url="http://127.0.0.1:9/v1")
    key, field = ("data", "id") if kind == "compatible" else ("models", "name")
    outcome = sync_feed({key: [{field: name}, {field: "good"}]}, provider=lab)
    assert (outcome.state, outcome.counts["bad"]) == ("partial", 1)
    assert [offer.upstream_id for offer in ProviderModel.objects.all()] == ["good"]


@pytest.mark.parametrize("kind", ["openrouter", "openai", "mistral", "anthropic"])
def test_no_look_alike_gets_in_where_vendors_share_entries(make_provider, sync_feed, kind):
    vendor = make_provider(kind)
    author = "acme/" if kind == "openrouter" else ""
    records = [{"id": f"{author}{name}"} for name in ("gpt-4\u043e", "gpt-4", "gpt-3")]
    if kind == "openrouter":
        records = [{**record, "pricing": {}, "canonical_slug": "x"} for record in records]
    outcome = sync_feed({"data": records}, provider=vendor)
    assert (outcome.counts["added"], outcome.counts["bad"]) == (2, 1)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_the_form_names_each_kind_in_words_with_an_address(staff, kind):
    choices = dict(staff.get(reverse("admin:providers_provider_add")).context["adminform"].form.fields["kind"].choices)
    assert choices[kind].partition(", such as ")[2].startswith("http")
    assert choices[kind] != kind
