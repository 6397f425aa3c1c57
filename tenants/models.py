"""The registry, in `public`: the tenants and their hosts."""

import unicodedata
from collections.abc import Collection
from typing import Any, NoReturn
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django_tenants.models import DomainMixin, TenantMixin

from tenants.context import unbound
from tenants.hosts import RegistryQuerySet
from tenants.validators import validate_domain, validate_schema_name, validate_space, validate_subdomain

# The text search configurations that PostgreSQL 15 and later come with.
SEARCH_LANGUAGES = [
    *("simple", "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "finnish", "french"),
    *("german", "greek", "hindi", "hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali"),
    *("norwegian", "portuguese", "romanian", "russian", "serbian", "spanish", "swedish", "tamil", "turkish"),
    "yiddish",
]


def get_address(host: str) -> str:
    """Return the address of a tenant's site: scheme and port as in SITE_URL, no slash at the end."""
    site = urlsplit(settings.SITE_URL)
    port = f":{site.port}" if site.port else ""
    return f"{site.scheme}://{host}{port}"


class Tenant(TenantMixin):
    """A customer: one schema, one space for its embeddings, and at least one domain."""

    class State(models.TextChoices):
        """Only an active tenant is served."""

        PROVISIONING = "provisioning"
        ACTIVE = "active"
        FAILED = "failed"
        SUSPENDED = "suspended"
        LEAVING = "leaving"

    UNPROVISIONED = (State.PROVISIONING, State.FAILED)  # no schema of these can be relied on

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
    # For a leaving tenant: the state it gets back if it is kept, and when its deletion is due.
    state_before = models.CharField(max_length=20, blank=True, default="", db_default="", editable=False)
    delete_after = models.DateTimeField("to be deleted after", null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    provisioned_at = models.DateTimeField(null=True, editable=False)

    objects = RegistryQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def __enter__(self) -> NoReturn:
        """Raise TypeError: django-tenants keeps the stack of `with tenant:` in the class, for all threads."""
        raise TypeError(
            "`with tenant:` mixes threads up. Write `with tenant_context(tenant):` (from tenants.context)."
        )

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Refuse control characters in the name, too. Raises ValidationError with all fields at fault."""
        faults: dict[str, Any] = {}
        try:
            super().clean_fields(exclude=exclude)
        except ValidationError as error:
            faults = dict(error.update_error_dict({}))
        if "name" not in (exclude or ()) and any(unicodedata.category(char) == "Cc" for char in self.name):
            faults["name"] = "Control characters, such as line breaks, are not allowed."
        if faults:
            raise ValidationError(faults)

    def unique_error_message(self, model_class: type[models.Model], unique_check: Any) -> ValidationError:
        """Return the error for a value that another tenant has, with the value."""
        (name,) = unique_check
        message = f"{getattr(self, name)!r} is the {name} of another tenant. Choose another one."
        return ValidationError(message, code="unique")

    def clean(self) -> None:
        """Refuse a subdomain whose host leads to another tenant. Raises ValidationError."""
        own = models.Q(tenant=self.pk) | models.Q(tenant__subdomain=self.subdomain)
        taken = Domain.objects.filter(domain=self.hostname).exclude(own).first()
        if taken is None:
            return
        leads = "still redirects" if taken.redirects else "leads"
        message = f"The host {self.hostname!r} {leads} to another tenant. Choose another subdomain."
        if taken.redirects:
            message += f" To free it, remove it from the domains of {taken.tenant}."
        raise ValidationError({"subdomain": message})

    def get_primary_domain(self) -> "Domain | None":
        """As django-tenants', whatever tenant is bound: its role may not read the registry."""
        with unbound():
            return super().get_primary_domain()

    @property
    def hostname(self) -> str:
        """The host under SITE_URL's domain, such as `acme.example.com`."""
        return f"{self.subdomain}.{settings.BASE_DOMAIN}"

    @property
    def url(self) -> str:
        """The address of the tenant's site, with scheme and port as in SITE_URL, ending with a slash."""
        return f"{get_address(self.hostname)}/"


class Domain(DomainMixin):
    """A host name that leads to a tenant, or redirects to the tenant's primary one."""

    domain = models.CharField(max_length=253, unique=True, validators=[validate_domain])
    is_primary = models.BooleanField(
        "primary", default=True, db_index=True, help_text="Where redirects lead to. Each tenant has one."
    )
    redirects = models.BooleanField(
        default=False, db_default=False, help_text="Leads to the primary domain; nobody else can take it."
    )

    objects = RegistryQuerySet.as_manager()

    class Meta:
        ordering = ["domain"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=models.Q(is_primary=True), name="tenants_one_primary_domain"
            ),
            models.CheckConstraint(
                condition=models.Q(is_primary=False) | models.Q(redirects=False),
                name="tenants_primary_domain_serves",
            ),
        ]

    def unique_error_message(self, model_class: type[models.Model], unique_check: Any) -> ValidationError:
        """Return the error for a host that leads to a tenant already, with the host."""
        return ValidationError(f"{self.domain!r} already exists; it leads to a tenant.", code="unique")

    def clean(self) -> None:
        """Refuse a primary domain that redirects, and the host of another tenant's subdomain.

        Raises ValidationError.
        """
        if self.is_primary and self.redirects:
            raise ValidationError({"redirects": "The primary domain is where redirects lead to."})
        label, _, rest = self.domain.partition(".")
        others = Tenant.objects.filter(subdomain=label).exclude(pk=self.tenant_id)
        if rest == settings.BASE_DOMAIN and others.exists():
            raise ValidationError({"domain": f"{self.domain!r} is the host of another tenant's subdomain."})

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """As Django's, but without the constraints about `is_primary`: `clean` and `save` keep those."""
        super().validate_constraints(exclude={*(exclude or ()), "is_primary"})

    @transaction.atomic
    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the domain. A new primary one takes over from the old one; a tenant's first one is primary.

        django-tenants' own `save` would make a redirect primary when there is no other domain.
        """
        primary = Domain.objects.filter(tenant=self.tenant, is_primary=True).exclude(pk=self.pk)
        self.is_primary = not self.redirects and (self.is_primary or not primary.exists())
        if self.is_primary:
            primary.update(is_primary=False)
        super(DomainMixin, self).save(*args, **kwargs)


class ProvisioningTemplate(models.Model):
    """The statements that make a tenant's schema, and what they depend on. There is one row."""

    fingerprint = models.CharField(max_length=64, unique=True)
    statements = models.TextField()
    objects_digest = models.CharField(max_length=64)
    fault = models.TextField(blank=True, help_text="Why tenants are migrated all the same.")
    made_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.fingerprint[:8]} of {self.made_at:%Y-%m-%d %H:%M}"


