import django.contrib.postgres.indexes
import django.contrib.postgres.search
import pgvector.django.indexes
import pgvector.django.vector
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Note",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(blank=True, max_length=200, null=True, unique=True)),
                ("title", models.CharField(max_length=300)),
                ("body", models.TextField()),
                ("source", models.CharField(blank=True, max_length=500)),
                ("upload", models.FileField(blank=True, upload_to="notes/%Y/")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "ordering": ["-updated_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="NoteEmbedding",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("space", models.CharField(db_collation="C", max_length=50)),
                ("index_name", models.CharField(db_collation="C", max_length=100)),
                ("document_key", models.CharField(db_collation="C", max_length=512)),
                ("content", models.TextField()),
                ("metadata", models.JSONField(default=dict)),
                ("keywords", django.contrib.postgres.search.SearchVectorField(editable=False, null=True)),
                (
                    "keyword_recipe",
                    models.CharField(db_collation="C", default="", editable=False, max_length=50),
                ),
                ("vector", pgvector.django.vector.VectorField(dimensions=384)),
            ],
            options={
                "indexes": [
                    pgvector.django.indexes.HnswIndex(
                        ef_construction=64,
                        fields=["vector"],
                        m=16,
                        name="note_embedding_hnsw",
                        opclasses=["vector_cosine_ops"],
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["keywords"], name="noteembedding_51e35d_kw"
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["metadata"], name="noteembedding_51e35d_md", opclasses=["jsonb_path_ops"]
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("space", "index_name", "document_key"), name="notes_noteembedding_key"
                    )
                ],
            },
        ),
    ]
