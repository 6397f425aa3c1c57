"""The tenant's row of the registry: described in a bundle, and made from it, maybe under another name."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from apps.operations.bundles.manifest import BundleError, Manifest, Registration
from tenants.locks import Lock, find_held, hold_life_cycle
from tenants.models import Domain, Tenant
from tenants.provisioning.life_cycle import choose_schema_name
from tenants.validators import validate_domain, validate_schema_name, validate_subdomain

# This reason tells a tenant that a killed import left behind from one that waits to be provisioned.
IMPORTING = "A bundle is being imported."


def describe_registration(tenant: Tenant) -> Registration:
    """Return what the registry knows of a tenant. Raises BundleError unless it is active or suspended."""
    if tenant.state not in (Tenant.State.ACTIVE, Tenant.State.SUSPENDED):
        raise BundleError(
            [f"{tenant.schema_name} is {tenant.state}; only an active or a suspended tenant is whole."]
        )
    values = {name: getattr(tenant, name) for name in _list_fields()}
    return Registration(
        schema_name=tenant.schema_name,
        hostname=tenant.hostname,
        domains=[domain.domain for domain in tenant.domains.all()],
        state=tenant.state,  # type: ignore[arg-type]  # one of the two above
        state_reason=tenant.state_reason,
        fields=json.loads(json.dumps(values, cls=DjangoJSONEncoder)),
    )


def make_row(manifest: Manifest, changes: Mapping[str, str]) -> Tenant:
    """Return the row, not saved, that a bundle is imported to. `changes` replace values of fields.

    If a killed import left a row behind, it is that one.
    """
    values = {**manifest.tenant.fields, **changes}
    row = Tenant(state=Tenant.State.PROVISIONING, state_reason=IMPORTING)
    with suppress(ValidationError):
        validate_subdomain(subdomain := str(values.get("subdomain")))
        row = list_left().filter(subdomain=subdomain).first() or row
    for name in _list_fields() & values.keys():
        setattr(row, name, values[name])
    return row


def find_row_faults(row: Tenant, manifest: Manifest) -> Iterator[str]:
    """Yield why the registry refuses the row. A row that it accepts is given a schema name."""
    for name in sorted(manifest.tenant.fields.keys() - _list_fields()):
        yield f"tenant, {name}: a tenant here has no such field."
    yield from _find_false_names(manifest.tenant)
    if row.schema_name and find_held(Lock.LIFE_CYCLE, [row.schema_name]):
        yield f"tenant, subdomain: {row.subdomain!r} is being imported or provisioned right now."
    try:
        row.full_clean(exclude=["schema_name"])
        row.schema_name = row.schema_name or choose_schema_name(row.subdomain)
    except ValidationError as error:
        for name, messages in error.message_dict.items():
            yield f"tenant, {name}: {' '.join(messages)}"


def _find_false_names(origin: Registration) -> Iterator[str]:
    """Yield what no tenant is called, and names that belong to two tenants here."""
    names = [(validate_schema_name, "schema_name", origin.schema_name)]
    names += [
        (validate_domain, "domains", host) for host in dict.fromkeys([origin.hostname, *origin.domains])
    ]
    for validate, field, name in names:
        try:
            validate(name)
        except ValidationError as error:
            yield f"tenant, {field}: {' '.join(error.messages)}"
    owner = Tenant.objects.filter(schema_name=origin.schema_name).first()
    domain = Domain.objects.filter(domain=origin.hostname).first()
    if owner and domain and domain.tenant_id != owner.pk:
        yield (
            f"tenant, schema_name: {origin.schema_name!r} is another tenant's here than {origin.hostname!r}: "
            "the bundle was forged, or the host has changed hands since."
        )


@contextmanager
def reserved(tenant: Tenant) -> Iterator[None]:
    """Write the row and hold its lock for the block. Raises BundleError when the name was taken meanwhile."""
    taken = BundleError([f"tenant, subdomain: {tenant.subdomain!r} was taken meanwhile."])
    if tenant.pk is None:
        try:
            with transaction.atomic():
                tenant.save()
        except IntegrityError as error:
            raise taken from error
    with hold_life_cycle(tenant.schema_name):
        if not list_left().filter(pk=tenant.pk).exists():
            raise taken
        tenant.save()
        yield


def list_left() -> QuerySet[Tenant]:
    """Return the rows of imports that are running or were killed."""
    return Tenant.objects.filter(state=Tenant.State.PROVISIONING, state_reason=IMPORTING)


def _list_fields() -> set[str]:
    """Return the fields that an operator may edit or once chose; the rest belongs to this installation."""
    own = (field for field in Tenant._meta.concrete_fields if field.editable and not field.primary_key)
    return {field.name for field in own if not field.is_relation}
