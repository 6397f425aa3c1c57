"""What apps add to pages of others: links, and parts of their own."""

from typing import Any

from django import template
from django.apps import apps
from django.template.base import Template
from django.template.context import Context
from django.utils.safestring import SafeString, mark_safe

from tenants.admin.pages import list_links
from tenants.links import Link, list_header_links

register = template.Library()


@register.simple_tag(takes_context=True)
def include_parts(context: Context, name: str) -> SafeString:
    """Render `<app>/parts/<name>.html` of each app that has such a template, with the present context.

    An app is called as its folder is: apps/search_quality has search_quality/parts/.
    """
    found = context.render_context
    if name not in found:  # once for a page, not once for each result in a list
        found[name] = _find_parts(context, name)
    return mark_safe("".join(part.render(context) for part in found[name]))  # noqa: S308 - templates escape


def _find_parts(context: Context, name: str) -> list[Template]:
    engine = context.template.engine  # type: ignore[union-attr]
    parts = []
    for config in apps.get_app_configs():
        try:
            parts.append(engine.get_template(f"{config.name.rpartition('.')[2]}/parts/{name}.html"))
        except template.TemplateDoesNotExist:
            continue
    return parts


@register.simple_tag(takes_context=True)
def header_links(context: Context) -> list[tuple[Link, str]]:
    """Return what apps add to the header, each link with its address."""
    return list_header_links(context["request"]) if "request" in context else []


@register.simple_tag(takes_context=True)
def home_links(context: Context) -> list[tuple[Link, str]]:
    """Return what apps add to the operators' first page."""
    return list_links("HOME_LINKS", context["request"])


@register.simple_tag(takes_context=True)
def tenant_links(context: Context, tenant: Any) -> list[tuple[Link, str]]:
    """Return what apps add to the page of a tenant; nothing before it has a schema."""
    return list_links("TENANT_LINKS", context["request"], tenant) if tenant.provisioned_at else []
