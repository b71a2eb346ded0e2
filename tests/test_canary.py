"""The sweep of tests/canary.py finds what leaks."""

import logging

import pytest
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path

from apikeys import tokens
from tests.canary import Sweep

LEAK = {"text": ""}


def leaking(request) -> HttpResponse:
    return HttpResponse(
        f"the key is {LEAK['text']}", headers={"X-Hint": LEAK["text"] if "header" in request.GET else ""}
    )


def issuing(request) -> HttpResponse:
    return HttpResponse(tokens.make().text)


urlpatterns = [path("leaking", leaking), path("issuing", issuing)]


@override_settings(ROOT_URLCONF="tests.test_canary")
@pytest.mark.parametrize("query", ["", "?header"])
@pytest.mark.parametrize("secret", ["key", "password"])
def test_a_secret_in_an_answer_is_found(client, sweep: Sweep, make_user, secret, query):
    make_user("carol")
    LEAK["text"] = tokens.make().text if secret == "key" else "carol's long password"
    client.get(f"/leaking{query}")
    assert sweep.leaks
    sweep.leaks.clear()


@override_settings(ROOT_URLCONF="tests.test_canary")
@pytest.mark.django_db
def test_a_key_may_stand_in_the_answer_that_makes_it_and_in_no_later_one(client, sweep: Sweep):
    LEAK["text"] = client.get("/issuing").content.decode()
    assert LEAK["text"].startswith("mdx_")
    assert sweep.leaks == []
    client.get("/leaking")
    assert len(sweep.leaks) == 1
    sweep.leaks.clear()


def test_a_secret_in_a_log_line_is_found_unless_the_log_masks_it(sweep: Sweep):
    text = tokens.make().text
    logging.getLogger("anything").warning("got %s", text)
    assert sweep.leaks == []  # masked by the formatter
    sweep.hide("an odd secret of a provider")
    logging.getLogger("anything").warning("got an odd secret of a provider")
    assert sweep.leaks
    sweep.leaks.clear()
