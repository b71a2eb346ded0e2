"""A seal over what a page showed before a wide action, which is done only while it would do exactly that."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare, salted_hmac

# The field of a form that carries the seal.
FIELD = "_seal"

CHANGED = (
    "Nothing was changed: it would not do what you were shown. The form was changed after its preview, or somebody "
    "else or a sync came between. Look at what it would do now."
)


def seal(request: HttpRequest, *shown: Any) -> str:
    """A signature of what is shown to this person: the action, the form as they sent it, and its whole effect."""
    text = json.dumps([request.user.pk, *shown], sort_keys=True, default=str)
    return salted_hmac("catalog.admin.previews", text, algorithm="sha256").hexdigest()


def holds(request: HttpRequest, *shown: Any) -> bool:
    """Whether the request confirms exactly this."""
    return constant_time_compare(request.POST.get(FIELD, ""), seal(request, *shown))
