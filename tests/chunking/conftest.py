from hypothesis import settings

# Tokenizers are loaded by the first text, and other work may share the machine.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
