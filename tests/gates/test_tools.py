#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: the small tools in tools/ tell the truth, and lists that must agree do. Output is TAP.
Method: feed totals with reports, compare packages.txt and layers.txt with who repeats them."""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GOOD = '<testsuites><testsuite><testcase name="a"/><testcase name="b"/></testsuite></testsuites>'
MIXED = ('<testsuites><testsuite><testcase name="a"><failure/></testcase><testcase name="b"/>'
         '<testcase name="c"><skipped/></testcase><testcase name="d"><error/></testcase>'
         '</testsuite></testsuites>')


def read(path):
    with open(os.path.join(ROOT, path)) as stream:
        return stream.read()


def totals(**files):
    """Returns the last line and the exit code of tools/totals over files given as name=text."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, text in files.items():
            paths.append(os.path.join(folder, name.replace("_", ".")))
            with open(paths[-1], "w") as stream:
                stream.write(text)
        run = subprocess.run([os.path.join(ROOT, "tools/totals"), *paths], capture_output=True,
                             text=True, check=False)
    return run.stdout.strip(), run.returncode


def totals_add_up():
    assert totals(a_xml=GOOD, b_txt="x\n3 passed, 0 failed, 1 skipped\n") == (
        "5 passed, 0 failed, 1 skipped", 0)


def totals_fail_on_a_failure():
    assert totals(a_xml=GOOD, b_xml=MIXED) == ("3 passed, 2 failed, 1 skipped", 1)


def totals_fail_when_nothing_ran():
    assert totals() == ("0 passed, 0 failed, 0 skipped", 1)
    assert totals(a_txt="0 passed, 0 failed, 7 skipped\n")[1] == 1


def totals_fail_on_a_run_without_a_line():
    assert totals(a_xml=GOOD, b_txt="killed\n")[1] == 1


def every_package_has_its_reason():
    decision = read("docs/decisions/0005-dependencies.md")
    for line in read("tools/packages.txt").splitlines():
        if not line.startswith("#"):
            fields, _, reason = line.partition("#")
            purposes, package = fields.split()
            known = {"build", "demo", "test", "check", "bench", "manual",
                     "package"}
            assert set(purposes.split(",")) <= known, line
            assert reason.strip(), line
            package = package.split("@")[0]
            assert re.search(rf"\b{re.escape(package)}\b", decision), package


def every_folder_has_its_layer():
    layers = {line.split()[1] for line in read("tools/layers.txt").splitlines()
              if line and not line.startswith("#")}
    folders = {name for name in os.listdir(os.path.join(ROOT, "src"))
               if os.path.isdir(os.path.join(ROOT, "src", name))}
    folders.add("sim")  # the only library beside src/
    built = set(re.findall(r"^subdir\('(\w+)'\)", read("src/meson.build"), re.M))
    built |= {"sim"} & set(re.findall(r"^subdir\('(\w+)'\)", read("meson.build"), re.M))
    checked = set(re.findall(r"'(\w+)', \w+_lib", read("tests/gates/meson.build")))
    assert layers == folders == built, (layers, folders, built)
    assert checked >= folders, folders - checked


def main():
    tests = [totals_add_up, totals_fail_on_a_failure, totals_fail_when_nothing_ran,
             totals_fail_on_a_run_without_a_line, every_package_has_its_reason,
             every_folder_has_its_layer]
    failed = 0
    print(f"1..{len(tests)}")
    for number, test in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {test.__name__}")
        except AssertionError as error:
            failed += 1
            print(f"# {error}\nnot ok {number} - {test.__name__}")
    return 1 if failed else 0


sys.exit(main())
