# SPDX-License-Identifier: Apache-2.0
"""What README.md, docs/tutorial-certificates.md, docs/warren.1 and the help tell a reader to type
about `warren` is typed here, and answers as they say: letter by letter but for keys, hashes and
dates."""

import os
import re
import subprocess

import pytest

from harness import tunnel, warren

PROMPT = re.compile(r"    (alice|bob|carol|server)\$ (.*)")
FINGERPRINT = re.compile(r"\d{4}(?: \d{4}){7}")
DIFFERENT_EACH_TIME = [
    (re.compile(r"2001:2[0-9a-f]:[0-9a-f:]+"), "HIT"),
    (FINGERPRINT, "FINGERPRINT"),
    (re.compile(r"\{[A-Za-z0-9+/=]+\}"), "KEY"),
    (re.compile(r"#?[0-9a-f]{64}#?"), "HASH"),
    (re.compile(r"20\d\d-\d\d-\d\d[T_ ]\d\d:\d\d:\d\d( UTC|Z)?"), "DATE"),
]


def read(name):
    with open(os.path.join(tunnel.REPO, "docs", name)) as stream:
        return stream.read()


def without_what_differs(text):
    for pattern, word in DIFFERENT_EACH_TIME:
        text = pattern.sub(word, text)
    return text


def sessions(text):
    """(command, what it answers) of the indented parts of a document, in their order."""
    found = []
    for line in text.split("\n"):
        match = PROMPT.fullmatch(line)
        if match:
            found.append([match[2], []])
        elif found and line.startswith("    ") and found[-1][0].endswith("\\"):
            found[-1][0] += "\n" + line[4:]
        elif line.startswith("    "):
            found[-1][1].append(line[4:])
    return found


@pytest.fixture
def desk(tmp_path):
    return warren.Desk(tmp_path)


def shell(desk, command):
    """Runs what a person types; returns all that it answers."""
    environment = dict(desk.environment)
    environment["PATH"] = os.path.dirname(warren.PROGRAM) + ":" + environment["PATH"]
    return subprocess.run(["bash", "-c", command], cwd=desk.folder, env=environment, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def test_tour_of_certificates(desk):
    """Each command of the tour answers what stands below it."""
    found = sessions(read("tutorial-certificates.md"))
    assert len(found) >= 20
    for command, answer in found:
        if "--known bob.pub" in command:  # what bob has read out
            spoken = FINGERPRINT.search(desk("id show --file bob.id"))[0]
            command, count = FINGERPRINT.subn(spoken, command)
            assert count == 1
        said = shell(desk, command).stdout.rstrip("\n")
        assert without_what_differs(said) == without_what_differs("\n".join(answer)), command


def test_minute_of_the_readme(desk):
    """The same for what README.md shows of certificates."""
    section = read("../README.md").split("## One minute with certificates\n")[1].split("\n## ")[0]
    found = sessions(section)
    assert len(found) == 5
    desk.people("bob")
    for command, answer in found:
        said = shell(desk, command).stdout.rstrip("\n")
        assert without_what_differs(said) == without_what_differs("\n".join(answer)), command


def test_examples_of_the_manual_page(desk):
    """All of them succeed, one after the other."""
    text = read("warren.1").split(".Sh EXAMPLES")[1].split(".Sh")[0].replace("\\e", "\\")
    commands = "\n".join(re.findall(r"\.Bd .*\n((?:.*\n)*?)\.Ed", text))
    desk.people("bob")
    desk.path("mail.pub").write_text(desk.path("bob.pub").read_text())
    spoken = FINGERPRINT.search(desk("id show --file bob.id"))[0]
    commands, count = FINGERPRINT.subn(spoken, commands)
    assert count == 1 and commands.count("warren ") == 6
    done = shell(desk, "set -e\n" + commands)
    assert done.returncode == 0, done.stdout
    assert "granted until" in done.stdout


def test_examples_of_the_help(desk):
    """The example of each command succeeds, in the order of the help."""
    desk.people("bob", "eve")
    commands = re.findall(r"^  ((?:id|cert) \w+) ", desk("--help"), re.M)
    assert len(commands) == 7
    for command in commands:
        example = desk(command + " --help").split("Example:\n")[1]
        done = shell(desk, "set -e\n" + example)
        assert done.returncode == 0, (example, done.stdout)
        if command == "cert issue":
            desk("cert issue --key alice.id --to eve.pub --tag '(lab)' --out eve.cert")
