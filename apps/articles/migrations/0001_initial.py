import pgvector.django.indexes
import pgvector.django.vector
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Article",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "key",
                    models.CharField(
                        blank=True,
                        help_text="Its name where it comes from; importing the same key again updates it.",
                        max_length=200,
                        null=True,
                        unique=True,
                    ),
                ),
                ("title", models.CharField(max_length=300)),
                ("body", models.TextField()),
                (
                    "source",
                    models.CharField(
                        blank=True, help_text="Where it comes from: a file, a page.", max_length=500
                    ),
                ),
                ("upload", models.FileField(blank=True, upload_to="articles/%Y/")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "ordering": ["-updated_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="ArticleEmbedding",
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
                ("vector", pgvector.django.vector.VectorField(dimensions=384)),
            ],
            options={
                "indexes": [
                    pgvector.django.indexes.HnswIndex(
                        ef_construction=64,
                        fields=["vector"],
                        m=16,
                        name="article_embedding_hnsw",
                        opclasses=["vector_cosine_ops"],
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("space", "index_name", "document_key"), name="articles_articleembedding_key"
                    )
                ],
            },
        ),
    ]
