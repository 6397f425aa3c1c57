"""Whether an endpoint works: one real request, and what to say of it when it fails."""

from django.core.exceptions import ValidationError

from apps.search.embedders import EmbeddingError
from apps.search_own_spaces.embedder import OwnEndpointEmbedder, WrongLengthError
from apps.search_own_spaces.models import OwnSpace

TEXT = "Is anybody there?"
TIMEOUT = 15.0  # seconds; a service that loads its model for the first request needs some

# The field that the HTTP status of a refusal is about.
FIELDS = {401: "api_key", 403: "api_key", 400: "model", 422: "model"}


def probe(space: OwnSpace) -> None:
    """Embed one short text with the space as it is, saved or not.

    Raises ValidationError with the field at fault (`api_key`, `base_url`, `dimensions` or `model`) and the
    reason; what the service said is in it.
    """
    embedder = OwnEndpointEmbedder(**space.make_options(), timeout=TIMEOUT, max_retries=0)
    who = f"{embedder.base_url}, model {embedder.model!r}: "
    try:
        embedder.embed_query(TEXT)
    except WrongLengthError as error:
        raise ValidationError({"dimensions": str(error)}) from None
    except EmbeddingError as error:
        field = FIELDS.get(error.status or 0, "base_url")
        raise ValidationError({field: str(error).removeprefix(who)}) from None
