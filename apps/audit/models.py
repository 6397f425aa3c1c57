"""The audit log."""

from typing import ClassVar

from django.db import models
from django.utils import timezone


class Deed(models.Model):
    """What somebody did, in the schema in which it was done.

    A tenant's database role may add deeds and read them. It cannot change or delete one, so neither can a
    member, whatever the member may do in the admin.
    """

    is_append_only: ClassVar = True  # see tenants.provisioning.roles

    at = models.DateTimeField(default=timezone.now, db_index=True, editable=False)
    who = models.CharField(max_length=300, editable=False)
    what = models.CharField(max_length=100, db_index=True, editable=False)
    on = models.TextField(blank=True, editable=False, db_column="on_what", verbose_name="on what")
    whose = models.CharField(max_length=63, editable=False)
    address = models.CharField("from where", max_length=100, blank=True, editable=False)
    request_id = models.CharField("request", max_length=128, blank=True, editable=False)
    details = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]

    def __str__(self) -> str:
        return " ".join(filter(None, [self.who, self.what, self.on]))
