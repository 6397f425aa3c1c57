"""Notes in the members' admin."""

from django.contrib import admin

from tests.models_app.models import Note

admin.site.register(Note, list_display=["title", "key", "source"], search_fields=["title", "key"])
