"""The settings of bundles: what an import takes from a file that may come from anybody."""

from tenants.conf import AppSettings


class BundleSettings(AppSettings):
    """Each with its default. Raise one, for a bundle that you trust, in the environment of the command."""

    BUNDLE_MAX_BYTES: int = 100 * 1000**3  # unpacked, of rows and files together
    # Unpacked bytes for each packed one, beyond the first 16 MiB. Rows and texts have 2 to 20.
    BUNDLE_MAX_RATIO: int = 100
    # Of the manifest, which has some 200 bytes for each file. Reading takes up to 40 times as much memory.
    BUNDLE_MAX_MANIFEST_BYTES: int = 8 * 1024**2
    BUNDLE_MAX_ROW_BYTES: int = 64 * 1024**2  # of a row as text; PostgreSQL holds a whole one in memory


conf = BundleSettings()
