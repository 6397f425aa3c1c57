from importlib import import_module

Migration = import_module("apps.articles.migrations.0001_initial").Migration
