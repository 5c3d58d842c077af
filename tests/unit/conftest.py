"""Lets tests import `ansible.module_utils.lyo_…`, as the modules themselves do."""

from __future__ import annotations

from pathlib import Path

import ansible.module_utils

ROOT = Path(__file__).resolve().parents[2]
OURS = str(ROOT / "module_utils")

if OURS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.insert(0, OURS)
