"""GET /api/notes."""

from ninja import ModelSchema, Router
from ninja.pagination import paginate

from tests.models_app.models import Note

router = Router(tags=["notes"])


class NoteOut(ModelSchema):
    """A note."""

    class Meta:
        model = Note
        fields = ["id", "key", "title", "body", "source", "updated_at"]


@router.get("/notes", response=list[NoteOut])
@paginate
def list_notes(request):
    """List the notes, those changed last first."""
    return Note.objects.all()
