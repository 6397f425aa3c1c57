"""manage.py runserver"""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles.management.commands.runserver import Command as StaticFilesCommand


class Command(StaticFilesCommand):
    """Django's, which also says where the sites are."""

    def on_bind(self, server_port: int) -> None:
        """Name the operators' site, and what to do where links would lead to another port."""
        super().on_bind(server_port)
        site = urlsplit(settings.SITE_URL)
        expected = site.port or (443 if site.scheme == "https" else 80)
        if server_port == expected:
            self.stdout.write(f"The operators' site is {settings.SITE_URL}; tenants are on its subdomains.")
            return
        fitting = f"{site.scheme}://{site.hostname}:{server_port}"
        self.stdout.write(
            self.style.WARNING(
                f"SITE_URL is {settings.SITE_URL}, so addresses of tenants lead to port {expected}, "
                f"and not here. Write SITE_URL={fitting} into .env, and start again."
            )
        )
