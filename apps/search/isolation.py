"""Attacks on indexed objects and their documents, for `manage.py prove_isolation`."""

from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from apps.accounts.isolation import plant_key
from apps.search.documents import Document, embed
from apps.search.embedders import EmbeddingError
from apps.search.endpoints.patience import in_a_hurry
from apps.search.indexed import Indexed
from apps.search.indexes.registry import get_index_names, get_indexed_models
from apps.search.indexes.source_objects import Source
from apps.search.providers import get_provider
from apps.search.searching.answering import SearchRequest, answer_documents
from apps.search.searching.hybrid import MODES
from apps.search.searching.results import get_url
from apps.search.storage.pgvector.tables.vectors import InvalidVectorError
from tenants.context import connection

if TYPE_CHECKING:
    from apps.operations.isolation.party import Party

FILLERS: dict[str, Any] = {
    "BooleanField": False,
    "DateField": timezone.localdate,
    "DateTimeField": timezone.now,
    "DecimalField": 0,
    "FloatField": 0.0,
    "IntegerField": 0,
    "BigIntegerField": 0,
    "SmallIntegerField": 0,
    "PositiveIntegerField": 0,
}
LIMIT = 10


def plant_objects(party: "Party") -> list[Indexed]:
    """Save an object of each indexed model, with the token as its texts.

    A model that needs more has a class method `make_canary(token)`, which returns a saved object. Raises
    ImproperlyConfigured for a required field that cannot be filled here.
    """
    return [
        model.make_canary(party.token) if hasattr(model, "make_canary") else _make(model, party.token)
        for model in get_indexed_models()
    ]


def plant_documents(party: "Party") -> dict[str, Any]:
    """Store a document for each planted object; return the vectors by index name.

    A document holds the word to search for and the token. Its vector is that of the word, or a random one
    when the tenant's embedder does not answer.
    """
    vectors: dict[str, Any] = {}
    for obj in party.of(plant_objects):
        for index_name in get_index_names(type(obj)):
            provider = get_provider(index_name)
            try:
                with in_a_hurry():
                    vector: Any = provider.embedder.embed_query(party.word)
            except EmbeddingError:
                vector = np.random.default_rng().normal(size=provider.embedder.dimensions)
            content = f"{party.word} {party.token}"
            provider.add([embed(Document(f"{Source.of(obj).prefix}0", content), vector)])
            vectors[index_name] = vector
    return vectors


def get_filler(field: models.Field, token: str) -> Any:
    """Return the value for a field of a planted object; for a text, the token.

    Raises ImproperlyConfigured for a kind of field that FILLERS lacks.
    """
    if _is_text(field):
        return token[: field.max_length]
    kind = field.get_internal_type()
    if kind not in FILLERS:
        raise ImproperlyConfigured(
            f"{field.model._meta.label}.{field.name} is required, and prove_isolation cannot fill it. "
            "Give the model a class method make_canary(token) that returns a saved object."
        )
    value = FILLERS[kind]
    return value() if callable(value) else value


def read_objects(victim: "Party", attacker: "Party") -> bool:
    """ORM: objects of all indexed models."""
    for obj in victim.of(plant_objects):
        model = type(obj)
        texts = [field for field in model._meta.concrete_fields if _is_text(field)]
        holds = Q(*((field.name, get_filler(field, victim.token)) for field in texts), _connector=Q.OR)
        if model._default_manager.filter(holds).exists():
            return True
    return False


def refresh_carried_indexed_object(victim: "Party", attacker: "Party") -> bool:
    """An object that was loaded in the victim, read again."""
    for obj in victim.of(plant_objects):
        obj.refresh_from_db()
    return True


def read_documents(victim: "Party", attacker: "Party") -> bool:
    """The provider: all documents of all indexes."""
    victim.of(plant_documents)
    return any(
        get_provider(name).objects.filter(content__contains=victim.token).exists()
        for name in get_index_names()
    )


