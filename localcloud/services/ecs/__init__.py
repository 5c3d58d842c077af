"""Amazon ECS: our own implementation, moto's is not used.

``EcsTasksApi`` (clusters, task definitions, tasks) and ``EcsServicesApi`` (services, deployments)
are composed to one object whose methods are the operations; an operation without a method is
refused by the core.
"""
