"""The apps that a clone may leave out: each by deleting its line of INSTALLED_APPS."""

# Each with the folders of tests/ that are about it. They are not collected where it is left out.
OPTIONAL = {
    "apps.operations.fleet": ["operations/fleet", "bench_tenants"],
    "apps.operations.bundles": ["operations/bundles"],
    "apps.operations.isolation": ["operations/isolation"],
    "apps.search_switching": ["search_switching"],
    "apps.search_own_spaces": ["search_own_spaces"],
    "apps.search_quality": ["search_quality"],
    "apps.articles": ["articles"],
    "project.demo": ["demo"],
}
