"""The benchmark: our run next to its baselines, measured at the same time: ``python -m bench``."""