class ScheduledRun(models.Model):
    """When a periodic task is due next: one row for each, however many tenants there are."""

    name = models.CharField(max_length=200, primary_key=True)  # the dotted path of its function
    due_at = models.DateTimeField()
    began_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["due_at"]

    def __str__(self) -> str:
        return f"{self.name}, due {self.due_at:%Y-%m-%d %H:%M}"


class DeletionReport(models.Model):
    """What was looked at after a tenant's deletion, and what was found (apps.operations.deletion).

    It is written with the deletion and stays: no later tenant gets the schema's name.
    """

    schema_name = models.CharField("schema", max_length=63, db_index=True)
    name = models.CharField(max_length=100)
    tenant_pk = models.BigIntegerField("primary key", db_index=True)
    deleted_at = models.DateTimeField(auto_now_add=True)
    proved_at = models.DateTimeField(null=True)
    remainders = models.IntegerField(null=True, help_text="In how many places something is left.")
    looks = models.JSONField(default=list)

    class Meta:
        ordering = ["-deleted_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.schema_name})"

    @property
    def is_clean(self) -> bool:
        """Whether a proof found that nothing is left."""
        return self.remainders == 0

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON, with times in ISO 8601."""
        return {
            "schema": self.schema_name,
            "name": self.name,
            "deleted_at": self.deleted_at.isoformat(),
            "proved_at": self.proved_at and self.proved_at.isoformat(),
            "is_clean": self.is_clean,
            "looks": self.looks,
        }
