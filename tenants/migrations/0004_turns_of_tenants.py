from django.db import migrations

CREATE = """
    CREATE INDEX tenants_turns ON django_tasks_database_dbtaskresult (
        priority,
        (coalesce(args_kwargs #>> '{kwargs,_tenant_schema}', 'public') COLLATE "C"),
        (CASE WHEN run_after = '9999-01-01 00:00:00+00' THEN enqueued_at ELSE run_after END)
    ) WHERE status = 'READY'
"""


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0003_life_cycle"),
        ("django_tasks_database", "0021_conditional_partial_index_ordering"),
    ]

    operations = [
        migrations.RunSQL(CREATE, "DROP INDEX tenants_turns"),
    ]
