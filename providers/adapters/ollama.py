"""Ollama: a machine's own models (https://docs.ollama.com/api/tags, /api/show). Local use costs nothing, which is not
the same as a price of zero, so no price is claimed; cloud models of the same list are marked."""

from typing import Any, ClassVar

from catalog.capabilities import EMBEDDINGS, IMAGE_GENERATION, task_of_name
from providers.adapters import values
from providers.adapters.base import Adapter, count
from providers.adapters.builder import ListingBuilder, mapping
from providers.client.http import UpstreamClient, UpstreamError

# Servers before 0.30 list no capabilities and need one call per model; beyond this many the names decide.
MAX_SHOWS = 200
_PROBLEM_OF_ONE_MODEL = frozenset({"http_status", "malformed", "empty", "too_large"})


class Ollama(Adapter):
    kind = "ollama"
    title = "Ollama on a host of yours"
    default_base_url = "http://localhost:11434"
    listings: ClassVar[dict[str, str]] = {"models": "/api/tags"}
    envelope = "models"

    def fetch(self, client: UpstreamClient, listing: str, credential: str | None = None) -> Any:
        """`/api/tags`, each record of which has `show` (from `/api/show`) added where the list lacks capabilities."""
        payload = super().fetch(client, listing, credential)
        records = mapping(payload).get("models")
        bare = [
            record
            for record in (records if isinstance(records, list) else [])
            if isinstance(record, dict) and "capabilities" not in record and isinstance(record.get("name"), str)
        ]
        stopped = ""
        for record in bare[:MAX_SHOWS]:
            if stopped:
                record["show"] = {"unread": stopped}
                continue
            try:
                shown = client.post_json(
                    self.url("/api/show"),
                    {"model": record["name"]},
                    credential_header=self.credential_header(credential),
                )
            except UpstreamError as error:
                record["show"] = {"unread": error.brief}
                if error.reason not in _PROBLEM_OF_ONE_MODEL:
                    # The server is gone or refuses us: the list that it did send is still good.
                    stopped = error.brief
                continue
            # The rest of the answer (licence, template, tensors) can be megabytes.
            record["show"] = {key: mapping(shown).get(key) for key in ("capabilities", "model_info", "details")}
        return payload

    def looks_like_ours(self, record: dict[str, Any]) -> bool:
        return not {"supportedGenerationMethods", "inputTokenLimit", "key"} & record.keys()

    def sent_id(self, record: dict[str, Any]) -> Any:
        return record.get("name") or record.get("model")

    def read(self, record: dict[str, Any], draft: ListingBuilder, listing: str) -> None:
        show = mapping(record.get("show"))
        if unread := show.get("unread"):
            draft.problems.append(f"capabilities could not be read from /api/show: {unread}")
        info = mapping(show.get("model_info"))
        details = {**mapping(show.get("details")), **mapping(record.get("details"))}
        draft.text("name", draft.upstream_id, values.MAX_NAME)
        draft.text("family", details.get("family"))
        arch = info.get("general.architecture")
        # By its full key: `<arch>.rope.scaling.original_context_length` is another thing.
        draft.put("context_length", details.get("context_length") or info.get(f"{arch}.context_length"), values.whole)
        capabilities = draft.clean("capabilities", record.get("capabilities", show.get("capabilities")), values.words)
        if capabilities is None and info:
            # The server's own rule, for those too old to send capabilities.
            capabilities = ["embedding"] if f"{arch}.pooling_type" in info else None
        if is_embedding_only(draft.upstream_id, capabilities):
            draft.embedding()
            # In a chat model the same key is the hidden size.
            width = details.get("embedding_length") or info.get(f"{arch}.embedding_length")
            draft.put("embedding_dimensions", width, values.whole)
        elif capabilities is not None and "image" in capabilities and "completion" not in capabilities:
            draft.is_for(IMAGE_GENERATION)
        elif capabilities is not None:
            draft.writes_text(images="vision" in capabilities)
            draft.facts["supports_audio"] = "audio" in capabilities
            draft.facts["supports_tools"] = "tools" in capabilities
            draft.facts["supports_reasoning"] = "thinking" in capabilities
        _extras(record, details, draft)

    def probe(self, client: UpstreamClient, credential: str | None = None) -> str:
        """Asks for the version; a server without any model is still a server."""
        header = self.credential_header(credential)
        version = values.text(
            mapping(client.get_json(self.url("/api/version"), credential_header=header)).get("version"), 40
        )
        if not version:
            what = f"{self.url('/api/version')} names no version: the server that answered is not Ollama."
            raise UpstreamError("not_recognised", what, brief="The server that answered is not Ollama.")
        listed = mapping(client.get_json(self.url("/api/tags"), credential_header=header)).get("models")
        return f"Connected to Ollama {version}: {count(len(listed) if isinstance(listed, list) else 0)} listed."


def is_embedding_only(name: str, capabilities: list[str] | None) -> bool:
    """Capabilities decide where they are known; the name does where they are not."""
    if capabilities is not None:
        return "embedding" in capabilities and "completion" not in capabilities
    return task_of_name(name) == EMBEDDINGS


def _extras(record: dict[str, Any], details: dict[str, Any], draft: ListingBuilder) -> None:
    draft.extra("digest", record.get("digest"))
    draft.extra("size_bytes", record.get("size"))
    draft.extra("format", details.get("format"))
    draft.extra("quantization", details.get("quantization_level"))
    draft.extra("parameter_size", details.get("parameter_size"))
    draft.extra("remote_host", record.get("remote_host"))
    if record.get("remote_host") or draft.upstream_id.endswith((":cloud", "-cloud")):
        draft.extras["cloud"] = True
