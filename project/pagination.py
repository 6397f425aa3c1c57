"""How the API's lists are paged (NINJA_PAGINATION_CLASS)."""

from ninja import Field, Schema
from ninja.pagination import LimitOffsetPagination

MAX_OFFSET = 2**31 - 1  # PostgreSQL counts every row on its way to an offset


class Pages(LimitOffsetPagination):
    """`limit` and `offset`; 422 for what is out of bounds."""

    class Input(Schema):
        """The parameters of a list."""

        limit: int = Field(100, ge=1, le=1000, description="How many: 1 to 1,000.")
        offset: int = Field(0, ge=0, le=MAX_OFFSET, description="How many to leave out.")
