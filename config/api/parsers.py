"""JSON as it may come in: UTF-8, no duplicate keys, nothing that a database or a client cannot hold."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils.module_loading import import_string
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType, ValidationError
from rest_framework.parsers import BaseParser

MAX_DEPTH = 100
MAX_ENTRIES = 20_000

_FAULTS = {
    "too_many": f"The body holds more than {MAX_ENTRIES} values.",
    "too_deep": f"The body is nested more than {MAX_DEPTH} levels deep.",
    "bad_character": "A text in the body holds U+0000, which cannot be stored.",
}


def _refusal(code: str, what: str) -> APIException:
    if code == "duplicate_key":
        return ValidationError(f"The key {what} stands twice in one object.", code=code)
    return ParseError(_FAULTS.get(code, "The body is not valid JSON."))


class StrictJSONParser(BaseParser):
    """Raises ParseError (400) for what is no JSON, UnsupportedMediaType (415) for a coding, RequestDataTooBig (413)."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        request = (parser_context or {})["request"]
        if coding := request.headers.get("Content-Encoding"):
            raise UnsupportedMediaType(coding[:64], "Send the body without a content coding.")
        charset = request.content_params.get("charset", "utf-8") if hasattr(request, "content_params") else "utf-8"
        if charset.lower() not in ("utf-8", "utf8"):
            raise ParseError("Send the body as UTF-8.")
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        # One that announces so much has not come this far: config/api/security.py.
        if len(data := stream.read(limit + 1)) > limit:
            raise RequestDataTooBig
        return import_string(settings.STRICT_JSON)(
            data,
            _refusal,
            # Texts hold commas and brackets too, but not so many.
            max_marks=10 * MAX_ENTRIES,
            max_depth=MAX_DEPTH,
            max_entries=MAX_ENTRIES,
            storable=True,
        )
