"""A tenant's own space."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models, transaction
from django_tenants.utils import get_tenant_model

from apps.search.embedders.openai_compatible import DEFAULT_INPUT_BYTES
from apps.search.spaces.live_spaces import describe_uses
from apps.search.spaces.space import get_space
from apps.search_own_spaces.embedder import OwnEndpointEmbedder
from apps.search_own_spaces.encryption import UndecryptableError, decrypt, encrypt
from tenants.audit import record
from tenants.context import get_current_schema, statement_timeout, unbound
from tenants.validators import OWN_SPACE

BACKEND = f"{OwnEndpointEmbedder.__module__}.{OwnEndpointEmbedder.__qualname__}"
TABLE = "pgvector.PgVectorEmbedding"
MAX_DIMENSIONS = 16_000  # of pgvector's type vector
MAX_NUMBERS = 1_000_000  # in the answer to one request
# What vectors depend on never changes: the stored ones could not be compared with new ones.
OPTIONS = (
    *("base_url", "model", "dimensions", "send_dimensions"),
    *("query_prefix", "document_prefix", "max_input_bytes"),
)
FIXED = ("alias", *OPTIONS)
LIMITS = ("requests_per_minute", "tokens_per_minute", "price_per_million_tokens")
DELETION_TIMEOUT = 120  # seconds; a page asks for it, and there may be many documents
SHOWN = 4  # characters of a key, where 12 or more stay hidden
UNREADABLE = "cannot be read: give it again"

at_least_one = MinValueValidator(1)


def find_dimensions(alias: str) -> int | None:
    """Return how many numbers the vectors of a space have; None where the settings are at fault."""
    try:
        return get_space(alias).embedder.dimensions
    except ImproperlyConfigured:  # the system checks tell the operators
        return None


class SpaceInUseError(Exception):
    """A space cannot be deleted; the message says what needs it."""


class OwnSpace(models.Model):
    """An OpenAI-compatible endpoint of the tenant's own; its vectors are stored in the default table."""

    alias = models.CharField(
        max_length=50,
        unique=True,
        validators=[
            RegexValidator(
                rf"^{OWN_SPACE.pattern}\Z",
                "Begin with 'own-' and go on with lower-case letters, digits and single hyphens.",
            )
        ],
        help_text="What this space is called, beginning with 'own-'.",
    )
    base_url = models.CharField(
        "address",
        max_length=500,
        help_text="Of the API, without /embeddings, such as https://api.example.com/v1.",
    )
    model = models.CharField(max_length=200, help_text="The service's name for it.")
    dimensions = models.PositiveIntegerField(
        validators=[at_least_one, MaxValueValidator(MAX_DIMENSIONS)],
        help_text="How many numbers the model's vectors have.",
    )
    send_dimensions = models.BooleanField(
        default=False,
        help_text="Ask the service for so many dimensions; some services refuse that.",
    )
    query_prefix = models.CharField(
        max_length=500, blank=True, help_text="Put before every query, where the model was trained with one."
    )
    document_prefix = models.CharField(max_length=500, blank=True, help_text="Put before every document.")
    max_input_bytes = models.PositiveIntegerField(
        default=DEFAULT_INPUT_BYTES,
        validators=[at_least_one],
        help_text="A text is cut after so many bytes.",
    )
    batch_size = models.PositiveIntegerField(
        default=64, validators=[at_least_one], help_text="How many texts are sent at once."
    )
    requests_per_minute = models.PositiveIntegerField(
        null=True, blank=True, validators=[at_least_one], help_text="Empty: no limit."
    )
    tokens_per_minute = models.PositiveIntegerField(
        null=True, blank=True, validators=[at_least_one], help_text="Empty: no limit."
    )
    price_per_million_tokens = models.DecimalField(
        null=True,
        blank=True,
        max_digits=10,
        decimal_places=4,
        validators=[MinValueValidator(0)],
        help_text="For estimates, in the currency of your choice.",
    )
    encrypted_key = models.TextField(blank=True, editable=False)
    checked_at = models.DateTimeField("last answered", null=True, editable=False)

    class Meta:
        ordering = ["alias"]
        verbose_name = "search space"

    def __str__(self) -> str:
        return self.alias

    def save(self, **options: Any) -> None:
        """Write the row. A new space begins without documents, even if another one had its alias before."""
        with transaction.atomic():
            is_new = self._state.adding
            if is_new:
                self._delete_documents()
            super().save(**options)
            record("add space" if is_new else "change space", self.alias, address=self.base_url)

    def delete(self, **options: Any) -> tuple[int, dict[str, int]]:  # type: ignore[override]
        """Delete the space and its documents. Raises SpaceInUseError while something needs it."""
        with statement_timeout(DELETION_TIMEOUT), transaction.atomic():
            if uses := self.describe_uses(lock=True):
                raise SpaceInUseError(f"{self.alias} cannot be deleted. {' '.join(uses)}")
            self._delete_documents()
            record("delete space", self.alias)
            return super().delete(**options)

    def clean(self) -> None:
        """Refuse options that make no embedder, and changes of what vectors depend on."""
        self.base_url = self.base_url.rstrip("/")
        if self.alias in settings.EMBEDDINGS:
            raise ValidationError({"alias": f"{self.alias!r} is a space of this installation."})
        if not self._state.adding:
            stored = type(self).objects.values(*FIXED).get(pk=self.pk)
            if changed := [name for name in FIXED if stored[name] != getattr(self, name)]:
                reason = "Vectors depend on this. Make another space and switch to that."
                raise ValidationError(dict.fromkeys(changed, reason))
        self._refuse_options()

    def describe_uses(self, *, lock: bool = False) -> list[str]:
        """Return, as sentences, what needs the space; empty when it may be deleted.

        With `lock`, nobody can change the tenant's row until the transaction ends.
        """
        schema = get_current_schema()
        with unbound():
            tenants = get_tenant_model().objects.filter(schema_name=schema)
            tenant = (tenants.select_for_update() if lock else tenants).get()
        own = ["This tenant is searched by it: switch to another space first."]
        return (own if tenant.space == self.alias else []) + describe_uses(self.alias)

    def set_key(self, key: str) -> None:
        """Keep a key for this endpoint, encrypted; "" for a service that wants none. Does not save."""
        self.encrypted_key = encrypt(key, *self._key_purpose()) if key else ""

    def renew_encryption(self) -> None:
        """Encrypt the key with the newest of the installation's. Raises UndecryptableError."""
        if self.encrypted_key:
            self.set_key(decrypt(self.encrypted_key, *self._key_purpose()))

    def describe_key(self) -> str:
        """Say whether there is a key: "not set", "set", "set, ends in 1234", or that it cannot be read."""
        if not self.encrypted_key:
            return "not set"
        try:
            key = decrypt(self.encrypted_key, *self._key_purpose())
        except UndecryptableError:
            return UNREADABLE
        return f"set, ends in {key[-SHOWN:]}" if len(key) >= SHOWN + 12 else "set"

    def is_key_readable(self) -> bool:
        """Return whether there is no key, or one that this installation can decrypt."""
        return self.describe_key() != UNREADABLE

    def make_entry(self) -> dict[str, Any]:
        """Return what settings.EMBEDDINGS would hold for this space."""
        return {
            "BACKEND": BACKEND,
            "MODEL": TABLE,
            "OPTIONS": self.make_options(),
            "LIMITS": {name: getattr(self, name) for name in LIMITS},
        }

    def make_options(self) -> dict[str, Any]:
        """Return the options of the embedder; the key in them is encrypted."""
        options = {name: getattr(self, name) for name in (*OPTIONS, "batch_size")}
        return options | {"encrypted_key": self.encrypted_key, "key_purpose": self._key_purpose()}

    def _key_purpose(self) -> list[str]:
        # With the address: who can write to this table must not be able to have the key sent elsewhere.
        return [get_current_schema(), self.alias, self.base_url]

    def _delete_documents(self) -> None:
        apps.get_model(TABLE)._default_manager.filter(space=self.alias).delete()

    def _refuse_options(self) -> None:
        """Have the embedder judge its options; it names the one at fault first."""
        needed = (self.base_url, self.model, self.dimensions, self.max_input_bytes, self.batch_size)
        if not all(needed) or self.dimensions > MAX_DIMENSIONS:  # a validator has said so
            return
        try:
            OwnEndpointEmbedder(**self.make_options())
        except ValueError as error:
            name = str(error).partition(" ")[0]
            is_field = name in (*OPTIONS, "batch_size")
            raise ValidationError({name: str(error)} if is_field else str(error)) from error
        if self.batch_size * self.dimensions > MAX_NUMBERS:
            most = MAX_NUMBERS // self.dimensions
            raise ValidationError({"batch_size": f"At most {most} texts of so many dimensions at once."})
