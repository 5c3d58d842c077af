"""One run at a time may change an environment: a lock with an owner, a lease and a fencing token."""