def read_documents_by_sql(victim: "Party", attacker: "Party") -> bool:
    """Raw SQL that names no schema, on the table of documents."""
    victim.of(plant_documents)
    table = connection.ops.quote_name(get_provider(get_index_names()[0]).model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {table} WHERE content LIKE %s", [f"%{victim.token}%"])  # noqa: S608 - the table is a model's, and quoted
        return cursor.fetchone() is not None


def search_nearest(victim: "Party", attacker: "Party") -> bool:
    """The provider: the documents nearest to the canary's own vector."""
    vectors = victim.of(plant_documents)
    try:
        found = [row for name in vectors for row in get_provider(name).nearest(vectors[name])[:LIMIT]]
    except InvalidVectorError:  # the attacker's space has vectors of another length
        return False
    return any(victim.token in row.content for row in found)


def evaluate_carried_search(victim: "Party", attacker: "Party") -> bool:
    """A lazy search that was built in the victim."""
    return any(victim.token in row.content for rows in victim.of(_build_searches) for row in rows.all())


def search_by_every_mode(victim: "Party", attacker: "Party") -> bool:
    """A search by meaning, by words and by both."""
    victim.of(plant_documents)
    asked = [
        SearchRequest(victim.word, name, LIMIT, mode=mode) for name in get_index_names() for mode in MODES
    ]
    answers = [answer_documents(request).results for request in asked]
    found = [any(victim.token in result.document.content for result in results) for results in answers]
    return all(found) if victim is attacker else any(found)


def search_on_page(victim: "Party", attacker: "Party") -> bool:
    """The search page, in every mode, signed in as the attacker's own user."""
    return _search_at("search", victim, attacker)


def search_in_api(victim: "Party", attacker: "Party") -> bool:
    """The search API, in every mode, signed in as the attacker's own user."""
    return _search_at("api-1:search", victim, attacker)


def call_api_with_others_key(victim: "Party", attacker: "Party") -> bool | None:
    """The search API, with the victim's key; None where it answers anybody."""
    if attacker.tenant and attacker.tenant.search_is_public:
        return None
    victim.of(plant_documents)
    path = reverse("api-1:search", urlconf=settings.ROOT_URLCONF)
    headers = {"authorization": f"Bearer {victim.of(plant_key)}"}
    query = {"q": victim.word, "mode": "keyword"}
    return attacker.get(path, query=query, headers=headers).status_code == 200


def open_object_page(victim: "Party", attacker: "Party") -> bool | None:
    """The pages of the objects, by their addresses; None where there are none."""
    victim.of(plant_documents)
    urls = [url for obj in victim.of(plant_objects) if (url := get_url(obj))]
    pages = [attacker.get(url, session=attacker.session) for url in urls]
    return any(victim.token.encode() in page.content for page in pages) if pages else None


def _search_at(name: str, victim: "Party", attacker: "Party") -> bool:
    victim.of(plant_documents)
    path, session = reverse(name, urlconf=settings.ROOT_URLCONF), attacker.session
    asked = [
        {"q": victim.word, "index": index, "mode": mode} for index in get_index_names() for mode in MODES
    ]
    found = [victim.token.encode() in attacker.get(path, query=q, session=session).content for q in asked]
    return all(found) if victim is attacker else any(found)


def _build_searches(party: "Party") -> list[QuerySet]:
    vectors = party.of(plant_documents)
    return [get_provider(name).nearest(vectors[name])[:LIMIT] for name in vectors]


def _make(model: type[Indexed], token: str) -> Indexed:
    fields = [
        field for field in model._meta.concrete_fields if _is_text(field) or not _may_be_left_out(field)
    ]
    return model._default_manager.create(**{field.name: get_filler(field, token) for field in fields})


def _may_be_left_out(field: models.Field) -> bool:
    is_automatic = any(getattr(field, name, False) for name in ("auto_created", "auto_now", "auto_now_add"))
    return is_automatic or field.has_default() or field.null or field.blank


def _is_text(field: models.Field) -> bool:
    return field.get_internal_type() in ("CharField", "TextField", "SlugField") and not field.choices


ATTACKS = [
    read_objects,
    refresh_carried_indexed_object,
    read_documents,
    read_documents_by_sql,
    search_nearest,
    evaluate_carried_search,
    search_by_every_mode,
    search_on_page,
    search_in_api,
    call_api_with_others_key,
    open_object_page,
]
