"""Benchmarks are scripts and no tests: pytest imports none of them."""

collect_ignore_glob = ["*.py"]
