"""What a model is for, where staff, custom models and pickers meet it (catalog/capabilities.py)."""

import pytest
from django.core.management import call_command

from catalog.models import AIModel


def test_a_custom_model_is_for_what_its_base_model_is_for_whatever_it_is_called(make_model, alice):
    whisper = make_model("openai/whisper-1")
    chat = make_model("acme/large")
    assert make_model("ears", owner=alice, base_model=whisper).capabilities == ["transcription"]
    assert make_model("tts-realtime-image", owner=alice, base_model=chat).capabilities == ["chat"]


def test_a_person_may_say_what_a_model_is_for_and_custom_models_follow(api, make_model, alice):
    base = make_model("acme/image-teller")
    make_model("mine", owner=alice, base_model=base)
    assert [row["slug"] for row in api.as_(alice).get("/api/models?format=cli").json()] == []
    call_command("edit_model", "acme/image-teller", "--set", "task=chat")
    assert {row["slug"] for row in api.as_(alice).get("/api/models?format=cli").json()} == {"acme/image-teller", "mine"}
    assert AIModel.objects.get(pk=base.pk).pinned_fields == ["task"]
    found = api.as_(alice).get("/api/models/list?capability=chat").json()["items"]
    assert {item["id"] for item in found} == {"acme/image-teller", "mine"}


def test_a_word_that_is_no_task_is_refused(make_model):
    make_model("acme/large")
    with pytest.raises(Exception, match="task: Value 'magic' is not a valid choice"):
        call_command("edit_model", "acme/large", "--set", "task=magic")


def test_the_default_that_nobody_chose_is_a_chat_model(api, alice, make_model):
    make_model("acme/embed-1", priority=9)
    make_model("acme/tts-1", priority=8)
    make_model("acme/large")
    settings = api.as_(alice).get("/api/settings").json()
    assert (settings["default_model"], settings["default_model_source"]) == ("acme/large", "first_usable")


def test_without_any_chat_model_nothing_is_the_default(api, alice, make_model):
    make_model("acme/tts-1")
    settings = api.as_(alice).get("/api/settings").json()
    assert (settings["default_model"], settings["default_model_source"]) == (None, None)


@pytest.mark.parametrize("word", ["completion", "image_generation", "realtime", "rerank"])
def test_the_admin_finds_models_by_each_task(client, ops, make_model, word):
    make_model("acme/large")
    make_model("acme/other", task=word)
    client.force_login(ops)
    rows = client.get(f"/admin/catalog/aimodel/?capability={word}").context["cl"].result_list
    assert [row.model_id for row in rows] == ["acme/other"]
