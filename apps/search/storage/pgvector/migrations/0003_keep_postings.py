"""What large indexes keep for their searches by words; see keywords/postings.py."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pgvector", "0002_keep_vectors_in_their_rows")]

    operations = [
        migrations.CreateModel(
            name="KeywordIndex",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("table_name", models.CharField(db_collation="C", max_length=63)),
                ("space", models.CharField(db_collation="C", max_length=50)),
                ("index_name", models.CharField(db_collation="C", max_length=100)),
                ("generation", models.BigIntegerField(default=0)),
                ("base", models.BigIntegerField(default=0)),
                ("documents", models.BigIntegerField(default=0)),
                ("words", models.BigIntegerField(default=0)),
                ("mark", models.CharField(max_length=50)),
                ("marks", models.TextField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("table_name", "space", "index_name"), name="pgvector_keywordindex_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="KeywordPostings",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("generation", models.BigIntegerField()),
                ("lexeme", models.TextField(db_collation="C")),
                ("part", models.IntegerField()),
                ("entries", models.BinaryField()),
                (
                    "index",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="pgvector.keywordindex",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("index", "generation", "lexeme", "part"), name="pgvector_keywordpostings_key"
                    )
                ],
            },
        ),
        # Numbers close to each other in eight bytes: to look for what repeats takes longer than it saves.
        migrations.RunSQL(
            "ALTER TABLE pgvector_keywordpostings ALTER COLUMN entries SET STORAGE EXTERNAL",
            reverse_sql="ALTER TABLE pgvector_keywordpostings ALTER COLUMN entries SET STORAGE EXTENDED",
        ),
    ]
