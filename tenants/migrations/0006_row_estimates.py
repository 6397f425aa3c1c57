from django.db import migrations

from tenants.postgresql.estimates import CREATE, DROP


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0005_own_tasks_only"),
    ]

    operations = [
        migrations.RunSQL(CREATE, DROP),
    ]
