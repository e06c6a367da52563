"""How fast gitsnap is, as ratios to a bare interpreter: `python -m tests.benchmarks` from a checkout."""
