"""PostgreSQL's estimate of how many rows a table or an index has, for whoever may know.

It is in pg_class, where a tenant's role does not read it (tenants/provisioning/reserving.py): it would read
the other tenants', too. The function tells a role only of its own schema, which its name ends in.
"""

ESTIMATE_ROWS = "public.tenants_estimate_rows"  # takes a regclass or an oid
CREATE = rf"""
    CREATE FUNCTION {ESTIMATE_ROWS}(relation oid) RETURNS real
    LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT reltuples FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
        WHERE pg_class.oid = relation AND (
            current_setting('role') !~ '^t_[0-9a-f]{{8}}_' OR nspname = substr(current_setting('role'), 12)
        )
    $$
"""  # noqa: S608 - constants
DROP = f"DROP FUNCTION {ESTIMATE_ROWS}(oid)"
