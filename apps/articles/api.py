"""GET /api/articles."""

from datetime import datetime

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema
from ninja.pagination import paginate

from apps.articles.models import Article

router = Router(tags=["articles"])


class ArticleOut(Schema):
    """An article."""

    id: int
    key: str | None
    title: str
    body: str
    source: str
    updated_at: datetime


@router.get("/articles", response=list[ArticleOut])
@paginate
def list_articles(request: HttpRequest) -> QuerySet[Article]:
    """List the articles, those changed last first."""
    return Article.objects.all()


@router.get("/articles/{int:pk}", response=ArticleOut)
def get_article(request: HttpRequest, pk: int) -> Article:
    """Return one article; 404 when there is none."""
    return get_object_or_404(Article, pk=pk)
