import django.contrib.postgres.indexes
import django.contrib.postgres.search
import pgvector.django.vector
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="PgVectorEmbedding",
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
                ("vector", pgvector.django.vector.VectorField()),
            ],
            options={
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["keywords"], name="pgvectorembedding_912c38_kw"
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["metadata"], name="pgvectorembedding_912c38_md", opclasses=["jsonb_path_ops"]
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("space", "index_name", "document_key"), name="pgvector_pgvectorembedding_key"
                    )
                ],
            },
        ),
    ]
