# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the interoperability tests: those of the end-to-end tests."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.dont_write_bytecode = True

from harness.fixtures import *  # noqa: E402,F401,F403
