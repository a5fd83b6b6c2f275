# SPDX-License-Identifier: Apache-2.0
"""What follows from ACLs and certificates, against the answers of another implementation: each case
of tests/vectors/cdsa/cases.txt goes through `warren cert reduce --assume-signed`, as a person
would type it, and the sets of entries are compared."""

import os
import re

import pytest

from harness import sexp, tunnel, warren

WHOLE_DATE = "0000-01-01_00:00:00"


def read_cases():
    path = os.path.join(tunnel.REPO, "tests", "vectors", "cdsa", "cases.txt")
    cases = []
    with open(path) as stream:
        for line in stream:
            key, _, value = line.strip().partition(" ")
            if key == "case":
                cases.append({"case": int(value), "have": [], "subject": [], "request": [],
                              "at": [], "gives": []})
            elif key and not key.startswith("#"):
                cases[-1][key].append(value.strip())
    return cases


CASES = read_cases()


def moment(date):
    """A date of a certificate, maybe cut short or with a fraction, as RFC 3339."""
    fraction = date[len(WHOLE_DATE):]
    whole = date + WHOLE_DATE[len(date):]
    return whole[:len(WHOLE_DATE)].replace("_", "T") + fraction + "Z"


def normal(tag):
    """A tag in which every set is sorted, for their order means nothing."""
    if not isinstance(tag, tuple):
        return tag
    parts = tuple(normal(part) for part in tag)
    if parts[:2] == (b"*", b"set"):
        return parts[:2] + tuple(sorted(parts[2:], key=sexp.canonical))
    return parts


def view(entry):
    """(subject, may it be passed on, tag, not before, not after)."""
    valid = sexp.part(entry, "valid") or ()
    limits = [sexp.part(valid, name) for name in ("not-before", "not-after")]
    return (sexp.part(entry, "subject")[0], sexp.part(entry, "propagate") is not None,
            normal(sexp.part(entry, "tag")[0]), *[limit and limit[0] for limit in limits])


def contains(entry, at):
    """Whether a moment lies within the validity of an entry. Dates compare as strings."""
    before, after = entry[3:]
    return (before is None or before <= at) and (after is None or at <= after)


@pytest.fixture
def desk(tmp_path):
    return warren.Desk(tmp_path)


def test_all_cases_are_there():
    assert [case["case"] for case in CASES] == list(range(1, 92))
    assert sum(not case["gives"] for case in CASES) >= 20
    assert sum(bool(case["at"]) for case in CASES) >= 25


@pytest.mark.parametrize("case", CASES, ids=lambda case: "%d" % case["case"])
def test_case(desk, case):
    desk.path("have").write_text("\n".join(case["have"]) + "\n")
    arguments = ["cert", "reduce", "--assume-signed"]
    for option in ("subject", "request"):
        for value in case[option]:
            arguments += ["--" + option, value]
    for at in case["at"]:
        arguments += ["--at", moment(at)]
    answer = desk.run(arguments + ["--format", "canonical", "have"], wanted=warren.DONE)
    assert "proves nothing" in answer.errors

    acl = sexp.read(answer.bytes)
    assert acl[0] == b"acl"
    assert list(acl[1:]) == sorted(acl[1:], key=sexp.canonical), "in ascending order"
    assert sexp.canonical(acl) == answer.bytes
    got = {view(entry) for entry in acl[1:]}
    wanted = {view(sexp.read(entry)) for entry in case["gives"]}
    if case["at"]:
        # Where a moment is given, the source answers with this moment alone as the validity; ours
        # is the whole validity that follows, which has to contain the moment.
        at = re.sub(r"\..*", "", case["at"][0]).encode()
        for entry in got:
            assert contains(entry, at), entry
        got = {entry[:3] for entry in got}
        wanted = {entry[:3] for entry in wanted}
    assert got == wanted, answer


@pytest.mark.parametrize("form", ["advanced", "transport"])
def test_forms_say_the_same(desk, form):
    """The three forms of an answer are one answer, and each can be read again as input."""
    case = next(case for case in CASES if case["case"] == 83)
    desk.path("have").write_text("\n".join(case["have"]) + "\n")
    line = "cert reduce --assume-signed --format %s %s"
    canonical = desk.run(line % ("canonical", "have"), wanted=warren.DONE).bytes
    desk.path("again").write_bytes(desk.run(line % (form, "have"), wanted=warren.DONE).bytes)
    assert len(sexp.read(canonical)) == 5
    assert desk.run(line % ("canonical", "again"), wanted=warren.DONE).bytes == canonical


def test_without_assume_signed_nothing_follows(desk):
    """The same chain without the option: its keys and dates are not ours, and it is refused."""
    desk.path("have").write_text("\n".join(CASES[0]["have"]) + "\n")
    said = desk.refused("cert reduce have")
    assert "have, line 1" in said
