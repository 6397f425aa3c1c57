"""Rerankers look a second time at the best of what a search found. `settings.RERANKERS` names them.

A space chooses one by the option `reranker`. Importing this package is cheap, and making a reranker loads and
connects to nothing.
"""

from .choosing import ChosenReranker, get_reranker, list_rerankers
from .cross_encoder import OnnxCrossEncoder
from .light import LightReranker
from .rerank_endpoint import EndpointReranker
from .reranker import BaseReranker, Candidate, Question, RerankError

__all__ = [
    "BaseReranker",
    "Candidate",
    "ChosenReranker",
    "EndpointReranker",
    "LightReranker",
    "OnnxCrossEncoder",
    "Question",
    "RerankError",
    "get_reranker",
    "list_rerankers",
]
