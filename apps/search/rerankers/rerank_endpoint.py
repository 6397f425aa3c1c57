"""EndpointReranker: any service with a `/rerank` endpoint as Cohere and Jina have it (vLLM, Infinity, ...).

Protocol: https://docs.cohere.com/reference/rerank and https://api.jina.ai/redoc, "rerank".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from apps.search.embedders.weights import once_per_process
from apps.search.endpoints.endpoint import require_key, require_url, shorten
from apps.search.endpoints.pausing import Pause
from apps.search.options.values import is_number, require_int, require_text

from .reranker import BaseReranker, Candidate, Question, RerankError

if TYPE_CHECKING:
    import httpx2


class EndpointReranker(BaseReranker):
    """Asks a service once; one that failed is left alone for ten seconds. Redirects are not followed.

    Options:

    - `base_url`: the address without `/rerank`, such as `https://api.cohere.com/v2`.
    - `model`: the service's name for the model.
    - `api_key`, or `api_key_env`: the key, or the environment variable that holds it. A service without keys
      takes any.
    - `max_text_bytes`: a text is cut after so many bytes of UTF-8.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str | None = None,
        api_key_env: str = "RERANK_API_KEY",
        max_text_bytes: int = 4_000,
    ) -> None:
        """Check and keep the options; connects to nothing. Raises ValueError naming the option at fault."""
        self.base_url = require_url(base_url)
        self.model = require_text("model", model)
        self.max_text_bytes = require_int("max_text_bytes", max_text_bytes, minimum=4)
        self._api_key = require_key(api_key, api_key_env)
        self._get_client = once_per_process(self._open_client)
        self._pause = Pause()

    def __repr__(self) -> str:
        return f"<EndpointReranker {self.base_url} model {self.model!r}>"

    def score(self, question: Question, candidates: Sequence[Candidate], seconds: float) -> npt.ArrayLike:
        if wait := self._pause.get_seconds():
            raise RerankError(f"{self!r}: it failed a moment ago and is asked again in {wait:.0f} s")
        texts = [each.text.encode()[: self.max_text_bytes].decode(errors="ignore") for each in candidates]
        try:
            scores = self._read(self._ask(question.text, texts, seconds), len(texts))
        except RerankError:
            self._pause.begin()
            raise
        self._pause.end()
        return scores

    def _open_client(self) -> "httpx2.Client":
        import httpx2  # heavy, and not needed until the first search

        from apps.search.endpoints.timed_answers import limit_body

        headers = {"Authorization": f"Bearer {self._api_key}"}
        return httpx2.Client(headers=headers, event_hooks={"response": [limit_body]})

    def _ask(self, query: str, texts: list[str], seconds: float) -> Any:
        import httpx2

        asked = {"model": self.model, "query": query, "documents": texts}
        try:
            answer = self._get_client().post(f"{self.base_url}/rerank", json=asked, timeout=seconds)
            if answer.status_code == httpx2.codes.OK:
                return answer.json()
            said = shorten(answer.text.replace(self._api_key, "***"))
            reason = f"status {answer.status_code}, the service said: {said}"
        except httpx2.TimeoutException:
            reason = f"no answer within {seconds:g} s"
        except (httpx2.HTTPError, ValueError) as error:
            reason = f"no answer that can be read ({type(error).__name__}): check base_url"
        # Raised out here, not chained: the cause may quote the key, and a traceback would print it.
        raise RerankError(f"{self!r}: {reason}")

    def _read(self, answer: Any, count: int) -> list[float]:
        items = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise RerankError(f"{self!r}: the answer holds no list 'results': check base_url")
        indexes = [item.get("index") for item in items]
        if not all(isinstance(index, int) for index in indexes) or sorted(indexes) != list(range(count)):
            expected = f"expected {count} results with the indexes 0 to {count - 1}"
            got = f"{len(items)} with the indexes {shorten(str(indexes))}"
            raise RerankError(f"{self!r}: {expected}, got {got}")
        scores = {item["index"]: item.get("relevance_score") for item in items}
        if not all(is_number(score) for score in scores.values()):
            raise RerankError(f"{self!r}: a relevance_score is missing or no number")
        return [scores[index] for index in range(count)]
