"""Examples for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

ITEM: dict[str, Any] = {
    "id": "research-helper",
    "kind": "custom",
    "provider": "",
    "user_id": "7",
    "base_model_id": "acme/large",
    "name": "Research helper",
    "params": {"temperature": 0.2, "system": "Answer in two sentences."},
    "meta": {
        "profile_image_url": "/api/models/custom/research-helper/image?v=5f2a8c0d1b3e4f60",
        "description": "Short answers with sources.",
        "capabilities": {"vision": True},
        "tags": ["research"],
    },
    "access_grants": [{"id": "12", "principal_type": "group", "principal_id": "3", "permission": "read"}],
    "is_active": True,
    "delegated": False,
    "write_access": True,
    "user": {"id": "7", "name": "Alice Adams", "email": "alice@example.com"},
    "priority": 0,
    "created_at": 1767225600,
    "updated_at": 1767312000,
    "is_available": True,
    "is_enabled": True,
    "capabilities": ["chat", "vision", "tools"],
    "context_length": 128000,
    "input_modalities": ["text", "image"],
    "output_modalities": ["text"],
    "pricing": {"prompt": "0.0000025", "completion": "0.00001"},
    "tags": ["research"],
}
SENT: dict[str, Any] = {
    "id": "research-helper",
    "name": "Research helper",
    "base_model_id": "acme/large",
    "params": {"temperature": 0.2},
    "meta": {"description": "Short answers with sources.", "tags": ["research"]},
    "access_grants": [{"principal_type": "group", "principal_id": "3", "permission": "read"}],
}
EXPLANATION: dict[str, Any] = {
    "model_id": "acme/large",
    "visible": True,
    "usable": False,
    "decided_by": "enabled",
    "checks": [
        {"check": "active", "ok": True, "detail": "The entry is active."},
        {
            "check": "enabled",
            "ok": False,
            "detail": "It is switched off for this user; PATCH /api/models switches it on.",
        },
    ],
}
CHANGES: dict[str, Any] = {
    "items": [
        {
            "cursor": "1767225600000000-41",
            "at": "2026-01-01T00:00:00Z",
            "model_id": "acme/large",
            "kind": "changed",
            "field": "pricing",
            "old": {"prompt": "0.0000025"},
            "new": {"prompt": "0.000002"},
            "source": "sync",
            "provider": "openrouter",
        },
        {
            "cursor": "1767225600000000-42",
            "at": "2026-01-01T00:00:00Z",
            "model_id": "acme/new",
            "kind": "added",
            "field": None,
            "old": None,
            "new": None,
            "source": "sync",
            "provider": "openrouter",
        },
    ],
    "next": "1767225600000000-42",
}


def answered(name: str, value: Any, status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value, response_only=True, status_codes=[str(status)])


def sent(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, request_only=True)
