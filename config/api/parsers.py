"""JSON as it may come in: UTF-8, no duplicate keys, nothing that a database or a client cannot hold."""

import json
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError, UnsupportedMediaType, ValidationError
from rest_framework.parsers import BaseParser

MAX_DEPTH = 100
MAX_ENTRIES = 20_000


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValidationError(f"The key {key[:64]!r} stands twice in one object.", code="duplicate_key")
        found[key] = value
    return found


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
        # Told by its commas and brackets before anything is parsed; texts hold some too, but not so many.
        if len(data) - len(data.translate(None, b",[{")) > 10 * MAX_ENTRIES:
            raise ParseError(f"The body holds more than {MAX_ENTRIES} values.")
        try:
            orjson.loads(data)  # strict about NaN, UTF-8, lone surrogates and depth, and fast to say so
            value = json.loads(data, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise ParseError("The body is not valid JSON.") from error
        self._bound(value)
        return value

    @staticmethod
    def _bound(value: Any) -> None:
        entries = 0
        pending = [(value, 1)]
        while pending:
            item, depth = pending.pop()
            if isinstance(item, str):
                if "\x00" in item:
                    raise ParseError("A text in the body holds U+0000, which cannot be stored.")
                continue
            if depth > MAX_DEPTH:
                raise ParseError(f"The body is nested more than {MAX_DEPTH} levels deep.")
            if isinstance(item, dict):
                pending.extend((key, depth) for key in item)
                inner = list(item.values())
            elif isinstance(item, list):
                inner = item
            else:
                continue
            entries += len(inner)
            if entries > MAX_ENTRIES:
                raise ParseError(f"The body holds more than {MAX_ENTRIES} values.")
            pending.extend((part, depth + 1) for part in inner)
