from django.db import migrations, models


class Migration(migrations.Migration):
    """Keys of documents have up to 512 characters; those cut to 255 never compared equal to them."""

    dependencies = [("search", "0004_switches_leave")]

    operations = [
        migrations.AlterField(
            model_name="setaside", name="object_pk", field=models.CharField(max_length=512)
        ),
    ]
