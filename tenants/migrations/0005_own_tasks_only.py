from django.db import migrations

from tenants.queue.guarding import guard_queue


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0004_turns_of_tenants"),
    ]

    operations = [
        # A tenant's role could write a task for another tenant.
        migrations.RunPython(
            lambda apps, schema_editor: guard_queue(schema_editor.connection), migrations.RunPython.noop
        ),
    ]
