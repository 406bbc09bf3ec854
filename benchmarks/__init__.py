"""How fast, how small and how good: measured on this machine, the contestants side by side in one run.

Run all with ``make bench``, some with ``make bench ARGS="gan_step startup --quick"``. Times drift with what else the
machine does, so only ratios within one run count, and nothing here fails because a number is high.
"""
