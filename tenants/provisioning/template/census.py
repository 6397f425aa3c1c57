"""Lists what the first schema of the search_path holds, to tell whether two schemas are alike."""

from hashlib import sha256
from typing import Any

# Everything that hangs on the schema or on one of its tables, found through an index of pg_depend: a search
# of pg_class by schema would read the relations of all tenants.
OBJECTS = """
WITH members AS (
    SELECT classid, objid FROM pg_depend
    WHERE refclassid = 'pg_namespace'::regclass AND refobjid = current_schema()::regnamespace
), objects AS (
    SELECT classid, objid FROM members
    UNION
    SELECT pg_depend.classid, pg_depend.objid FROM members JOIN pg_depend
        ON pg_depend.refclassid = members.classid AND pg_depend.refobjid = members.objid
    WHERE pg_depend.deptype <> 'n'
)
"""
# An object's name without the schema's; a short schema's name may end another name, as `t` ends `result.id`.
BARE = r"regexp_replace(identity, '(?<![[:alnum:]_])' || quote_ident(current_schema()) || '\.', '', 'g')"
# A toast table's name is a number.
OBJECT_NAMES = f"""
{OBJECTS}
SELECT type || ' ' || {BARE}
FROM objects CROSS JOIN LATERAL pg_identify_object(classid, objid, 0)
WHERE type <> 'toast table'
"""  # noqa: S608 - constants alone

# Properties that the statements do not set: where they differ, a replay would lose something.
PROPERTIES = f"""
{OBJECTS}
SELECT concat_ws(' ', 'comment on', {BARE}, description)
FROM pg_description JOIN objects ON (classid, objid) = (classoid, objoid)
CROSS JOIN LATERAL pg_identify_object(classoid, objoid, objsubid)
UNION ALL
SELECT concat_ws(' ', 'properties of', relname, relkind, relpersistence, relrowsecurity, relforcerowsecurity,
    relreplident, reltablespace, amname, indisclustered, indisvalid, indisreplident,
    (SELECT count(*) FROM pg_inherits WHERE inhrelid = pg_class.oid))
FROM pg_class LEFT JOIN pg_index ON indexrelid = pg_class.oid LEFT JOIN pg_am ON pg_am.oid = relam
WHERE relnamespace = current_schema()::regnamespace
UNION ALL
SELECT concat_ws(' ', 'properties of', relname, attname, attacl, attoptions)
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = current_schema()::regnamespace AND num_nonnulls(attacl, attoptions) > 0
UNION ALL
SELECT concat_ws(' ', 'properties of', conrelid::regclass, conname, convalidated, connoinherit)
FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
"""  # noqa: S608 - constants alone


def read_objects(cursor: Any) -> list[str]:
    """Return a line for every table, column default, index, constraint, sequence, trigger, function, ...

    Takes a few milliseconds however many schemas there are.
    """
    cursor.execute(OBJECT_NAMES)
    return sorted(line for (line,) in cursor.fetchall())


def read_properties(cursor: Any) -> list[str]:
    """Return a line for what an object's statement does not say of it."""
    cursor.execute(PROPERTIES)
    return sorted(line for (line,) in cursor.fetchall())


def digest(lines: list[str]) -> str:
    """Return 64 hexadecimal digits that stand for the lines."""
    return sha256("\n".join(lines).encode()).hexdigest()
