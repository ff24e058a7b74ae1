#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian's ejabberd federates with Causeway both ways (lablib/federation.py)."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lablib import federation, suite  # noqa: E402
from lablib.peers import Ejabberd  # noqa: E402

if __name__ == "__main__":
    suite.main(__doc__, *federation.CASES, peer=Ejabberd)
