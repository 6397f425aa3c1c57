from django.db import migrations


def complain(apps, schema_editor):
    for note in apps.get_model("notes", "Note").objects.all():
        raise ValueError(f"unfit: {note.title}")


class Migration(migrations.Migration):
    dependencies = [("notes", "0001_initial")]

    operations = [migrations.RunPython(complain, migrations.RunPython.noop)]
