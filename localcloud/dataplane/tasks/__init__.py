"""The data plane of ECS: tasks as real processes on this machine."""
