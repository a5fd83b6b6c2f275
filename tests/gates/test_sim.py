#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""warren-sim as a person and a script meet it: what it refuses and how, the order of what it
prints, the command that repeats a run that failed. Prints TAP. usage: test_sim.py WARREN_SIM"""
import json
import re
import shlex
import subprocess
import sys
import traceback

PROGRAM = sys.argv[1]
FAILING = ["--scenario", "chatter", "--nodes", "1", "--minutes", "60"]  # no link, so no loss


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)


def refuses_by_name_and_says_what_to_do():
    for arguments, expected in (
            ([], "which scenario? Name it with --scenario; --list shows them"),
            (["--scenario", "nonsense"], 'there is no scenario "nonsense"; --list shows them'),
            (["--scenario"], "--scenario needs a value; see --help"),
            (["--sede", "1"], "--sede is no option; see --help"),
            (["links"], '"links" is more than was asked for; see --help'),
            (["--seed", "-1"], '--seed takes a number from 0 to 18446744073709551615, not "-1"'),
            (["--seed", "18446744073709551616"], "--seed takes a number from 0"),
            (["--seed", ""], "--seed takes a number from 0"),
            (["--seeds", "1-4"], '--seeds takes FROM..TO, not "1-4"'),
            (["--seeds", "5..4"], '--seeds takes a number from 5 to 18446744073709551614, not "4"'),
            (["--scenario", "links", "--seeds", "1..2", "--json"], "--seeds prints what failed"),
            (["--nodes", "0"], "--nodes takes a number from 1"),
            (["--nodes", "4x"], '--nodes takes a number from 1 to 4294967295, not "4x"'),
            (["--minutes", "999999999"], "--minutes takes a number from 1 to 527040"),
            (["--scenario", "links", "--plot", "ring.svg"],
             "--plot: links has no ring, this scenario draws nothing"),
            (["--plot"], "--plot needs a value; see --help"),
            (["--scenario", "links", "--nodes", "1001"], "--nodes 1001: links takes at most 1000")):
        done = run(*arguments)
        assert done.returncode == 2, (arguments, done)
        assert done.stderr.startswith("warren-sim: " + expected), (arguments, done.stderr)
        assert done.stdout == "", (arguments, done.stdout)


def lists_every_scenario_with_its_sentence():
    lines = run("--list").stdout.splitlines()
    assert len(lines) >= 5, lines
    for line in lines:
        assert re.fullmatch(r"[a-z-]+ +\S.{10,}", line), line
    assert "usage: warren-sim" in run("--help").stdout
    assert re.fullmatch(r"warren-sim \d+\.\d+\.\d+\n", run("--version").stdout)


def prints_options_first_and_the_hash_last():
    done = run("--scenario", "split", "--seed", "5", "--nodes", "10", "--minutes", "4")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done
    assert re.fullmatch(r"warren-sim \S+, scenario split, seed 5, nodes 10, minutes 4", lines[0])
    assert re.fullmatch(r"trace [0-9a-f]{16}, \d+ events, 240 s", lines[-1]), lines[-1]
    assert "events in" in done.stderr, done.stderr


def a_run_that_fails_prints_the_command_that_repeats_it():
    done = run(*FAILING)
    lines = done.stdout.splitlines()
    assert done.returncode == 1, done
    assert any(line.startswith("failed: ") for line in lines), lines
    command = [line for line in lines if line.startswith("replay: ")][0].removeprefix("replay: ")
    again = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
    assert again.returncode == 1 and again.stdout == done.stdout, (done.stdout, again.stdout)


def a_range_of_seeds_says_which_fail():
    good = run("--scenario", "links", "--seeds", "3..5", "--minutes", "1")
    assert good.returncode == 0 and good.stdout == "links: 0 of 3 seeds failed\n", good
    bad = run(*FAILING, "--seeds", "8..9")
    lines = bad.stdout.splitlines()
    assert bad.returncode == 1, bad
    assert lines[0].startswith("seed 8 failed: ") and lines[2].startswith("seed 9 failed: "), lines
    assert "--seed 9 " in lines[3] and lines[4] == "chatter: 2 of 2 seeds failed", lines
    again = subprocess.run(shlex.split(lines[3].removeprefix("replay: ")), capture_output=True,
                           text=True, check=False)
    assert again.returncode == 1 and lines[2].split(": ", 1)[1] in again.stdout, again


def json_says_the_same():
    text = run(*FAILING).stdout.splitlines()
    done = run(*FAILING, "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 1, done
    assert text[-1].split()[1].rstrip(",") == answer["trace"], (text[-1], answer)
    assert answer["failures"] and answer["figures"]["sent_datagrams"] > 0, answer
    assert (answer["scenario"], answer["seed"], answer["nodes"]) == ("chatter", "1", 1), answer
    assert f"replay: {answer['replay']}" in text, answer


def the_trace_can_be_read_and_changes_nothing():
    arguments = ["--scenario", "split", "--nodes", "4", "--minutes", "1"]
    plain, traced = run(*arguments).stdout.splitlines(), run(*arguments, "--trace").stdout
    records = re.findall(r"^\d+\.\d{9} \D.*$", traced, re.M)
    assert len(records) > 1000, len(records)
    assert [line for line in traced.splitlines() if line not in set(records)] == plain


def a_full_disk_does_not_look_like_success():
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, "--list"], stdout=full, stderr=subprocess.PIPE, text=True,
                              check=False)
    assert done.returncode == 1 and "could not be written" in done.stderr, done


def main():
    tests = [refuses_by_name_and_says_what_to_do, lists_every_scenario_with_its_sentence,
             prints_options_first_and_the_hash_last,
             a_run_that_fails_prints_the_command_that_repeats_it,
             a_range_of_seeds_says_which_fail, json_says_the_same,
             the_trace_can_be_read_and_changes_nothing, a_full_disk_does_not_look_like_success]
    status = 0
    print(f"1..{len(tests)}")
    for number, test in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {test.__name__}")
        except Exception:  # whatever it was: the others run, and this one is reported
            status = 1
            print(f"not ok {number} - {test.__name__}")
            print("\n".join("# " + line for line in traceback.format_exc().splitlines()))
    return status


sys.exit(main())
