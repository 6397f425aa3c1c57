from django.db import migrations


def complain(apps, schema_editor):
    for article in apps.get_model("articles", "Article").objects.all():
        raise ValueError(f"unfit: {article.title}")


class Migration(migrations.Migration):
    dependencies = [("articles", "0001_initial")]

    operations = [migrations.RunPython(complain, migrations.RunPython.noop)]
