"""The registry, in `public`: which tenants there are and under which hosts."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django_tenants.models import DomainMixin, TenantMixin

from tenants.validators import validate_domain, validate_schema_name, validate_space, validate_subdomain

# The text search configurations that PostgreSQL 15 and later come with.
SEARCH_LANGUAGES = [
    *("simple", "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "finnish", "french"),
    *("german", "greek", "hindi", "hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali"),
    *("norwegian", "portuguese", "romanian", "russian", "serbian", "spanish", "swedish", "tamil", "turkish"),
    "yiddish",
]


class Tenant(TenantMixin):
    """A customer: one schema, one space for its embeddings, one or more domains."""

    class State(models.TextChoices):
        """Only an active tenant is served."""

        PROVISIONING = "provisioning"
        ACTIVE = "active"
        FAILED = "failed"
        SUSPENDED = "suspended"

    # Provisioning makes the schema, in a task; saving a row must not block on hundreds of statements.
    auto_create_schema = False
    auto_drop_schema = False

    name = models.CharField(max_length=100)
    subdomain = models.CharField(max_length=48, unique=True, validators=[validate_subdomain])
    schema_name = models.CharField(
        max_length=63, unique=True, editable=False, validators=[validate_schema_name]
    )
    owner_email = models.EmailField(
        "first user's e-mail", help_text="Becomes the first member and is sent a link to set a password."
    )
    space = models.CharField(
        max_length=50,
        default="default",
        validators=[validate_space],
        help_text="The embedder and the table that serve this tenant's search, from settings.EMBEDDINGS.",
    )
    search_language = models.CharField(
        max_length=20,
        choices=[(language, language) for language in SEARCH_LANGUAGES],
        default="english",
        help_text="Whose word forms and stop words the search by words knows; simple knows none. "
        "After a change: manage.py rebuild_index.",
    )
    search_is_public = models.BooleanField(
        default=False, help_text="Anyone may search and read. Otherwise members sign in."
    )
    state = models.CharField(max_length=20, choices=State, default=State.PROVISIONING, editable=False)
    state_reason = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    provisioned_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a new subdomain whose host already leads to another tenant. Raises ValidationError."""
        taken = Domain.objects.filter(domain=self.hostname).exclude(tenant__subdomain=self.subdomain)
        if self._state.adding and taken.exists():
            message = f"The host {self.hostname!r} leads to another tenant. Choose another subdomain."
            raise ValidationError({"subdomain": message})

    @property
    def hostname(self) -> str:
        """The host under SITE_URL's domain, such as `acme.example.com`."""
        return f"{self.subdomain}.{settings.BASE_DOMAIN}"

    @property
    def url(self) -> str:
        """The address of the tenant's site, with scheme and port as in SITE_URL, ending with a slash."""
        site = urlsplit(settings.SITE_URL)
        port = f":{site.port}" if site.port else ""
        return f"{site.scheme}://{self.hostname}{port}/"


class Domain(DomainMixin):
    """A host name that leads to a tenant."""

    domain = models.CharField(max_length=253, unique=True, validators=[validate_domain])

    class Meta:
        ordering = ["domain"]


class ProvisioningTemplate(models.Model):
    """The statements that make a tenant's schema, and what they depend on: one row (tenants.template)."""

    fingerprint = models.CharField(max_length=64, unique=True)
    statements = models.TextField()
    objects_digest = models.CharField(max_length=64)
    fault = models.TextField(blank=True, help_text="Why tenants are migrated all the same.")
    made_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.fingerprint[:8]} of {self.made_at:%Y-%m-%d %H:%M}"
