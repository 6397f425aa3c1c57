from django.db import migrations

CREATE = """
    CREATE INDEX tenants_running ON django_tasks_database_dbtaskresult (
        (coalesce(args_kwargs #>> '{kwargs,_tenant_schema}', 'public') COLLATE "C")
    ) WHERE status = 'RUNNING'
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0006_row_estimates")]

    operations = [
        migrations.RunSQL(CREATE, "DROP INDEX tenants_running"),
    ]
