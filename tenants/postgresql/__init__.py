"""The database engine `tenants.postgresql`: django-tenants', with the bound tenant in the async context."""
