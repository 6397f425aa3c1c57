"""Read a schema in PostgreSQL's own words, without the code under test, so that two can be compared.

Every query returns one column; %s is the schema.
"""

from django.db import connection

OWN = "relnamespace = %s::regnamespace"

ASPECTS = {
    "columns": """
        SELECT to_jsonb(c)
            - '{table_schema,table_catalog,udt_catalog,ordinal_position,dtd_identifier}'::text[]
            || jsonb_build_object(
                'type', format_type(atttypid, atttypmod), 'storage', attstorage,
                'compression', attcompression, 'statistics', attstattarget,
                'collation', attcollation::regcollation, 'position', (
                    SELECT count(*) FROM pg_attribute before
                    WHERE before.attrelid = a.attrelid AND before.attnum BETWEEN 1 AND a.attnum
                    AND NOT before.attisdropped))
        FROM information_schema.columns c
        JOIN pg_class t ON t.relname = table_name AND t.relnamespace = table_schema::regnamespace
        JOIN pg_attribute a ON attrelid = t.oid AND attname = column_name
        WHERE table_schema = %s""",
    "tables": f"""
        SELECT concat_ws(' ', relname, relkind, relpersistence, relreplident, relrowsecurity,
            reloptions, relam)
        FROM pg_class WHERE relkind <> 't' AND {OWN}""",
    "constraints": """
        SELECT concat_ws(' ', conrelid::regclass, conname, contype, condeferrable, condeferred, convalidated,
            conindid::regclass, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = %s::regnamespace""",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = %s",
    "valid indexes": f"""
        SELECT concat_ws(' ', relname, indisvalid, indisprimary, indisunique, indisclustered)
        FROM pg_index JOIN pg_class ON oid = indexrelid WHERE {OWN}""",
    "sequences": """
        SELECT to_jsonb(s) - 'schemaname' - 'last_value' FROM pg_sequences s WHERE schemaname = %s""",
    "owners of sequences": f"""
        SELECT concat_ws(' ', relname, deptype, refobjid::regclass, refobjsubid > 0)
        FROM pg_depend JOIN pg_class ON oid = objid AND relkind = 'S'
        WHERE refclassid = 'pg_class'::regclass AND {OWN}""",
    "comments": f"""
        SELECT concat_ws(' ', relname, (pg_identify_object(classoid, objoid, objsubid)).identity, description)
        FROM pg_description JOIN pg_class ON oid = objoid WHERE {OWN}""",
    "privileges": f"""
        SELECT concat_ws(' ', relname, relowner::regrole, relacl)
        FROM pg_class WHERE relkind <> 't' AND {OWN}""",
}


def read_aspect(aspect, schema):
    """Return what PostgreSQL says of it, sorted, without the schema's name."""
    with connection.cursor() as cursor:
        cursor.execute(ASPECTS[aspect], [schema])
        return sorted(str(line).replace(f"{schema}.", "") for (line,) in cursor.fetchall())


def list_tables(schema):
    """Return the quoted names of the schema's tables."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = %s ORDER BY 1", [schema]
        )
        return [name for (name,) in cursor.fetchall()]


AUDIT_LOG = "audit_deed"


def read_rows(schema):
    """Return all rows of each table; a migration's time of application is left out, and the audit log.

    To make, export or import a tenant is a deed.
    """
    return {table: _read_table(schema, table) for table in list_tables(schema) if table != AUDIT_LOG}


def read_next_values(schema):
    """Return what each sequence gives next, and use it up."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = %s", [schema])
        names = sorted(name for (name,) in cursor.fetchall() if not name.startswith(AUDIT_LOG))
        values = {}
        for name in names:
            cursor.execute("SELECT nextval(format('%%I.%%I', %s, %s)::regclass)", [schema, name])
            values[name] = cursor.fetchone()[0]
    return values


def _read_table(schema, table):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT to_jsonb(t) - 'applied' FROM {schema}.{table} t")
        return sorted(str(row) for (row,) in cursor.fetchall())
