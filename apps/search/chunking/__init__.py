"""Cut long texts into chunks that an embedder can take whole. Which chunker when: docs/how-to/chunking.md."""

from apps.search.chunking.by_tokens import TokenChunker
from apps.search.chunking.chunker import Chunk, Chunker, Span, Tokenizer, as_chunk, make_chunker
from apps.search.chunking.headings import HEADINGS_KEY, HeadingChunker
from apps.search.chunking.slicing import ParagraphChunker, SentenceChunker, SimpleChunker

__all__ = [
    "HEADINGS_KEY",
    "Chunk",
    "Chunker",
    "HeadingChunker",
    "ParagraphChunker",
    "SentenceChunker",
    "SimpleChunker",
    "Span",
    "TokenChunker",
    "Tokenizer",
    "as_chunk",
    "make_chunker",
]
