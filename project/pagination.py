"""Pages of the API's lists. Named in NINJA_PAGINATION_CLASS."""

from ninja import Field, Schema
from ninja.pagination import LimitOffsetPagination

MAX_OFFSET = 2**31 - 1  # PostgreSQL's bigint would take more, but counts its way there


class Pages(LimitOffsetPagination):
    """`limit` and `offset`; what is out of bounds is answered with 422."""

    class Input(Schema):
        """What may be asked."""

        limit: int = Field(100, ge=1, le=1000, description="How many: 1 to 1,000.")
        offset: int = Field(0, ge=0, le=MAX_OFFSET, description="How many to leave out.")
