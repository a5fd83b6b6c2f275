# SPDX-License-Identifier: Apache-2.0
"""Loads the end-to-end tests' fixtures, harness/fixtures.py, once for all folders that use them."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from harness import background, fixtures  # noqa: E402


def pytest_configure(config):
    if not config.pluginmanager.has_plugin("harness"):
        config.pluginmanager.register(fixtures, "harness")
        config.pluginmanager.register(background, "harness-background")
