"""Google Gemini: https://generativelanguage.googleapis.com/v1beta/models. No prices, no dates."""

from typing import Any, ClassVar
from urllib.parse import quote

from catalog.capabilities import EMBEDDINGS, IMAGE_GENERATION, OTHER, REALTIME, VIDEO_GENERATION, task_of_name
from providers.adapters import values
from providers.adapters.base import Adapter
from providers.adapters.builder import ListingBuilder, mapping
from providers.client.http import UpstreamClient, UpstreamError

_PREFIX = "models/"
_TASKS = (
    ("embedContent", EMBEDDINGS),
    ("embedText", EMBEDDINGS),
    ("bidiGenerateContent", REALTIME),
    ("predictLongRunning", VIDEO_GENERATION),
    ("predict", IMAGE_GENERATION),
)


class Google(Adapter):
    kind = "google"
    title = "Google's Gemini API"
    default_base_url = "https://generativelanguage.googleapis.com/v1beta"
    listings: ClassVar[dict[str, str]] = {"models": "/models?pageSize=1000"}
    # The other way that Google allows, `?key=`, would put the key into every access log on the way.
    credential_style = ("x-goog-api-key", "")
    envelope = "models"

    def get(self, client: UpstreamClient, url: str, credential: str | None) -> Any:
        try:
            return super().get(client, url, credential)
        except UpstreamError as error:
            if error.status == 400:
                # An unusable key is a 400 here, not a 401.
                message = f"{error.message.rstrip('.')}: Google answers so to a credential that it refuses."
                brief = "Google refused the credential (400)."
                raise UpstreamError("unauthorized", message, brief=brief, status=400) from None
            raise

    def next_page(self, page: Any, url: str) -> str | None:
        token = mapping(page).get("nextPageToken")
        if not isinstance(token, str) or not token:
            return None
        return f"{self.url(self.listings['models'])}&pageToken={quote(token, safe='')}"

    def looks_like_ours(self, record: dict[str, Any]) -> bool:
        return str(record.get("name", _PREFIX)).startswith(_PREFIX) and "digest" not in record

    def sent_id(self, record: dict[str, Any]) -> Any:
        name = record.get("name")
        return name.removeprefix(_PREFIX) if isinstance(name, str) else name

    def read(self, record: dict[str, Any], draft: ListingBuilder, listing: str) -> None:
        draft.text("name", record.get("displayName"), values.MAX_NAME)
        draft.text("description", record.get("description"), values.MAX_DESCRIPTION)
        draft.put("context_length", record.get("inputTokenLimit"), values.whole, "inputTokenLimit")
        methods = draft.clean("supportedGenerationMethods", record.get("supportedGenerationMethods"), values.words)
        task = _task(methods or [])
        if task == IMAGE_GENERATION:
            # Music is made by `predict`, too: `lyria-002`.
            task = task_of_name(draft.upstream_id) or task
        if task is not None:
            draft.is_for(task)
        elif methods:
            # `generateContent` makes voices and pictures, too, so that only the name distinguishes these.
            draft.facts["supports_embeddings"] = False
        if task != EMBEDDINGS:
            # Theirs has an outputTokenLimit of 1, which means nothing.
            draft.put("max_output_tokens", record.get("outputTokenLimit"), values.whole, "outputTokenLimit")
        draft.flag("supports_reasoning", record.get("thinking"))
        draft.extra("version", record.get("version"))
        draft.extra("base_model", record.get("baseModelId"))


def _task(methods: list[str]) -> str | None:
    """What the model is for by its methods; None where they leave it open."""
    if not methods or "generateContent" in methods:
        return None
    # Without any of these it answers from given texts (`aqa`), or does what we do not know.
    return next((task for method, task in _TASKS if method in methods), OTHER)
