"""AWS's APIs on this machine with a real data plane behind them.

The control plane is moto, in one process and extended where it falls short; tasks, databases,
caches and load balancers are real processes on loopback addresses. `python -m localcloud --help`
lists the commands, docs/localcloud.md what is reproduced and what is refused.
"""
