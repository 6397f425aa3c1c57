"""Rows of up to half a page stay whole: every distance needs the vector, and to fetch it from TOAST costs more."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("pgvector", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE pgvector_pgvectorembedding SET (toast_tuple_target = 4080)",
            reverse_sql="ALTER TABLE pgvector_pgvectorembedding RESET (toast_tuple_target)",
        ),
    ]
