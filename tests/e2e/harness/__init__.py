# SPDX-License-Identifier: Apache-2.0
"""Tools of the end-to-end tests: namespaces, daemons, traffic, captures, a second WireGuard
handshake."""
