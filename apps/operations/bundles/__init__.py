"""A tenant as one file: to move it, to copy it, to keep it.

The file holds rows, vectors and uploads, and a manifest that says what they need. An import embeds nothing.
If a bundle does not fit, the import lists all reasons and writes nothing. Background:
docs/decisions/0023-tenants-as-bundles.md.
"""
