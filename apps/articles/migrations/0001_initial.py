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
                        name="article_embedding_hnsw",
                        opclasses=["vector_cosine_ops"],
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["keywords"], name="articleembedding_11907e_kw"
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["metadata"], name="articleembedding_11907e_md", opclasses=["jsonb_path_ops"]
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("space", "index_name", "document_key"), name="articles_articleembedding_key"
                    )
                ],
            },
        ),
    ]
