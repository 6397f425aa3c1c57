"""A tenant as one file: to move it, to copy it, to keep it.

The file holds rows, vectors and uploads, and a manifest that says what they need. An import embeds nothing.
It takes a bundle that fits; of another it says all that does not fit, and writes nothing. Why so:
docs/decisions/0023-tenants-as-bundles.md.
"""

from tenants.bundle.checking import check_bundle
from tenants.bundle.errors import BundleError
from tenants.bundle.exporting import export_tenant
from tenants.bundle.importing import Imported, import_tenant

__all__ = ["BundleError", "Imported", "check_bundle", "export_tenant", "import_tenant"]
