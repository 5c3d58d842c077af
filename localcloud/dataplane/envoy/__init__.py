"""The data plane of the load balancers: one Envoy process that serves all of a local cloud's.

`model` says what is to be served, `resources` turns it into Envoy's configuration, `plane` runs
the process and brings it from one configuration to the next without dropping a request.
"""
