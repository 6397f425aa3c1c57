"""/api/golden-queries."""

import json
from typing import Annotated, Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema, Status
from ninja.pagination import paginate

from apps.search.searching.refusals import ErrorsOut, refuse, refuse_form, require
from apps.search_quality.golden.answers import find_source
from apps.search_quality.golden.promoting import PromotionForm, UnknownAnswerError, take_back
from apps.search_quality.models import GoldenAnswer, GoldenQuery

router = Router(tags=["golden queries"])
IndexName = Annotated[str, Query(pattern=r"^[^\x00]*$")]
REFUSALS = {401: ErrorsOut, 403: ErrorsOut, 422: ErrorsOut}


class GoldenIn(Schema):
    """A query and a document that answers it. The form validates; this describes."""

    q: str = Field("", description="The query: 1 to 2,000 characters.")
    document_key: str = Field("", description="As in a search's results; a chunk stands for its object.")
    index: str = Field("", description="The index; the default index when left out.")
    filter: Any = Field(None, description="The search's filter, as a JSON object.")
    grade: int = Field(3, description="3: the right answer, 2: a good one, 1: a helpful one.")


class AnswerOut(Schema):
    """A right answer: `model` and `pk` of an object, or the key of a document that was made from none."""

    id: int
    grade: int
    model: str | None
    pk: str | None
    document_key: str | None


class GoldenOut(Schema):
    """A golden query with its answers."""

    id: int
    index: str = Field(alias="index_name")
    query: str
    filter: dict[str, Any] | None
    answers: list[AnswerOut]

    @staticmethod
    def resolve_answers(golden: GoldenQuery) -> list[dict[str, Any]]:
        """Return the answers, each with what its key stands for."""
        described = []
        for answer in golden.answers.all():
            source = find_source(answer.key)
            model, pk, key = (source.model, source.pk, None) if source else (None, None, answer.key)
            described.append(
                {"id": answer.pk, "grade": answer.grade, "model": model, "pk": pk, "document_key": key}
            )
        return described


@router.get("/golden-queries", response=list[GoldenOut], by_alias=False)
@paginate
def list_golden(request: HttpRequest, index: IndexName = "") -> QuerySet[GoldenQuery]:
    """List the golden queries, the newest first; of one index, if it is named."""
    require(request, "quality.view_goldenquery")
    rows = GoldenQuery.objects.prefetch_related("answers")
    return rows.filter(index_name=index) if index else rows


@router.post("/golden-queries", response={201: GoldenOut} | REFUSALS, by_alias=False)
def promote_answer(request: HttpRequest, promotion: GoldenIn) -> Status[Any]:
    """Make a search's result a right answer to its query, or change its grade."""
    require(request, "quality.add_goldenquery")
    data = promotion.dict()
    form = PromotionForm(data | {"filter": "" if data["filter"] is None else json.dumps(data["filter"])})
    if not form.is_valid():
        return refuse_form(form)
    try:
        return Status(201, form.promote().golden_query)
    except UnknownAnswerError as error:
        return refuse(422, document_key=str(error))


@router.delete("/golden-queries/{int:pk}", response={204: None} | REFUSALS)
def delete_golden(request: HttpRequest, pk: int) -> Status[None]:
    """Delete a golden query with all its answers."""
    require(request, "quality.delete_goldenquery")
    get_object_or_404(GoldenQuery, pk=pk).delete()
    return Status(204, None)


@router.delete("/golden-queries/{int:pk}/answers/{int:answer_pk}", response={204: None} | REFUSALS)
def delete_answer(request: HttpRequest, pk: int, answer_pk: int) -> Status[None]:
    """Take a promotion back; a golden query without any answer goes, too."""
    require(request, "quality.add_goldenquery")
    take_back(get_object_or_404(GoldenAnswer, pk=answer_pk, golden_query=pk))
    return Status(204, None)
