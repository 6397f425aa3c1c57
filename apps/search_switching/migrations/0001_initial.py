from django.db import migrations, models


def move_content_type(apps, schema_editor):
    """Keep the permissions that people and groups have: they hang on the content type, which changes its app."""
    _move(apps, "search", "search_switching")


def move_content_type_back(apps, schema_editor):
    _move(apps, "search_switching", "search")


def _move(apps, old, new):
    types = apps.get_model("contenttypes", "ContentType").objects.filter(model="spaceswitch")
    if not types.filter(app_label=new).exists():
        types.filter(app_label=old).update(app_label=new)


class Migration(migrations.Migration):
    """Take the switches over from the search app, which made their table in its first migration."""

    initial = True

    dependencies = [("search", "0004_switches_leave"), ("contenttypes", "0002_remove_content_type_name")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="SpaceSwitch",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("origin", models.CharField(db_column="source", max_length=50)),
                        ("target", models.CharField(max_length=50)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("filling", "Filling"),
                                    ("ready", "Ready"),
                                    ("switched", "Switched"),
                                    ("ended", "Ended"),
                                    ("cancelled", "Cancelled"),
                                ],
                                default="filling",
                                max_length=20,
                            ),
                        ),
                        (
                            "is_automatic",
                            models.BooleanField(
                                default=False, help_text="Cut over as soon as the target is ready."
                            ),
                        ),
                        ("reason", models.TextField(blank=True, help_text="Why it is not going on.")),
                        (
                            "comparison",
                            models.JSONField(help_text="How alike both spaces answer.", null=True),
                        ),
                        ("started_by", models.CharField(blank=True, max_length=254)),
                        ("started_at", models.DateTimeField(auto_now_add=True)),
                        ("ready_at", models.DateTimeField(null=True)),
                        ("switched_at", models.DateTimeField(null=True)),
                        ("ended_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "db_table": "search_spaceswitch",
                        "ordering": ["-pk"],
                        "constraints": [
                            models.UniqueConstraint(
                                models.Value(1),
                                condition=models.Q(
                                    ("state", "filling"),
                                    ("state", "ready"),
                                    ("state", "switched"),
                                    _connector="OR",
                                ),
                                name="search_one_live_switch",
                            )
                        ],
                    },
                ),
            ]
        ),
        migrations.RunPython(move_content_type, move_content_type_back),
    ]
