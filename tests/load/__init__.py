"""Constant-rate load with exact accounting: who sends is not slowed down by who answers.

As a library::

    with Load(url, app_secret=secret, ca=ca_file) as load:
        ...                         # release something
        report = load.stop()
    assert report.failed == 0, report.summary()

As a program: `python -m tests.load --help`.
"""

from tests.load.background import Load
from tests.load.mix import Mix
from tests.load.report import Failure, Report

__all__ = ["Failure", "Load", "Mix", "Report"]
