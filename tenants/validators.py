"""Which names a tenant may have."""

import re

from django.conf import settings
from django.core.exceptions import ValidationError

RESERVED_SUBDOMAINS = frozenset(
    """
    admin api app assets auth billing blog cdn dashboard docs ftp help imap localhost mail media ns1 ns2
    operators pop public root smtp static status support tenant tenants test webmail www
    """.split()  # noqa: SIM905
)
# These exist while tenants.provisioning.template makes the template of the tenants' schema, and while
# apps.operations.bundles compares a bundle with a new schema.
TEMPLATE_SCHEMA, TEMPLATE_COPY_SCHEMA = "template_tenant", "template_tenant_copy"
SCRATCH_SCHEMA = "scratch_tenant"
RESERVED_SCHEMAS = frozenset(
    {"public", "information_schema", TEMPLATE_SCHEMA, TEMPLATE_COPY_SCHEMA, SCRATCH_SCHEMA}
)
SCHEMA_NAME = re.compile(r"(?!pg_)[a-z][a-z0-9_]{0,47}")
SUBDOMAIN = re.compile(r"[a-z]([a-z0-9-]{0,46}[a-z0-9])?")
OWN_SPACE_PREFIX = "own-"
OWN_SPACE = re.compile(rf"{OWN_SPACE_PREFIX}[a-z0-9]+(-[a-z0-9]+)*")
HOST_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def is_schema_name(value: str) -> bool:
    """Whether a tenant's schema may have this name."""
    return SCHEMA_NAME.fullmatch(value) is not None and value not in RESERVED_SCHEMAS


def validate_schema_name(value: str) -> None:
    """Refuse all but lower-case letters, digits and underscores, and the schemas that are taken.

    Raises ValidationError. PostgreSQL would take almost anything; a strict name needs no quoting anywhere.
    """
    if not is_schema_name(value):
        raise ValidationError(
            f"{value!r} is not a valid schema name: use 1 to 48 lower-case letters, digits and underscores, "
            "beginning with a letter, and neither 'public', 'information_schema', 'template_tenant', "
            "'template_tenant_copy', 'scratch_tenant' nor 'pg_...'."
        )


def validate_subdomain(value: str) -> None:
    """Refuse all but a single host label, and the labels that operators need for other uses.

    Raises ValidationError.
    """
    if not SUBDOMAIN.fullmatch(value) or "--" in value:
        raise ValidationError(
            f"{value!r} is not a valid subdomain: use 1 to 48 lower-case letters, digits and single hyphens, "
            "beginning with a letter and not ending with a hyphen."
        )
    if value in RESERVED_SUBDOMAINS:
        raise ValidationError(f"The subdomain {value!r} is reserved. Choose another.")


def validate_domain(value: str) -> None:
    """Refuse all but host names in lower case (RFC 1123), with which the hosts of requests are compared.

    Raises ValidationError.
    """
    labels = value.split(".")
    if len(value) > 253 or not all(HOST_LABEL.fullmatch(label) for label in labels):
        raise ValidationError(
            f"{value!r} is not a valid host name: use lower-case labels of letters, digits and hyphens, "
            "without a scheme, a port or a trailing dot."
        )
    if value in (settings.BASE_DOMAIN, f"www.{settings.BASE_DOMAIN}"):
        raise ValidationError(f"{value!r} is the operators' own site.")


def validate_space(value: str) -> None:
    """Refuse all but an alias of settings.EMBEDDINGS and what may be the alias of a tenant's own space.

    Only the tenant's schema knows whether there is such a space. Raises ValidationError.
    """
    if value not in settings.EMBEDDINGS and not OWN_SPACE.fullmatch(value):
        known = ", ".join(sorted(settings.EMBEDDINGS))
        raise ValidationError(f"{value!r} is not a space of settings.EMBEDDINGS. Choose one of: {known}.")
