from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("articles", "0001_initial")]

    operations = [migrations.AddField("Article", "rating", models.IntegerField(null=True, db_index=True))]
