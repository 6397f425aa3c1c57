"""SQL that tells which source object a document's key names.

People can make keys by hand. So a part that is not a primary key, or is not written as `quote()` writes it,
must name nothing rather than fail.
"""

from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet

from tenants.context import connection

INTEGERS = ("smallint", "integer", "bigint")
INTEGER_PATTERN = "^(0|-?[1-9][0-9]{0,17})$"
UUID_PATTERN = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_TAIL = "%[89AB][0-9A-F]"
# Percent-encoded UTF-8 without NUL: The Unicode Standard, table 3-7, "Well-Formed UTF-8 Byte Sequences".
TEXT_PATTERN = (
    "^([^%]|%0[1-9A-F]|%[1-7][0-9A-F]"
    f"|%(C[2-9A-F]|D[0-9A-F]){_TAIL}"
    f"|%E0%[AB][0-9A-F]{_TAIL}|%ED%[89][0-9A-F]{_TAIL}|%E[1-9A-CEF]({_TAIL}){{2}}"
    f"|%F0%[9AB][0-9A-F]({_TAIL}){{2}}|%F[1-3]({_TAIL}){{3}}|%F4%8[0-9A-F]({_TAIL}){{2}})+$"
)
# Percent-decoded by way of hexadecimal digits.
DECODED = """convert_from(decode((
    SELECT string_agg(CASE WHEN left(piece[1], 1) = '%%' THEN substr(piece[1], 2)
        ELSE encode(convert_to(piece[1], 'UTF8'), 'hex') END, '' ORDER BY place)
    FROM regexp_matches({part}, '%%[0-9A-F]{{2}}|[^%%]+', 'g') WITH ORDINALITY AS pieces (piece, place)
), 'hex'), 'UTF8')"""


def get_pk_condition(objects: QuerySet, source: str) -> tuple[str, list[Any]]:
    """Return the SQL condition that a source, `app.model:pk`, names one of these objects; with parameters.

    `source` is trusted SQL.
    """
    rows = objects if objects.query.is_sliced else objects.order_by()
    try:
        own, params = rows.values("pk").query.sql_with_params()
    except EmptyResultSet:
        return "false", []
    part = f"split_part({source}, ':', 2)"
    column, value, pattern = _comparison(objects.model._meta.pk.rel_db_type(connection), part)
    sql = (
        f"(split_part({source}, ':', 1) = %s AND EXISTS (SELECT FROM ({own}) AS own (pk) "  # nosec B608: quoted
        f"WHERE {column} = CASE WHEN {part} ~ %s THEN {value} END))"
    )
    return sql, [objects.model._meta.label_lower, *params, pattern]


def _comparison(pk_type: str | None, part: str) -> tuple[str, str, str]:
    """Return the column, the value to compare it with, and the pattern of parts that have such a value."""
    if pk_type in INTEGERS:
        return "own.pk", f"{part}::bigint", INTEGER_PATTERN
    if pk_type == "uuid":
        return "own.pk", f"{part}::uuid", UUID_PATTERN
    return "own.pk::text", DECODED.format(part=part), TEXT_PATTERN
