"""The terminal renderer of ``run``, ``watch`` and ``show``."""
