"""What a worker does for the registry."""

from django.tasks import task

from tenants.models import Tenant
from tenants.provisioning.life_cycle import provision
from tenants.queue.turns import FIRST


@task(priority=FIRST)
def provision_tenant(tenant_pk: int) -> None:
    """Provision the tenant, if it still exists."""
    if tenant := Tenant.objects.filter(pk=tenant_pk).first():
        provision(tenant)
