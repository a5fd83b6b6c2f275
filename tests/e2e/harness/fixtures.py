# SPDX-License-Identifier: Apache-2.0
"""pytest's side of the harness: a lab per test, a watchdog, and the check that nothing was left."""

import os
import shutil
import signal
import tempfile
import time

import pytest

from harness import net, tunnel, wait

WATCHDOG_S = 60
SETUP_S = 300  # the first one fetches packages, builds tools and boots a guest
_run = {}  # what the whole session shares


class WatchdogExpired(Exception):
    """A test took longer than it may."""


def _bark(_number, _frame):
    raise WatchdogExpired("the test's time is over (marker watchdog, WARREN_TEST_SLOW)")


def pytest_configure(config):
    config.addinivalue_line("markers", "watchdog(seconds): longest time the test may take")
    config.addinivalue_line("markers", "last: runs after all others, because it waits the longest")
    config.addinivalue_line("markers", "early(fixture): the fixture is set up with the first test")
    config.addinivalue_line("markers", "matrix: runs with other settings of the program too")
    config.addinivalue_line("markers", "warren_only: asserts what only warren-wg promises")
    config.addinivalue_line("markers", "networks: about warrend, not about warren-wg's settings")
    config.addinivalue_line("markers", "crowd: many daemons at once: too many for sanitizers")
    config.addinivalue_line("markers", "one_thread: nothing that threads could race for")
    config.addinivalue_line("markers", "soak: takes minutes; only with WARREN_SOAK=1, `make soak`")
    if config.option.collectonly:
        return
    if os.geteuid() != 0:
        pytest.exit("the end-to-end tests make network namespaces: run them as root", 4)
    _run["private"] = net.make_run_private()
    net.adopt_orphans()
    _run["root"] = tempfile.mkdtemp(prefix="warren-e2e-")
    os.chmod(_run["root"], 0o755)  # daemons become another user
    net.share_netns_names()
    signal.signal(signal.SIGALRM, _bark)
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(_number, _frame):
    raise KeyboardInterrupt


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    unwanted = []
    if os.environ.get("WARREN_SOAK", "0") != "1":
        unwanted += [item for item in items if item.get_closest_marker("soak")]
    if os.environ.get("WARREN_SANITIZE", ""):
        unwanted += [item for item in items if item.get_closest_marker("crowd")]
    if os.environ.get("WARREN_SANITIZE", "") == "thread":
        unwanted += [item for item in items if item.get_closest_marker("one_thread")]
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in unwanted]
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


def _guarded(item, seconds):
    signal.setitimer(signal.ITIMER_REAL, seconds * wait.SLOW)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    _guarded(item, SETUP_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    marker = item.get_closest_marker("watchdog")
    _guarded(item, marker.args[0] if marker else WATCHDOG_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    _guarded(item, WATCHDOG_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the settings and the daemons' logs to the report of a failed test."""
    outcome = yield
    report = outcome.get_result()
    lab = getattr(item, "warren_lab", None)
    if report.failed:
        report.sections.append(("settings", tunnel.settings()))
    if report.when == "call" and report.failed and lab is not None:
        for end in lab.registered(tunnel.Tunnel):
            report.sections.append(("drops of %s" % end.name, str(end.told_drops())))
        for label, line, log in lab.logs():
            report.sections.append(("log of %s (%s)" % (label, line), log[-4000:]))


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind():
    """At the very end no namespace, process, socket or file of this run may exist."""
    path = shutil.which(tunnel.WARREN_WG)
    if path is None:
        pytest.exit("%s is not there: run `make` first, or name the program in WARREN_WG"
                    % tunnel.WARREN_WG, 4)
    yield
    end = time.monotonic() + 5 * wait.SLOW
    left = net.leftovers(_run["root"])
    while left and time.monotonic() < end:
        time.sleep(wait.STEP_S)
        left = net.leftovers(_run["root"])
    shutil.rmtree(_run["root"], ignore_errors=True)
    assert not left, "left behind: " + "; ".join(left)


@pytest.fixture
def lab(request, nothing_left_behind):
    """Namespaces and processes of one test, taken down after it."""
    made = net.Lab(_run["root"])
    request.node.warren_lab = made
    yield made
    problems = made.close()
    assert not problems, "at the end of the test: " + "\n".join(problems)


@pytest.fixture(scope="session")
def session_lab(nothing_left_behind):
    """A lab that lives as long as the session, for what has to run for minutes beside the tests."""
    made = net.Lab(_run["root"])
    yield made
    problems = made.close()
    assert not problems, "at the end of the session: " + "\n".join(problems)


@pytest.fixture(scope="session")
def tools_directory(nothing_left_behind):
    """Where helpers written in C are built once a session."""
    path = os.path.join(_run["root"], "tools")
    os.mkdir(path)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def tool(tools_directory):
    """tool("name") compiles tests/e2e/tools/name.c, statically so that it runs in a guest too, and
    returns the program's path; tool("name", "-shared", "-fPIC") a library."""
    sources = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools")
    built = {}

    def build(name, *how):
        if name not in built:
            out = os.path.join(tools_directory, name)
            net.command(["cc", "-O2", "-Wall", "-Wextra", "-Werror", *(how or ["-static"]),
                         "-o", out, os.path.join(sources, name + ".c")], timeout=60)
            built[name] = out
        return built[name]

    return build


@pytest.fixture(autouse=True)
def skip_what_only_warren_promises(request):
    if request.node.get_closest_marker("warren_only") and tunnel.STAND_IN:
        pytest.skip("a stand-in is under test; this is promised by warren-wg alone")
