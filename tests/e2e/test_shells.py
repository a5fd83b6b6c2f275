# SPDX-License-Identifier: Apache-2.0
"""Completion in bash, zsh and fish, as somebody who presses the tab key sees it."""

import os
import pty
import select
import shlex
import shutil
import subprocess
import time

import pytest

from harness import wait
from harness.internet import Internet
from harness.tunnel import REPO
from harness.warrend import BUILD, Network, Node

pytestmark = [pytest.mark.warren_only, pytest.mark.networks, pytest.mark.one_thread]

FOLDER = os.path.join(REPO, "packaging", "completions")

# What is typed, some of what is offered, and something that is not.
TYPED = [
    ("warren net", {"network", "netcheck"}, "status"),
    ("warren network ", {"create", "list", "show", "meet", "leave", "delete"}, "network"),
    ("warren network leave ", {"home"}, "bob"),
    ("warren ping ", {"bob", "alice"}, "home"),
    ("warren ping b", {"bob"}, "alice"),
    ("warren member promote home ", {"bob"}, "home"),
    ("warren member promote --role ", {"inviter", "admin", "relay"}, "bob"),
    ("warren peers --network ho", set(), "home"),  # it has no such option
    ("warren ping bob --network ", {"home"}, "bob"),
    ("warren ping bob --co", {"--count"}, "--timeout"),
    ("warren ping --timeout 3 --", {"--count", "--network", "--json", "--help"}, "--timeout"),
    ("warren wait peer ", {"bob"}, "peer"),
    ("warren wait d", {"direct"}, "bob"),
    ("warren log v", {"verbose"}, "silent"),
    ("warren events member.", {"member.revoked"}, "peer.up"),
    ("warren help cert i", {"issue"}, "show"),
    ("warren bridge set home dhcp=", {"dhcp=allow", "dhcp=deny"}, "arp=on"),
    ("warren cert show al", {"alice.cert"}, "home"),
    ("warren nonsense ", set(), "status"),
]


# Scripts that are given the file of the completion and lines, and print what is offered for each,
# and an empty line. A line without a space at its end is completed in its last word.
IN_BASH = r"""
source "$1"; shift; compopt() { :; }
for line in "$@"; do
    read -ra COMP_WORDS <<<"$line"
    [[ $line == *' ' ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _warren; printf '%s\n' "${COMPREPLY[@]}"; echo
done"""
IN_FISH = r"""
source $argv[1]
for line in $argv[2..-1]; complete -C "$line"; echo; end"""
PROGRAMS = {"bash": (["bash", "--norc", "-c", IN_BASH, "bash"], "/warren.bash"),
            "fish": (["fish", "--no-config", "-c", IN_FISH], "/warren.fish")}


def test_what_shells_offer(lab, tmp_path):
    """Names of commands, options, networks, members and files, of this moment."""
    internet = Internet(lab)
    nodes = [Node(lab, internet.public(name).ns, name).start() for name in ("alice", "bob")]
    Network(nodes[0], "home").join(nodes[1]).settle()
    nodes[0].wait(lambda n: any(p["name"] == "bob" for p in n.network()["peers"]), 20, "bob's name")
    (tmp_path / "alice.cert").write_text("")
    kept = {"PATH": BUILD + ":" + os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm",
            "LC_ALL": "C.UTF-8", "WARREN_SOCKET": nodes[0].socket_path}
    there = [shell for shell in ("bash", "fish", "zsh") if shutil.which(shell)]
    for shell in set(PROGRAMS) & set(there):
        command, script = PROGRAMS[shell]
        told = subprocess.run([*command, FOLDER + script, *(line for line, _, _ in TYPED)],
                              cwd=tmp_path, env=kept, capture_output=True, text=True,
                              timeout=60 * wait.SLOW, stdin=subprocess.DEVNULL, check=False)
        answers = told.stdout.replace("\n\n\n", "\n\n-\n\n").split("\n\n")
        assert told.stderr == "" and len(answers) == len(TYPED) + 1, (shell, told)
        for (line, wanted, other), answer in zip(TYPED, answers):
            offered = {word.split("\t")[0] for word in answer.split("\n")}
            assert wanted <= offered and other not in offered, (shell, line, offered)
    if "zsh" in there:
        ask_zsh(tmp_path, kept)
    if len(there) < 3:
        pytest.skip("passed for %s; the others are not installed" % " and ".join(there))


def ask_zsh(folder, environment):
    """In a terminal, with the tab key: zsh completes nowhere else."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe("zsh", ["zsh", "-f", "-i"], dict(environment, COLUMNS="200", LINES="50"))
    try:
        seen = Terminal(fd)
        seen.type("PS1='ready> '; fpath=(%s $fpath); autoload -Uz compinit; compinit -u -D;"
                  " setopt NO_ALWAYS_LAST_PROMPT; LISTMAX=1000; print begun''now\n"
                  % shlex.quote(FOLDER))
        seen.until("begunnow")
        for line, wanted, _ in (t for t in TYPED[::3] if t[1]):
            seen.type("\x15" + line + "\t\t")
            for word in wanted:  # a single one is put into the line, several are listed
                seen.until(word[len(line.rsplit(" ", 1)[1]):] if len(wanted) == 1 else word, line)
        seen.type("\x15exit\n")
        seen.drain()
    finally:
        os.close(fd)
        os.waitpid(pid, 0)


class Terminal:
    """What a program at the other end of a pseudo-terminal has written since one typed."""

    def __init__(self, fd):
        self.fd, self.text = fd, ""

    def type(self, text):
        self.text = ""
        os.write(self.fd, text.encode())

    def until(self, word, what=""):
        end = time.monotonic() + 20 * wait.SLOW
        while word not in self.text:
            left = end - time.monotonic()
            assert left > 0, "%r does not offer %r: %r" % (what, word, self.text)
            if select.select([self.fd], [], [], left)[0]:
                self.text += os.read(self.fd, 65536).decode(errors="replace")

    def drain(self):
        """Until the program has ended."""
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:  # EIO: nobody is there any more
            pass
