"""What each page of the admin is called, from its URL conf: one way through titles and the trail above them."""

from __future__ import annotations

import re
from html import unescape

import pytest
from axes.models import AccessAttempt, AccessFailureLog

from tests.test_admin_costs import fill, pages

pytestmark = pytest.mark.django_db
# Of Django, of packages and of columns: words that people here do not use.
RAW = re.compile(
    r" object \(|django-waffle|Axes\b|Access attempt|Attempted Access|Select \w+ to change|Change history|\+00:00"
    r"|probably wasn’t added|Flip this flag|human/computer|[a-z]+_[a-z]+(?=:)|\b1 models are|\b1 see it|\b1 do not"
)


def texts(page: str, pattern: str) -> list[str]:
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", one)).split()) for one in re.findall(pattern, page, re.S)]


def test_each_page_is_named_alike_in_its_title_its_heading_and_the_trail(client, rf, ops):
    client.force_login(ops, backend="django.contrib.auth.backends.ModelBackend")
    request = rf.get("/admin/")
    request.user = ops
    fill(0, 31, ops)
    AccessAttempt.objects.create(username="bob", ip_address="10.0.0.1", user_agent="Firefox", failures_since_start=3)
    AccessFailureLog.objects.create(username="eve", ip_address="10.0.0.1", user_agent="Firefox")
    seen, titles = {}, {}
    for address in pages(request):
        page = client.get(address).content.decode()
        (title,), trail = texts(page, r"<title>(.*?)</title>"), texts(page, r'class="breadcrumbs">(.*?)</div>')
        body = re.sub(r"(?s)<(script|style|svg|pre|textarea|select)\b.*?</\1>", "", page.partition('id="content"')[2])
        found = RAW.findall(f"{title} {trail} {' '.join(texts(body, r'<body>|(.*)'))}")
        if found:
            seen[address] = found
        # Home, the list, the row, the act: an app is no place that people know.
        if trail and trail[0].count(" › ") > 3:
            seen[address] = trail
        if "?" not in address:
            titles.setdefault(title, []).append(address)
    assert seen == {}
    assert {title: where for title, where in titles.items() if len(where) > 1} == {}
