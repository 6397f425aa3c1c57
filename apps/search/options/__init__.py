"""Checks of what people write in settings, forms and calls, before anything works with it."""
