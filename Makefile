# Everything a newcomer needs: `make demo`, `make test`. Needs Python >= 3.12 and make, nothing else.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
DOCS := .venv-docs
PY := $(VENV)/bin/python
LOCK := requirements/dev.txt
WORKERS ?= logical

.PHONY: demo setup docs test test-alone test-howtos test-optional test-pages lint smoke check bench bench-http bench-neighbours bench-peers bench-tenants eval prove rename lock db-start db-stop db-reset clean

demo: setup ## Two tenants with real documents at http://localhost:8000/
	@test -d project/demo || { echo "There is no demo: project/demo was removed."; exit 1; }
	@PORT=$(PORT) $(PY) -m project.demo

setup: $(VENV)/installed .env ## The virtual environment and the development settings

$(VENV)/installed: $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' || \
		{ echo "Python >= 3.12 is needed; this is `$(PYTHON) --version`. Try: make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing what the project needs into $(VENV), once: one to four minutes, 0.7 GB."
	@$(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null; then \
		uv pip sync --quiet --python $(PY) --require-hashes $(LOCK); \
	else \
		$(PYTHON) -m project.installing $(PY) $(LOCK); \
	fi
	@mkdir -p var/static && touch $@

.env:
	@echo "Copying .env.example to .env, the settings of this machine."
	@install -m 600 .env.example .env

test: setup ## All tests, in an order by chance, by as many workers as processors; WORKERS=0 for none
	$(PY) -m pytest --numprocesses=$(WORKERS) --maxprocesses=4 --dist=loadfile

test-alone: setup ## Each file of the tests in a process of its own; SAMPLE=4 for some of them
	$(PY) -m tests.alone $(if $(SAMPLE),--sample=$(SAMPLE)) $(if $(SEED),--seed=$(SEED))

test-howtos: setup ## Commands of how-tos, read from the pages and carried out in a copy; five to fifteen minutes
	$(PY) -m tests.howtos $(PAGES)

test-optional: setup ## The project without each optional app, and with one app more; six to ten minutes
	$(PY) -m tests.matrix $(WITHOUT)

test-pages: $(VENV)/pages ## Every page of both sites in Chromium, with axe-core; about four minutes
	$(PY) -m pytest -m pages tests/pages

$(VENV)/pages: $(VENV)/installed .env requirements/pages.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/pages.txt
	@touch $@

lint: setup ## Style, types, and what bandit, detect-secrets and pip-audit find
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m tests.scan

eval: setup ## How well each mode of search finds known items, in eight languages; some ten minutes
	@test -d tests/eval || { echo "There is nothing to measure: tests/eval was removed with the example."; exit 1; }
	$(PY) -m tests.eval

# For commands that run as in production and keep nothing: secrets of a moment.
OWN_SECRET = $$($(PY) -c 'import secrets; print(secrets.token_urlsafe(50))')

check: setup ## Migrations complete, fit for deployment
	$(PY) manage.py makemigrations --check --dry-run
	SITE_URL=https://example.com EMAIL_URL=smtp+tls://mail.example.com:587 DEBUG=False \
		SECRET_KEY=$(OWN_SECRET) ENCRYPTION_KEYS=$(OWN_SECRET) \
		$(PY) manage.py check --deploy --fail-level WARNING --database default

prove: setup ## Attack each tenant here from every other; STEPS=1000000 for long random interleavings
	$(PY) manage.py prove_isolation
	STEPS=$(STEPS) $(PY) -m pytest tests/operations/isolation/test_interleavings.py --timeout=0 -s

smoke: setup ## The demo with few documents on a free port, searched over HTTP
	@test -d project/demo || echo "There is no demo to try: project/demo was removed."
	test ! -d project/demo || $(PY) -m tests.smoke

bench-tenants: setup ## Ratios against django-tenants' own way; TENANTS=1000 for a real fleet
	@test -d apps/articles || { echo "There is nothing to measure: this benchmark needs the example, apps/articles, which was removed."; exit 1; }
	TENANTS=$(TENANTS) $(PY) -m tests.bench_tenants

bench-neighbours: setup ## What a hostile tenant does to another one's answers; about four minutes
	@test -d apps/articles || { echo "There is nothing to measure: this benchmark needs the example, apps/articles, which was removed."; exit 1; }
	$(PY) -m tests.bench_neighbours

bench-http: setup ## The site as shipped, asked by 1, 4 and 16 clients; TENANTS=6 SECONDS=1 for a quick look
	@test -d apps/articles || { echo "There is nothing to measure: this benchmark needs the example, apps/articles, which was removed."; exit 1; }
	$(PY) -m tests.bench_http

bench: setup ## This project beside psycopg alone; DOCUMENTS=2000 TENANTS=5 for a quick look
	DEBUG=False $(PY) -m tests.bench

bench-peers: setup ## The same with the peers, which go into an environment of their own
	DEBUG=False $(PY) -m tests.bench --with-peers

docs: $(DOCS)/installed ## The documentation, into var/docs; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict --clean

$(DOCS)/installed: requirements/docs.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

rename: ## The project's own name: make rename NAME="Acme Cloud" CONTACT=security@acme.example
	@$(PYTHON) -m project.rename "$$NAME" --package "$$PACKAGE" --contact "$$CONTACT"

COMPILE := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-header --no-annotate

lock: setup ## Renew the lock files from pyproject.toml
	$(COMPILE) pyproject.toml -o requirements/base.txt
	$(COMPILE) pyproject.toml --group dev -c requirements/base.txt -o requirements/dev.txt
	$(COMPILE) --group pyproject.toml:pages -c requirements/dev.txt -o requirements/pages.txt
	$(COMPILE) --group pyproject.toml:docs -c requirements/dev.txt -o requirements/docs.txt

db-start db-stop db-reset: setup ## The embedded PostgreSQL; reset deletes its data
	$(PY) -m project.embedded_postgres $(@:db-%=%)

clean: ## Stop the database; delete the environment, all data and all caches
	-@test -x $(PY) && $(PY) -m project.embedded_postgres stop
	rm -rf $(VENV) $(DOCS) .postgres var .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
