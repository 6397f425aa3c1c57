from importlib import import_module

Migration = import_module("tests.models_app.migrations.0001_initial").Migration
