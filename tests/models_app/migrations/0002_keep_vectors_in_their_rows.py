from django.db import migrations

from apps.search.storage.pgvector.operations import KeepVectorsInRows


class Migration(migrations.Migration):
    dependencies = [("notes", "0001_initial")]

    operations = [KeepVectorsInRows("NoteEmbedding")]
