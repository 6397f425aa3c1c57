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
                ("vector", pgvector.django.vector.VectorField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("space", "index_name", "document_key"), name="pgvector_pgvectorembedding_key"
                    )
                ],
            },
        ),
    ]
