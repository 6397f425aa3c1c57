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
-- What every role of a database may do, and no tenant's role should: by set_config() a query could take the role off,
-- advisory locks would keep others from their work, and statistics tell how much the others have. The same statement is
-- in tenants/provisioning/reserving.py.
SELECT format($format$DO $reserve$
DECLARE
    own text := %L;
    found record;
    names text;
BEGIN
    FOR found IN
        SELECT oid::regprocedure::text AS name, proname ~ '^pg_(stat|lock|.*size)' AS tells FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ ('^(set_config|pg_(try_)?advisory_.+'
            || '|lo_(creat|create|from_bytea)|pg_stat_get_.+|pg_lock_status|pg_(total_)?relation_size'
            || '|pg_(table|indexes|database|tablespace)_size)$')
    LOOP
        EXECUTE 'GRANT EXECUTE ON FUNCTION ' || found.name || ' TO ' || quote_ident(own)
            || CASE WHEN found.tells THEN ', pg_monitor' ELSE '' END;
        EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || found.name || ' FROM PUBLIC';
    END LOOP;
    SELECT string_agg(attname, ', ') INTO names FROM pg_attribute
    WHERE attrelid = 'pg_class'::regclass AND attname !~ '^rel(tuples|pages|all|frozenxid|minmxid)';
    EXECUTE 'GRANT SELECT ON pg_class TO pg_monitor, ' || quote_ident(own);
    REVOKE SELECT ON pg_class FROM PUBLIC;
    EXECUTE 'GRANT SELECT (' || names || ') ON pg_class TO PUBLIC';
END
$reserve$$format$, :'role') \gexec
SQL
