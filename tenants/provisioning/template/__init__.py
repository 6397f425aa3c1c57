"""A tenant's schema, made by replaying what migrating a template schema gave.

Migrating takes some hundred round trips; the statements that lead to the same schema take one. They are read
from the catalog once, replayed into a second schema, compared, and kept in the registry until a migration,
the server or an extension changes. Where a template does not fit, the tenant is migrated, which is always
right. Why so: docs/decisions/0012-provisioning-by-template.md.
"""

from tenants.provisioning.template.making import TemplateError, create_schema, get_template
from tenants.provisioning.template.replaying import replay

__all__ = ["TemplateError", "create_schema", "get_template", "replay"]
