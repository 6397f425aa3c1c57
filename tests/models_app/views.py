"""A note, and the file that belongs to it."""

from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404

from apps.search.searching.access import search_access_required
from tests.models_app.models import Note


@search_access_required
def note(request, pk):
    """Show a note as plain text."""
    found = get_object_or_404(Note, pk=pk)
    return HttpResponse(f"{found.title}\n\n{found.body}", content_type="text/plain")


@search_access_required
def upload(request, pk):
    """Send a note's file."""
    found = get_object_or_404(Note, pk=pk)
    try:
        return FileResponse(found.upload.open(), as_attachment=True)
    except (FileNotFoundError, ValueError) as error:
        raise Http404("This note has no file.") from error
