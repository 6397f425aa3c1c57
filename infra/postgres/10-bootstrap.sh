#!/usr/bin/env bash
# Prepares a PostgreSQL server, once, as a superuser: the extension, the application's role, its database.
#
# The image runs it when its data directory is empty. Elsewhere: set PGHOST, PGUSER and PGPASSWORD to those of a
# superuser, APP_PASSWORD to the role's password, and run it. Running it twice changes nothing
# but the password.
set -euo pipefail

: "${APP_PASSWORD:?APP_PASSWORD: set it to the password of the role app}"
export APP_ROLE="${APP_ROLE:-app}" APP_DATABASE="${APP_DATABASE:-app}" APP_PASSWORD
export PGUSER="${PGUSER:-${POSTGRES_USER:-postgres}}" PGDATABASE="${PGDATABASE:-postgres}"

# \getenv keeps the password out of the list of processes, format() quotes it.
psql --no-psqlrc --quiet --no-password --set ON_ERROR_STOP=1 <<'SQL'
SET client_min_messages = warning;
\getenv role APP_ROLE
\getenv database APP_DATABASE
\getenv password APP_PASSWORD

SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT format('ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB CREATEROLE PASSWORD %L', :'role', :'password') \gexec

-- CREATEROLE: each tenant gets a role of its own (TENANT_ROLES). The owner may CREATE (one schema a tenant),
-- TEMPORARY (every write is staged) and, as pg_database_owner, create tables in public. Nobody else needs
-- anything.
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'role')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'database') \gexec

\connect :"database"
SET client_min_messages = warning;
-- pgvector is not a trusted extension: only a superuser creates it. In public, where every tenant finds its type.
CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;
CREATE EXTENSION IF NOT EXISTS unaccent SCHEMA public;
-- By this function a query could take a tenant's role off. Who connects needs it, to set the time zone.
SELECT format('GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO %I', :'role') \gexec
REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC;
SQL
