from django.db import migrations

from apps.search.storage.pgvector.operations import KeepVectorsInRows


class Migration(migrations.Migration):
    dependencies = [("articles", "0001_initial")]

    operations = [KeepVectorsInRows("ArticleEmbedding")]
