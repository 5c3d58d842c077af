"""50,000 requests over releases, rollbacks, broken releases, scaling and kills: `make soak`."""
