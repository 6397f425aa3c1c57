"""OpenAICompatibleEmbedder: any service with OpenAI's /embeddings endpoint (OpenAI, Ollama, vLLM, TEI, ...).

Protocol and limits: https://platform.openai.com/docs/api-reference/embeddings
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from apps.search.endpoints.endpoint import read_retry_after, require_key, require_url, shorten
from apps.search.endpoints.patience import HURRIED_TIMEOUT, is_hurried
from apps.search.endpoints.pausing import Pause
from apps.search.options.values import require_bool, require_int, require_seconds, require_text

from .base import BaseEmbedder, EmbeddingError, EmbeddingUnavailableError
from .tokenizing import BYTES_PER_TOKEN
from .weights import find_package_file, once_per_process

if TYPE_CHECKING:
    import openai

MAX_INPUTS = 2_048
# A token is at least one byte, so these keep a request below 300,000 tokens and a text below 8,192.
MAX_REQUEST_BYTES = 300_000
DEFAULT_INPUT_BYTES = 8_000

FAULTS_OF_TEXTS = (400, 413, 422)  # answers that may be due to one text; all others concern every text

ADVICE = {
    400: "check model, dimensions, send_dimensions and max_input_bytes",
    401: "check api_key, or the environment variable that api_key_env names",
    403: "check that this api_key may use the model",
    404: "check base_url (most end in /v1) and model",
    413: "lower batch_size or max_input_bytes",
    422: "check model, dimensions, send_dimensions and max_input_bytes",
    429: "the rate limit or the quota is used up: try again later, lower batch_size or raise max_retries",
}


class OpenAICompatibleEmbedder(BaseEmbedder):
    """Asks a service for vectors; retries 408, 409, 429 and 5xx as its Retry-After header says.

    In a hurry (see `patience`) it asks once, waits for 5 seconds, and leaves a service that failed alone.

    Options beside those of BaseEmbedder:

    - `base_url`: address of the API without `/embeddings`, such as `http://localhost:11434/v1`.
    - `model`, `dimensions`: the service's name for the model, and how many numbers its vectors have.
    - `send_dimensions`: ask the service to shorten its vectors to `dimensions`; some services refuse that.
    - `api_key`, or `api_key_env`: the key, or the environment variable that holds it. A service without keys
      takes any.
    - `timeout`: seconds to wait for connection or answer at each attempt, and for all of the body.
    - `max_retries`: attempts after the first.
    - `max_input_bytes`: a text is cut after so many bytes of UTF-8, since services refuse longer ones.
    """

    advice = ADVICE

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        dimensions: int,
        api_key: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        send_dimensions: bool = False,
        query_prefix: str = "",
        document_prefix: str = "",
        timeout: float = 30.0,
        max_retries: int = 3,
        batch_size: int = 128,
        max_input_bytes: int = DEFAULT_INPUT_BYTES,
    ) -> None:
        """Check and keep the options; connects to nothing. Raises ValueError naming the option at fault."""
        require_int("batch_size", batch_size, minimum=1, maximum=MAX_INPUTS)
        super().__init__(query_prefix=query_prefix, document_prefix=document_prefix, batch_size=batch_size)
        self.base_url = require_url(base_url)
        self.model = require_text("model", model)
        self.dimensions = require_int("dimensions", dimensions, minimum=1)
        self.send_dimensions = require_bool("send_dimensions", send_dimensions)
        self.timeout = require_seconds("timeout", timeout)
        self.max_retries = require_int("max_retries", max_retries, minimum=0)
        # At least one character is left of every text: none has more than four bytes.
        self.max_input_bytes = require_int(
            "max_input_bytes", max_input_bytes, minimum=4, maximum=MAX_REQUEST_BYTES
        )
        self.max_words = max(1, self.max_input_bytes // 8)
        self.model_id = f"{self.model}:{self.dimensions}:{self.max_input_bytes}@{self.base_url}"
        self._api_key = require_key(api_key, api_key_env)
        self._get_client = once_per_process(self._open_client)
        self._get_hurried_client = once_per_process(self._open_hurried_client)
        self._pause = Pause()

    @property
    def token_limit(self) -> int:
        """How many estimated tokens of a document are sent beside its prefix, four bytes each."""
        return max(1, (self.max_input_bytes - len(self.document_prefix.encode())) // BYTES_PER_TOKEN)

    def check_requirements(self) -> None:
        find_package_file("openai", "__init__.py", install="openai>=3.54")

    def embed_batch(self, texts: Sequence[str]) -> npt.ArrayLike:
        """Return the service's vectors in the order of the texts, shape (len(texts), dimensions)."""
        cut = [text.encode()[: self.max_input_bytes].decode(errors="ignore") for text in texts]
        return [vector for request in _split(cut) for vector in self._request(request)]

    def _open_client(self) -> "openai.OpenAI":
        import openai  # heavy, and not needed until the first text

        from apps.search.endpoints.timed_answers import limit_body

        return openai.OpenAI(
            base_url=self.base_url,
            api_key=self._api_key,
            timeout=self.timeout,
            max_retries=self.max_retries,
            http_client=openai.DefaultHttpxClient(event_hooks={"response": [limit_body]}),
        )

    def _open_hurried_client(self) -> "openai.OpenAI":
        timeout = min(self.timeout, HURRIED_TIMEOUT)
        return self._get_client().with_options(timeout=timeout, max_retries=0)

    def _request(self, texts: list[str]) -> list[Any]:
        import openai

        dimensions = self.dimensions if self.send_dimensions else openai.omit
        if is_hurried() and (seconds := self._pause.get_seconds()):
            raise self._failure(f"it failed a moment ago and is asked again in {seconds:.0f} s")
        client = self._get_hurried_client() if is_hurried() else self._get_client()
        try:
            answer = client.embeddings.create(
                input=texts, model=self.model, encoding_format="float", dimensions=dimensions
            )
        except (openai.OpenAIError, ValueError) as error:
            reason, status = self._explain(error, client), getattr(error, "status_code", None)
            retry_after = read_retry_after(error)
        else:
            self._pause.end()
            return self._read_vectors(answer, len(texts))
        is_down = status is None or status in (408, 429) or status >= 500
        (self._pause.begin if is_down else self._pause.end)()
        # Raised out here, not chained: the cause may quote the key, and a traceback would print it.
        raise self._failure(reason, status, retry_after)

    def _read_vectors(self, answer: object, count: int) -> list[Any]:
        items = getattr(answer, "data", None)
        if not isinstance(items, list):
            raise self._failure("the answer holds no list 'data': check base_url (most end in /v1)")
        indexes: list[Any] = [getattr(item, "index", None) for item in items]
        if not all(isinstance(index, int) for index in indexes) or sorted(indexes) != list(range(count)):
            expected = f"expected {count} vectors with the indexes 0 to {count - 1}"
            raise self._failure(f"{expected}, got {len(items)} with the indexes {shorten(str(indexes))}")
        items.sort(key=lambda item: item.index)
        return [self._check_length(getattr(item, "embedding", None)) for item in items]

    def _check_length(self, vector: object) -> list[Any]:
        if isinstance(vector, list) and len(vector) == self.dimensions:
            return vector
        got = f"{len(vector)}" if isinstance(vector, list) else f"a {type(vector).__name__}"
        advice = (
            "set dimensions to what the model gives, or send_dimensions if the service can shorten vectors"
        )
        raise self._failure(f"expected vectors of {self.dimensions} numbers, got {got}: {advice}")

    def _explain(self, error: Exception, client: "openai.OpenAI") -> str:
        import openai

        tries = f"tried {client.max_retries + 1} times"
        if isinstance(error, openai.APIStatusError):
            advice = self.advice.get(error.status_code, f"{tries}, the service is at fault: try again later")
            said = shorten(error.message.replace(self._api_key, "***"))
            return f"status {error.status_code}: {advice}. The service said: {said}"
        if isinstance(error, openai.APITimeoutError):
            return f"no answer within {client.timeout} s, {tries}: raise timeout or lower batch_size"
        if isinstance(error, openai.APIConnectionError):
            return f"no connection, {tries}: check base_url and that the service runs"
        return f"an answer that cannot be read ({type(error).__name__}): check base_url (most end in /v1)"

    def _failure(
        self, reason: str, status: int | None = None, retry_after: float | None = None
    ) -> EmbeddingError:
        message = f"{self._describe()}: {reason}"
        if status in FAULTS_OF_TEXTS:
            return EmbeddingError(message, status)
        return EmbeddingUnavailableError(message, retry_after, status)

    def _describe(self) -> str:
        return f"{type(self).__name__} {self.base_url} model {self.model!r}"


def _split(texts: list[str]) -> Iterator[list[str]]:
    request: list[str] = []
    size = 0
    for text in texts:
        length = len(text.encode())
        if request and size + length > MAX_REQUEST_BYTES:
            yield request
            request, size = [], 0
        request.append(text)
        size += length
    yield request
