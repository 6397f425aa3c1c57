from django.db import migrations, models


class Migration(migrations.Migration):
    """A service that fails again and again is left alone for a while."""

    dependencies = [("search", "0005_set_asides_take_whole_keys")]

    operations = [
        migrations.AddField(
            model_name="servicebudget",
            name="failures",
            field=models.PositiveIntegerField(default=0, db_default=0),
        ),
    ]
