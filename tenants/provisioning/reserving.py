"""What every role of a PostgreSQL database may do, and no tenant's role should.

Everybody may call functions that change the settings of a session, that take advisory locks, that make large
objects, and that tell how many rows any table has and who is at work. Only a superuser can keep them for the
user of the connections: infra/postgres/10-bootstrap.sh does it, and so does `create_role` for a superuser.
"""

from psycopg import sql

from tenants.context import connection

# It names the user once, at the top. pg_monitor is PostgreSQL's own role for monitoring. A column of pg_class
# that holds no number of rows or pages, or of a transaction, stays everybody's.
RESERVE = """DO $reserve$
DECLARE
    own text := {user};
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
$reserve$"""

# One of each kind; a new major version of PostgreSQL may bring further functions.
IS_RESERVED = """
    SELECT NOT bool_or(has_function_privilege('public', name, 'EXECUTE'))
        AND NOT has_column_privilege('public', 'pg_class', 'reltuples', 'SELECT')
    FROM unnest(ARRAY[
        'set_config(text,text,boolean)', 'pg_advisory_lock(int,int)', 'lo_create(oid)',
        'pg_try_advisory_xact_lock_shared(bigint)', 'pg_stat_get_live_tuples(oid)', 'pg_lock_status()',
        'pg_relation_size(regclass,text)'
    ]) AS name
"""


def is_reserved() -> bool:
    """Return whether no tenant's role may use what this module names."""
    with connection.cursor() as cursor:
        cursor.execute(IS_RESERVED)
        return bool(cursor.fetchone()[0])


def write_reserve() -> str:
    """Return the statement by which a superuser keeps it all for the connection's user."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_user")
        (user,) = cursor.fetchone()
    return sql.SQL(RESERVE).format(user=sql.Literal(user)).as_string()
