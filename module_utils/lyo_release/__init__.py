"""Releases on Amazon ECS: what to do, decided apart from doing it."""
