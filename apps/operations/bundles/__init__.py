"""A tenant as one file: to move it, to copy it, to keep it.

The file holds rows, vectors and uploads, and a manifest that says what they need. An import embeds nothing.
It takes a bundle that fits; of another it says all that does not fit, and writes nothing. Why so:
docs/decisions/0023-tenants-as-bundles.md.
"""
