"""Benchmarks of a run, each number beside its baseline, all taken in one sitting: ``python -m bench``."""
