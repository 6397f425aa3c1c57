"""Embedders turn texts into vectors. `settings.EMBEDDINGS` names them; `get_embedder(alias)` returns one.

Importing this package is cheap: every embedder imports its library when it embeds its first text.
"""

from .base import BaseEmbedder, EmbeddingError, EmbeddingUnavailableError, InvalidTextError
from .entries import get_entry, has_entry, list_aliases, register_entries
from .instances import (
    get_chunker_entry,
    get_embedder,
    get_embedder_class,
    get_fusion_options,
    get_search_options,
    validate_embedding_settings,
)
from .limits import Limits, get_limits
from .minilm import MiniLMEmbedder
from .openai_compatible import OpenAICompatibleEmbedder
from .wordllama import WordLlamaEmbedder

__all__ = [
    "BaseEmbedder",
    "EmbeddingError",
    "EmbeddingUnavailableError",
    "InvalidTextError",
    "Limits",
    "MiniLMEmbedder",
    "OpenAICompatibleEmbedder",
    "WordLlamaEmbedder",
    "get_chunker_entry",
    "get_embedder",
    "get_embedder_class",
    "get_entry",
    "get_fusion_options",
    "get_limits",
    "get_search_options",
    "has_entry",
    "list_aliases",
    "register_entries",
    "validate_embedding_settings",
]
