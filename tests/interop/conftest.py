# SPDX-License-Identifier: Apache-2.0
"""Loads the fixtures of the end-to-end tests for the interoperability tests too."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.dont_write_bytecode = True

from harness import background, fixtures  # noqa: E402


def pytest_configure(config):
    if not config.pluginmanager.has_plugin("harness"):
        config.pluginmanager.register(fixtures, "harness")
        config.pluginmanager.register(background, "harness-background")
