from django.db import migrations, models


def keep_one_primary_domain(apps, schema_editor):
    Domain = apps.get_model("tenants", "Domain")
    first = models.OuterRef("tenant_id")
    primary = Domain.objects.filter(is_primary=True)
    kept = primary.filter(tenant_id=first).order_by("pk").values("pk")[:1]
    primary.exclude(pk=models.Subquery(kept)).update(is_primary=False)


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0002_provisioning_template"),
    ]

    operations = [
        migrations.CreateModel(
            name="DeletionReport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("schema_name", models.CharField(db_index=True, max_length=63, verbose_name="schema")),
                ("name", models.CharField(max_length=100)),
                ("tenant_pk", models.BigIntegerField(db_index=True, verbose_name="primary key")),
                ("deleted_at", models.DateTimeField(auto_now_add=True)),
                ("proved_at", models.DateTimeField(null=True)),
                (
                    "remainders",
                    models.IntegerField(help_text="In how many places something is left.", null=True),
                ),
                ("looks", models.JSONField(default=list)),
            ],
            options={
                "ordering": ["-deleted_at"],
            },
        ),
        migrations.AlterField(
            model_name="domain",
            name="is_primary",
            field=models.BooleanField(
                db_index=True,
                default=True,
                help_text="Where redirects lead to. Each tenant has one.",
                verbose_name="primary",
            ),
        ),
        migrations.AddField(
            model_name="domain",
            name="redirects",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Leads to the primary domain; nobody else can take it.",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="delete_after",
            field=models.DateTimeField(editable=False, null=True, verbose_name="to be deleted after"),
        ),
        migrations.AddField(
            model_name="tenant",
            name="state_before",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=20),
        ),
        migrations.AlterField(
            model_name="tenant",
            name="state",
            field=models.CharField(
                choices=[
                    ("provisioning", "Provisioning"),
                    ("active", "Active"),
                    ("failed", "Failed"),
                    ("suspended", "Suspended"),
                    ("leaving", "Leaving"),
                ],
                default="provisioning",
                editable=False,
                max_length=20,
            ),
        ),
        # Only saving kept it so until now.
        migrations.RunPython(keep_one_primary_domain, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="domain",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_primary", True)),
                fields=("tenant",),
                name="tenants_one_primary_domain",
            ),
        ),
        migrations.AddConstraint(
            model_name="domain",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_primary", False), ("redirects", False), _connector="OR"),
                name="tenants_primary_domain_serves",
            ),
        ),
    ]
