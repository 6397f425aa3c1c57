"""A local server with a /rerank endpoint, which counts shared words, and misbehaves when told to."""

from tests.embedders.stub_server import StubServer

KEY = "rk-very-secret-0123456789"


class RerankServer(StubServer):
    """Answers POST /v1/rerank as Cohere and Jina do; what is put into its queue comes first."""

    def respond(self, path, request):
        self.requests.append(request)
        if path != "/v1/rerank":
            return 404, {"message": f"no such path: {path}"}, {}
        try:
            return self._answers.popleft()(request)
        except IndexError:
            return 200, {"results": rank(request)}, {}

    def answer_results(self, change):
        """Answer the next request with `change(results)`."""
        self._answers.append(lambda request: (200, {"results": change(rank(request))}, {}))

    def _answer_late(self, request, seconds):
        self._closing.wait(seconds)
        return 200, {"results": rank(request)}, {}


def rank(request):
    wanted = set(request["query"].lower().split())
    shared = [len(wanted & set(text.lower().split())) for text in request["documents"]]
    order = sorted(range(len(shared)), key=lambda index: -shared[index])
    return [{"index": index, "relevance_score": float(shared[index])} for index in order]
