"""What a kill, or AWS and the network on a bad day, do to a run; and that nothing wrong comes of it."""

import tests.unit.conftest  # noqa: F401 - lets `ansible.module_utils.lyo_…` be imported
