"""The tenant's home page and the page of an article."""

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from apps.articles.models import Article
from apps.search.searching.access import search_access_required
from apps.search.searching.forms import SearchForm
from apps.search.searching.results import find_similar

RECENT = 8
SIMILAR = 5


@search_access_required
def home(request: HttpRequest) -> HttpResponse:
    """Show the search box and the articles changed last."""
    context = {
        "form": SearchForm(),
        "articles": Article.objects.all()[:RECENT],
        "article_count": Article.objects.count(),
    }
    return render(request, "articles/home.html", context)


@search_access_required
def article(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one article and those that are similar to it."""
    found = get_object_or_404(Article, pk=pk)
    context = {"article": found, "form": SearchForm(), "similar": find_similar(found, SIMILAR)}
    return render(request, "articles/article.html", context)


@search_access_required
def upload(request: HttpRequest, pk: int) -> FileResponse:
    """Send an article's file, from the tenant's own folder, as a download."""
    found = get_object_or_404(Article, pk=pk)
    try:
        return FileResponse(found.upload.open(), as_attachment=True)
    except (FileNotFoundError, ValueError) as error:
        raise Http404("This article has no file.") from error
