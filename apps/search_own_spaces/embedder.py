"""OwnEndpointEmbedder: an OpenAI-compatible service that a tenant named, asked with the tenant's key."""

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apps.search.embedders import EmbeddingError, OpenAICompatibleEmbedder
from apps.search.embedders.openai_compatible import ADVICE
from apps.search_own_spaces.encryption import UndecryptableError, decrypt

if TYPE_CHECKING:
    import openai

NO_KEY = "none"
BYTES_A_NUMBER = 64  # in JSON, indented
SPARE_BYTES = 100_000

REDIRECT = "it redirects, which is not followed: give the address it leads to as base_url"


class WrongLengthError(EmbeddingError):
    """The service's vectors have another length than `dimensions`."""


class OwnEndpointEmbedder(OpenAICompatibleEmbedder):
    """Asks an endpoint through GuardedTransport; the rest is OpenAICompatibleEmbedder's.

    `encrypted_key` is what `encryption.encrypt` made of the key for `key_purpose`, "" for a service that
    wants none. It is decrypted when the first text is embedded, so that a key that cannot be read is an
    EmbeddingError, and options, settings and caches never hold it in the clear.
    """

    advice = (
        ADVICE
        | {401: "check the key", 403: "check that the key may use the model"}
        | dict.fromkeys((301, 302, 303, 307, 308), REDIRECT)
    )

    def __init__(self, *, encrypted_key: str, key_purpose: Sequence[str], **options: Any) -> None:
        """Check and keep the options; connects to nothing. Raises ValueError naming the option at fault.

        By default it asks once: a worker that waited between tries would keep other tenants waiting.
        """
        super().__init__(api_key=NO_KEY, **{"max_retries": 0} | options)
        self._encrypted_key = encrypted_key
        self._key_purpose = tuple(key_purpose)

    def _open_client(self) -> "openai.OpenAI":
        import httpx2
        import openai

        from apps.search_own_spaces.transport import GuardedTransport

        key = ""
        if self._encrypted_key:
            try:
                key = decrypt(self._encrypted_key, *self._key_purpose)
            except UndecryptableError as error:
                raise self._failure(f"its key cannot be read, give it again. {error}") from None
        self._api_key = key or NO_KEY  # blanked out of what the service says
        max_bytes = self.batch_size * self.dimensions * BYTES_A_NUMBER + SPARE_BYTES
        transport = GuardedTransport(self.base_url, key=key, max_bytes=max_bytes)
        # Embedders of tenants are forgotten in time, with their connections.
        weakref.finalize(self, transport.close)
        return openai.OpenAI(
            base_url=self.base_url,
            api_key=NO_KEY,
            timeout=self.timeout,
            max_retries=self.max_retries,
            http_client=httpx2.Client(transport=transport, trust_env=False, follow_redirects=False),
        )

    def _request(self, texts: list[str]) -> list[Any]:
        from apps.search_own_spaces.transport import RefusedRequestError

        try:
            return super()._request(texts)
        except RefusedRequestError as error:
            raise self._failure(str(error)) from None

    def _check_length(self, vector: object) -> list[Any]:
        if isinstance(vector, list) and len(vector) != self.dimensions:
            raise WrongLengthError(f"its vectors have {len(vector)} dimensions, not {self.dimensions}")
        return super()._check_length(vector)

    def _explain(self, error: Exception, client: "openai.OpenAI") -> str:
        import openai

        reason = super()._explain(error, client)
        if isinstance(error, openai.APIConnectionError) and not isinstance(error, openai.APITimeoutError):
            return f"{reason} ({error.__cause__})"
        return reason

    def _describe(self) -> str:
        return f"{self.base_url}, model {self.model!r}"
