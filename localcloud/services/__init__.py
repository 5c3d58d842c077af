"""One module per AWS service that moto needs help with; each has `register(cloud)`."""
