# SPDX-License-Identifier: Apache-2.0
"""The program `warren` as a person types it, in a folder of its own."""

import json
import os
import shlex
import subprocess

from harness import tunnel

PROGRAM = os.path.join(os.environ.get("WARREN_BUILD", os.path.join(tunnel.REPO, "build")), "warren")
DONE, REFUSED, USAGE = 0, 1, 2


class Answer:
    def __init__(self, line, process):
        self.line, self.code = line, process.returncode
        self.bytes, self.errors = process.stdout, process.stderr.decode()

    @property
    def text(self):
        return self.bytes.decode()

    @property
    def json(self):
        return json.loads(self.bytes)

    def __repr__(self):
        return "%s\n-> %d\n%s%s" % (self.line, self.code, self.bytes[:4000], self.errors)


class Desk:
    """A folder with files, an empty home, and the program; all answers are kept."""

    def __init__(self, folder):
        self.folder, self.answers = folder, []
        self.environment = {"HOME": str(folder / "home"), "PATH": os.environ["PATH"]}
        self.environment.update((key, value) for key, value in os.environ.items()
                                if key.endswith("SAN_OPTIONS"))
        (folder / "home").mkdir()

    def run(self, line, wanted=None, stdin=b"", **environment):
        """Runs "warren" with the arguments of 'line', a text as it is typed or a list. 'wanted' is
        the exit code; None: any."""
        arguments = shlex.split(line) if isinstance(line, str) else line
        process = subprocess.run([PROGRAM, *arguments], cwd=self.folder, input=stdin,
                                 capture_output=True, timeout=60, check=False,
                                 env=dict(self.environment, **environment))
        answer = Answer("warren " + " ".join(shlex.quote(str(a)) for a in arguments), process)
        self.answers.append(answer)
        assert process.returncode in (DONE, REFUSED, USAGE), answer
        assert wanted is None or answer.code == wanted, answer
        return answer

    def __call__(self, line, **more):
        """Runs it; it has to succeed. Returns what it printed."""
        return self.run(line, wanted=DONE, **more).text

    def refused(self, line, **more):
        """Runs it; it has to refuse. Returns what it said."""
        answer = self.run(line, wanted=REFUSED, **more)
        return answer.text + answer.errors

    def usage(self, line, **more):
        """Runs it; the line has to be wrong. Returns what it said."""
        return self.run(line, wanted=USAGE, **more).errors

    def path(self, name):
        return self.folder / name

    def people(self, *names):
        """Makes identities NAME.id and their public keys NAME.pub."""
        for name in names:
            self("id new --file %s.id" % name)
            self.path(name + ".pub").write_text(self("id show --file %s.id --public" % name))

    def hit(self, name):
        return self.run("id show --json --file %s.pub" % name, wanted=DONE).json["hit"]
