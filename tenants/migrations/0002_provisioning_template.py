from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProvisioningTemplate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("fingerprint", models.CharField(max_length=64, unique=True)),
                ("statements", models.TextField()),
                ("objects_digest", models.CharField(max_length=64)),
                ("fault", models.TextField(blank=True, help_text="Why tenants are migrated all the same.")),
                ("made_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
