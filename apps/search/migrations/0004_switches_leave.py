from django.db import migrations, models


class Migration(migrations.Migration):
    """Leave the switches to apps.search_switching, with their table and rows. A run keeps the switch's number."""

    dependencies = [("search", "0003_service_budgets")]

    operations = [
        migrations.AlterField(
            model_name="indexrun",
            name="switch",
            field=models.BigIntegerField(
                db_column="switch_id",
                db_index=True,
                help_text="The switch that it is part of, if any.",
                null=True,
            ),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField(model_name="indexrun", old_name="switch", new_name="switch_id"),
                migrations.AlterField(
                    model_name="indexrun",
                    name="switch_id",
                    field=models.BigIntegerField(
                        db_index=True,
                        help_text="The switch that it is part of, if any.",
                        null=True,
                    ),
                ),
                migrations.DeleteModel("SpaceSwitch"),
            ]
        ),
    ]
