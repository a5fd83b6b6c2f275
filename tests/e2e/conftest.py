# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests; see harness/fixtures.py."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from harness.fixtures import *  # noqa: E402,F401,F403
