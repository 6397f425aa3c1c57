from django.db import migrations, models

# Django has no unlogged tables.
CREATE_TABLE = """
    CREATE UNLOGGED TABLE accounts_trycount (
        key varchar(200) NOT NULL PRIMARY KEY, times integer NOT NULL, ends_at timestamptz NOT NULL
    )
"""
MODEL = migrations.CreateModel(
    name="TryCount",
    fields=[
        ("key", models.CharField(max_length=200, primary_key=True, serialize=False)),
        ("times", models.IntegerField()),
        ("ends_at", models.DateTimeField(db_index=True)),
    ],
    options={"default_permissions": ()},
)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_remember_invitations"),
    ]

    operations = [
        migrations.RunSQL(CREATE_TABLE, "DROP TABLE accounts_trycount", state_operations=[MODEL]),
        migrations.RunSQL(
            "CREATE INDEX accounts_trycount_ends_at ON accounts_trycount (ends_at)",
            "DROP INDEX accounts_trycount_ends_at",
        ),
    ]
