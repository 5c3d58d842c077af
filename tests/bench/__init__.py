"""How fast the runbooks are, against what people use today, on one local cloud in one run.

`make bench` deploys a local cloud of its own and measures; `python -m tests.bench --state DIR`
measures on a deployed one. The result is written to docs/benchmarks.
"""

#: Marks the calls of whoever measures, which do not count.
USER_AGENT = "lyo-bench"
