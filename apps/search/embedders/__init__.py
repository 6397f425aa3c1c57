"""Embedders turn texts into vectors. `settings.EMBEDDINGS` names them; `get_embedder(alias)` returns one.

Importing this package is cheap: every embedder imports its library when it embeds its first text.
"""

from .base import BaseEmbedder, EmbeddingError, EmbeddingUnavailableError, InvalidTextError
from .factory import (
    get_chunker_entry,
    get_embedder,
    get_embedder_class,
    get_fusion_options,
    get_search_options,
    get_service_options,
    validate_embedding_settings,
)
from .minilm import MiniLMEmbedder
from .openai_compatible import OpenAICompatibleEmbedder
from .wordllama import WordLlamaEmbedder

__all__ = [
    "BaseEmbedder",
    "EmbeddingError",
    "EmbeddingUnavailableError",
    "InvalidTextError",
    "MiniLMEmbedder",
    "OpenAICompatibleEmbedder",
    "WordLlamaEmbedder",
    "get_chunker_entry",
    "get_embedder",
    "get_embedder_class",
    "get_fusion_options",
    "get_search_options",
    "get_service_options",
    "validate_embedding_settings",
]
