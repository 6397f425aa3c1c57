import django.db.models.deletion
from django.db import migrations, models
from pgvector.django import VectorExtension

import tenants.validators
from tenants.operations import CreateOptionalExtension

LANGUAGES = [
    *("simple", "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "finnish", "french"),
    *("german", "greek", "hindi", "hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali"),
    *("norwegian", "portuguese", "romanian", "russian", "serbian", "spanish", "swedish", "tamil", "turkish"),
    "yiddish",
]


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        # In `public`, once: an extension in a tenant's schema would take all vectors with it.
        VectorExtension(),
        CreateOptionalExtension("unaccent"),
        migrations.CreateModel(
            name="Tenant",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "subdomain",
                    models.CharField(
                        max_length=48, unique=True, validators=[tenants.validators.validate_subdomain]
                    ),
                ),
                (
                    "schema_name",
                    models.CharField(
                        editable=False,
                        max_length=63,
                        unique=True,
                        validators=[tenants.validators.validate_schema_name],
                    ),
                ),
                (
                    "owner_email",
                    models.EmailField(
                        help_text="Becomes the first member and is sent a link to set a password.",
                        max_length=254,
                        verbose_name="first user's e-mail",
                    ),
                ),
                (
                    "space",
                    models.CharField(
                        default="default",
                        help_text="The embedder and the table that serve this tenant's search, from settings.EMBEDDINGS.",
                        max_length=50,
                        validators=[tenants.validators.validate_space],
                    ),
                ),
                (
                    "search_language",
                    models.CharField(
                        choices=[(language, language) for language in LANGUAGES],
                        default="english",
                        help_text="Whose word forms and stop words the search by words knows; simple knows none. After a change: manage.py rebuild_index.",
                        max_length=20,
                    ),
                ),
                (
                    "search_is_public",
                    models.BooleanField(
                        default=False, help_text="Anyone may search and read. Otherwise members sign in."
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("provisioning", "Provisioning"),
                            ("active", "Active"),
                            ("failed", "Failed"),
                            ("suspended", "Suspended"),
                        ],
                        default="provisioning",
                        editable=False,
                        max_length=20,
                    ),
                ),
                ("state_reason", models.TextField(blank=True, editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("provisioned_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Domain",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("is_primary", models.BooleanField(db_index=True, default=True)),
                (
                    "domain",
                    models.CharField(
                        max_length=253, unique=True, validators=[tenants.validators.validate_domain]
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="domains",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "ordering": ["domain"],
            },
        ),
    ]
