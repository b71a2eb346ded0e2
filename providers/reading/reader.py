"""Reads a provider, or one of its answers saved to disk, and checks the answer, without a transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings

from providers.adapters import ADAPTERS
from providers.client.echoed_credentials import masked
from providers.client.http import UpstreamClient, UpstreamError, strict_loads
from providers.connection import credentials, endpoints
from providers.connection.sealing import CredentialError
from providers.models import Provider
from providers.reading import claims
from providers.reading.namespaces import Namespace, owns_namespace
from providers.reading.records import ParsedListing, checked


class Reader:
    """One provider's listings, through its adapter."""

    def __init__(self, provider: Provider, client: UpstreamClient | None = None) -> None:
        self.provider = provider
        if provider.kind not in ADAPTERS:
            raise UpstreamError("unknown_kind", f"No adapter reads providers of kind {provider.kind}.")
        self.adapter = ADAPTERS[provider.kind](
            endpoints.base_url(provider),
            provider.slug,
            any_script=owns_namespace(provider.kind, provider.slug),
        )
        self.client = client or UpstreamClient(
            allowed_hosts=settings.PROVIDER_ALLOWED_HOSTS, trusted_origins=endpoints.trusted_for(provider)
        )
        self.sent_credential = False
        self.namespace = Namespace(provider, claims.private())

    @property
    def listings(self) -> list[str]:
        return list(self.adapter.listings)

    def fetch(self, listing: str) -> ParsedListing:
        """Raises UpstreamError, also for a listing without a single record, and CredentialError."""
        payload = self.answer(listing)
        try:
            return self.parse(payload, listing)
        except UpstreamError as error:
            raise error.located(self.adapter.place(listing)) from None

    def answer(self, listing: str) -> Any:
        """What upstream answers for a listing, not yet parsed. Raises UpstreamError and CredentialError."""
        credential = self._credential()
        try:
            return self.adapter.fetch(self.client, listing, credential)
        except UpstreamError as error:
            raise endpoints.hinted(error, self.provider) from None

    def probe(self) -> str:
        """Tries the connection and returns a sentence on what was found. Raises UpstreamError and CredentialError."""
        credential = self._credential()
        try:
            return self.adapter.probe(self.client, credential)
        except UpstreamError as error:
            raise endpoints.hinted(error, self.provider).located(self.adapter.place(self.listings[0])) from None

    def _credential(self) -> str | None:
        if not self.adapter.base_url:
            raise UpstreamError("no_address", f"Provider {self.provider.slug} has no address: set its base URL.")
        credential = credentials.of(self.provider)
        self.sent_credential = credential is not None
        return credential

    def from_file(self, path: Path) -> ParsedListing:
        """An answer saved to disk. Raises UpstreamError where it is none of this provider's, and OSError."""
        payload = strict_loads(path.read_bytes())
        listing = self.adapter.recognise(payload)
        if listing is None:
            # The parser's message names what is wrong with it.
            self.adapter.parse(payload, self.listings[0])
            raise UpstreamError("not_recognised", f"This is no answer of {self.provider.kind}.")
        return self.parse(masked(payload, self._secret()), listing)

    def _secret(self) -> str:
        """The secret that upstream may have sent back into the file; "" where there is none or it cannot be read."""
        try:
            return credentials.of(self.provider) or ""
        except (CredentialError, UpstreamError):
            return ""

    def parse(self, payload: Any, listing: str) -> ParsedListing:
        if other := claims.rival(self.provider):
            raise UpstreamError(
                "slug_taken",
                f"The ids that begin with {self.provider.slug}/ are those of {other}: "
                "delete this provider, and add it under another slug.",
            )
        if model_id := claims.foreign_entry(self.provider):
            raise UpstreamError(
                "slug_taken",
                f"There is a model {model_id} that this provider has never listed: "
                "delete this provider, and add it under a slug without models.",
            )
        answer = self.adapter.parse(payload, listing)
        parsed = checked(listing, answer.listings, answer.bad, self.namespace)
        if not parsed.total:
            raise UpstreamError.of_answer("empty", "lists no model at all.")
        return parsed
