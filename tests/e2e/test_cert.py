# SPDX-License-Identifier: Apache-2.0
"""`warren cert`: rights as people give, pass on, show, check and revoke them; offline, without
namespaces."""

import base64
import datetime
import hashlib
import json
import os
import random
import re

import pytest

from harness import sexp, warren


@pytest.fixture
def desk(tmp_path):
    return warren.Desk(tmp_path)


@pytest.fixture
def lab(desk):
    """An ACL that trusts alice with all of (lab); bob, carol and eve have keys."""
    desk.people("alice", "bob", "carol", "eve")
    desk("cert issue --acl --to alice.pub --tag '(lab)' --propagate --out lab.acl")
    return desk


def ask(desk, files, subject="bob", request="(lab (ssh web))", acl="lab.acl", more=""):
    """Runs cert verify as text and as JSON, sees that both say the same, and returns the JSON."""
    line = "cert verify --acl %s --subject %s.pub --request '%s' %s %s" % (
        acl, subject, request, more, files)
    text, answer = desk.run(line), desk.run(line + " --json")
    said = answer.json
    assert text.code == answer.code == (warren.DONE if said["granted"] else warren.REFUSED)
    assert said["granted"] == (said["verdict"] == "granted")
    assert text.text == said["sentence"] + "\n"
    assert said["sentence"].startswith("granted" if said["granted"] else "refused: ")
    assert text.errors == answer.errors == ""
    if said["granted"]:
        assert said["until"] is None or in_words(said["until"]) in said["sentence"]
        assert said["chain"][0]["kind"] == "entry"
    if "since" in said:
        assert in_words(said["since"]) in said["sentence"]
    if "wanted" in said:
        assert said["wanted"] in said["sentence"] and said["permitted"] in said["sentence"]
    if "culprit" in said:
        assert said["chain"][said["culprit_index"]]["sentence"] == said["culprit"]["sentence"]
    return said


def in_words(date):
    """A date of the JSON as sentences have it."""
    return date.replace("T", " ").replace("Z", " UTC")


def canonical_of(desk, name):
    """The canonical bytes of a file in transport form."""
    return base64.b64decode(desk.path(name).read_text().strip()[1:-1])


def moment(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(
        tzinfo=datetime.timezone.utc)


def test_tour(lab):
    """lab.acl -> alice -> bob -> carol: issue, pass a part on, check, revoke."""
    lab("cert issue --key alice.id --to bob.pub --tag '(lab (ssh (* set web mail)))' --propagate "
        "--for 90d --out bob.cert")
    lab("cert issue --key bob.id --to carol.pub --tag '(lab (ssh web))' --for 30d "
        "--out carol.cert")
    said = ask(lab, "bob.cert carol.cert", "carol")
    assert said["granted"] and len(said["chain"]) == 3
    days = (moment(said["until"]) - datetime.datetime.now(datetime.timezone.utc)).days
    assert days in (29, 30), "the shorter of both"
    assert ask(lab, "bob.cert carol.cert", "carol", "(lab (ssh mail))")["verdict"] == "tag"
    assert ask(lab, "bob.cert carol.cert", "eve")["verdict"] == "no_root"
    lab("cert revoke --key alice.id --cert bob.cert --out alice.crl")
    said = ask(lab, "bob.cert carol.cert alice.crl", "carol")
    assert said["verdict"] == "revoked" and said["by"]["hit"] == lab.hit("alice")
    assert said["culprit_index"] == 1


def test_h9_byte_exact_in_every_form_and_one_bit_refused(lab):
    """H9: the three forms of a certificate are the same bytes and grant the same; with one bit
    changed, in any of its bytes, it never grants anything."""
    lab("cert issue --key alice.id --to bob.pub --tag '(lab (ssh web))' --for 90d --out bob.cert")
    right = canonical_of(lab, "bob.cert")
    for form in ("advanced", "canonical", "transport"):
        lab.path("acl").write_bytes(lab.path("lab.acl").read_bytes())
        lab.path("form").write_bytes(
            lab.run("cert issue --key alice.id --to bob.pub --tag '(lab (ssh web))' --until "
                    "2999-01-01 --format " + form, wanted=0).bytes)
        found = sexp.read(base64.b64decode(lab.path("form").read_bytes().strip()[1:-1])
                          if form == "transport" else lab.path("form").read_bytes())
        lab.path("again").write_bytes(sexp.canonical(found))
        assert ask(lab, "form")["granted"] and ask(lab, "again")["granted"]
        hashes = {lab("cert show --hash " + name) for name in ("form", "again")}
        assert len(hashes) == 1 and re.fullmatch("[0-9a-f]{64}\n", hashes.pop())
    assert sexp.canonical(sexp.read(right)) == right

    draw = random.Random(9)
    line = "cert verify --acl lab.acl --subject bob.pub --request '(lab (ssh web))' changed"
    assert lab.run(line.replace("changed", "bob.cert")).code == warren.DONE
    step = 8 if os.environ.get("WARREN_SANITIZE") else 1  # a process takes ten times as long there
    for place in range(0, len(right), step):
        changed = bytearray(right)
        changed[place] ^= 1 << draw.randrange(8)
        lab.path("changed").write_bytes(bytes(changed))
        assert lab.run(line).code == warren.REFUSED, place


def test_h10_resource_grants_registrar_within_a_community(desk):
    """H10: resource R -> registrar H with delegation, for the community of lyon only -> user U. Who
    is outside of the community gets no such resource."""
    desk.people("R", "H", "U")
    desk("cert issue --acl --to R.pub --tag '(use vm7)' --propagate --out R.acl")
    desk("cert issue --key R.id --to H.pub --tag '(use vm7 (community lyon))' --propagate "
         "--for 90d --out H.cert")
    desk("cert issue --key H.id --to U.pub --tag '(use vm7 (community lyon))' --for 1d "
         "--out U.cert")
    assert ask(desk, "H.cert U.cert", "U", "(use vm7 (community lyon))", "R.acl")["granted"]
    desk("cert issue --key H.id --to U.pub --tag '(use vm7 (community nice))' --for 1d "
         "--out out.cert")
    said = ask(desk, "H.cert out.cert", "U", "(use vm7 (community nice))", "R.acl")
    assert said["verdict"] == "tag" and said["culprit_index"] == 1
    assert said["wanted"] == "nice" and said["permitted"] == "lyon"


CRITERIA = [  # what the resource has, what the user wants, what both agree on (None: nothing)
    ("(vm (os debian))", "(vm (os debian))", "(vm (os debian))"),
    ("(vm)", "(vm (os debian))", "(vm (os debian))"),
    ("(vm (os debian))", "(vm (os fedora))", None),
    ("(vm (os (* set debian fedora)))", "(vm (os (* set fedora suse)))", "(vm (os fedora))"),
    ("(vm (memory (* range numeric (le \"4096\"))))", "(vm (memory \"2048\"))",
     "(vm (memory \"2048\"))"),
    ("(vm (memory (* range numeric (le \"4096\"))))", "(vm (memory \"8192\"))", None),
    ("(vm (memory (* range numeric (ge \"1024\") (le \"4096\"))))",
     "(vm (memory (* range numeric (ge \"2048\"))))",
     "(vm (memory (* range numeric (ge \"2048\") (le \"4096\"))))"),
    ("(vm (host (* prefix lyon-)))", "(vm (host lyon-12))", "(vm (host lyon-12))"),
    ("(vm (host (* prefix lyon-)))", "(vm (host nice-1))", None),
    ("(vm (os debian) (cores \"4\"))", "(vm (os (*)))", "(vm (os debian) (cores \"4\"))"),
    ("(* set (vm) (disk))", "(disk (size \"10\"))", "(disk (size \"10\"))"),
]


@pytest.mark.parametrize("has, wants, agreed", CRITERIA)
def test_h11_criteria_of_resource_and_user(desk, has, wants, agreed):
    """H11: what a resource offers and what a user asks for meet in the intersection of their tags,
    whichever of them is asked first."""
    desk.people("R")
    desk(["cert", "issue", "--acl", "--to", "R.pub", "--tag", has, "--out", "has"])
    desk(["cert", "issue", "--acl", "--to", "R.pub", "--tag", wants, "--out", "wants"])
    for acl, request in (("has", wants), ("wants", has)):
        reduced = sexp.read(desk(["cert", "reduce", "--request", request, acl]))
        found = [sexp.part(entry, "tag")[0] for entry in reduced[1:]]
        assert found == ([] if agreed is None else [sexp.read(agreed)])


def test_h12_user_cannot_pass_it_on(desk):
    """H12: registrar H -> user U, not delegable, one certificate a resource; U tries to pass it on
    to his friend F: the resource refuses, and says that it is U's certificate."""
    desk.people("R", "H", "U", "F")
    for vm in ("vm1", "vm2"):
        desk("cert issue --acl --to H.pub --tag '(use %s)' --propagate --out %s.acl" % (vm, vm))
        desk("cert issue --key H.id --to U.pub --tag '(use %s)' --for 8h --out U.%s" % (vm, vm))
        assert ask(desk, "U." + vm, "U", "(use %s)" % vm, vm + ".acl")["granted"]
    assert ask(desk, "U.vm1", "U", "(use vm2)", "vm2.acl")["verdict"] == "tag"
    desk("cert issue --key U.id --to F.pub --tag '(use vm1)' --for 1h --out F.vm1")
    said = ask(desk, "U.vm1 F.vm1", "F", "(use vm1)", "vm1.acl")
    assert said["verdict"] == "not_delegable"
    assert said["culprit"]["subject"]["hit"] == desk.hit("U")


def test_h13_registrar_cannot_grant_what_it_was_not_granted(desk):
    """H13: the resource checks signatures and its own copy of what it granted to the registrar: a
    certificate of the registrar for another right is refused, one that it did not sign too."""
    desk.people("H", "U", "M")
    desk("cert issue --acl --to H.pub --tag '(use vm7 (port http))' --propagate --out vm7.acl")
    desk("cert issue --key H.id --to U.pub --tag '(use vm7 (* set (port http) (port ssh)))' "
         "--for 1d --out U.cert")
    assert ask(desk, "U.cert", "U", "(use vm7 (port http))", "vm7.acl")["granted"]
    said = ask(desk, "U.cert", "U", "(use vm7 (port ssh))", "vm7.acl")
    assert said["verdict"] == "tag" and said["culprit"]["kind"] == "entry"
    assert said["wanted"] == "ssh" and said["permitted"] == "http"
    # M takes the certificate of H and puts a signature of his own under it
    desk("cert issue --key M.id --to U.pub --tag '(use vm7 (port http))' --out M.cert")
    genuine, forged = (sexp.read(canonical_of(desk, name)) for name in ("U.cert", "M.cert"))
    desk.path("forged").write_bytes(sexp.canonical((b"sequence", genuine[1], forged[2])))
    said = ask(desk, "forged", "U", "(use vm7 (port http))", "vm7.acl")
    assert said["verdict"] in ("not_signed", "bad_signature")
    assert "NOT SIGNED" in desk("cert show forged")


@pytest.fixture
def secondary(desk):
    """Resource R trusts registrar H. U1 may, delegable to U2 only; U1 passes it on to U2."""
    desk.people("H", "U1", "U2", "U3", "U4")
    desk("cert issue --acl --to H.pub --tag '(use vm7)' --propagate --out R.acl")
    desk("cert issue --key H.id --to U1.pub --propagate-to U2.pub --tag '(use vm7)' --for 1d "
         "--out H-U1")
    desk("cert issue --key U1.id --to U2.pub --tag '(use vm7)' --for 1h --out U1-U2")
    return desk


@pytest.mark.parametrize("files, verdict", [
    ("H-U1 U1-U2", "granted"),
    ("H-U1", "no_root"),   # U1 denies: there is no certificate for U2
    ("U1-U2", "no_root"),  # the registrar denies: U1 has nothing to pass on
    ("", "no_root"),       # both deny
])
def test_h18_four_outcomes(secondary, files, verdict):
    """H18: U2 asks U1, who may deny; U1 asks the registrar, who may deny."""
    assert ask(secondary, files, "U2", "(use vm7)", "R.acl")["verdict"] == verdict


def test_h18_another_user_in_his_place_is_refused(secondary):
    """H18: U3 in the place of U2 is refused; nor may U2 pass it on, even if his certificate says
    so."""
    secondary("cert issue --key U1.id --to U3.pub --tag '(use vm7)' --for 1h --out U1-U3")
    said = ask(secondary, "H-U1 U1-U3", "U3", "(use vm7)", "R.acl")
    assert said["verdict"] == "wrong_delegate"
    assert said["culprit"]["subject"]["hit"] == secondary.hit("U1")
    assert [who["hit"] for who in said["culprit"]["only"]] == [secondary.hit("U2")]
    secondary("cert issue --key U1.id --to U2.pub --tag '(use vm7)' --propagate --out U1-U2-any")
    secondary("cert issue --key U2.id --to U4.pub --tag '(use vm7)' --out U2-U4")
    assert ask(secondary, "H-U1 U1-U2-any", "U2", "(use vm7)", "R.acl")["granted"]
    said = ask(secondary, "H-U1 U1-U2-any U2-U4", "U4", "(use vm7)", "R.acl")
    assert said["verdict"] in ("not_delegable", "wrong_delegate")
    assert ask(secondary, "H-U1", "U1", "(use vm7)", "R.acl")["granted"], "U1 himself may"


def test_b11_certificate_of_one_group_is_useless_in_another(desk):
    """B11: groups X and Y have owners of their own; a member's certificate names its address."""
    desk.people("X", "Y", "node")
    for group in ("X", "Y"):
        desk("cert issue --acl --to %s.pub --tag '(warren)' --propagate --out %s.acl"
             % (group, group))
    desk("cert issue --key X.id --to node.pub --tag '(warren (member (address \"10.7.0.5\")))' "
         "--for 1y --out node.cert")
    wanted = "(warren (member (address \"10.7.0.5\")))"
    assert ask(desk, "node.cert", "node", wanted, "X.acl")["granted"]
    assert ask(desk, "node.cert", "node", wanted, "Y.acl")["verdict"] == "no_root"
    said = ask(desk, "node.cert", "node", wanted.replace("0.5", "0.6"), "X.acl")
    assert said["verdict"] == "tag" and said["wanted"] == '"10.7.0.6"'


def test_d2_fingerprint_by_telephone(desk):
    """D2: bob's key comes over a way that nobody trusts; bob reads its fingerprint over the
    telephone. No service takes part. Another key, or a digit misheard, is refused."""
    desk.people("alice", "bob", "mallory")
    line = "cert issue --key alice.id --tag '(lab)' --known mail --to"
    spoken = re.search("^fingerprint  (.*)$", desk("id show --file bob.id"), re.M)[1]
    desk.path("mail").write_text(desk.path("mallory.pub").read_text())
    assert "--known" in desk.refused("%s '%s'" % (line, spoken))
    desk.path("mail").write_text(desk.path("bob.pub").read_text())
    desk("%s '%s' --out bob.cert" % (line, spoken))
    assert desk.run("id show --file bob.cert --json", wanted=0).json["hit"] == desk.hit("bob")
    for way in (spoken.replace(" ", "-"), spoken.replace(" ", ""), desk.hit("bob")):
        desk("%s %s" % (line, way))
    digits = spoken.replace(" ", "")
    for place in range(len(digits)):
        wrong = digits[:place] + str((int(digits[place]) + 1) % 10) + digits[place + 1:]
        assert "misheard" in desk.refused("%s %s" % (line, wrong))
    assert "no HIT" in desk.refused("%s 2001:db8::1" % line)


def test_keys_can_be_named_in_many_ways(lab):
    """--to: transport, advanced, canonical, hex, base64, files of several kinds, standard input."""
    shown = lab.run("id show --file bob.id --json", wanted=0).json
    raw = bytes.fromhex(shown["public_key_hex"])
    lab("cert issue --key alice.id --to bob.pub --tag '(lab)' --out bob.cert")
    ways = [shown["public_key"], "(public-key (ed25519 #%s#))" % raw.hex(), raw.hex(),
            raw.hex().upper(), base64.b64encode(raw).decode(), "bob.id", "bob.pub", "bob.cert",
            base64.b64encode(raw).decode().rstrip("="), "-",
            "(subject (public-key (ed25519 |%s|)))" % base64.b64encode(raw).decode()]
    entries = {lab(["cert", "issue", "--acl", "--to", way, "--tag", "(lab)"],
                   stdin=lab.path("bob.pub").read_bytes()) for way in ways}
    assert len(entries) == 1
    lab.path("two").write_text(lab.path("bob.pub").read_text() + lab.path("eve.pub").read_text())
    assert "several" in lab.refused("cert issue --acl --to two --tag '(lab)'")
    assert "nor a file" in lab.refused("cert issue --acl --to nobody --tag '(lab)'")
    assert "sound" in lab.refused("cert issue --acl --to %s --tag '(lab)'" % ("00" * 32))
    assert "single quotes" in lab.usage(["cert", "issue", "--acl", "--to", "(public-key",
                                         "--tag", "(lab)"])


def test_hash_of_a_key_as_subject(lab):
    """A certificate may name its subject by the key's hash; it counts once the key is known."""
    import hashlib
    key = sexp.canonical(sexp.read(lab.run("id show --file bob.id --public --format canonical",
                                           wanted=0).bytes))
    subject = "(hash sha256 #%s#)" % hashlib.sha256(key).hexdigest()
    lab(["cert", "issue", "--key", "alice.id", "--to", subject, "--tag", "(lab)", "--out", "h"])
    assert ask(lab, "h")["granted"]
    assert ask(lab, "h", "eve")["verdict"] == "no_root"


def test_times(lab):
    """From and until, in RFC 3339 with offsets and as durations; both ends belong to it."""
    lab("cert issue --key alice.id --to bob.pub --tag '(lab)' --not-before "
        "2030-01-01T01:00:00+01:00 --until 2030-06-30T23:59:59Z --out bob.cert")
    text = lab("cert show bob.cert")
    assert "from 2030-01-01T00:00:00Z until 2030-06-30T23:59:59Z" in text
    assert '(not-before "2030-01-01_00:00:00")' in text and "NOT YET valid" in text
    for at, verdict in (("2029-12-31T23:59:59Z", "not_yet_valid"),
                        ("2030-01-01T00:00:00Z", "granted"),
                        ("2030-06-30T23:59:59Z", "granted"),
                        ("2030-07-01T01:59:59+02:00", "granted"),
                        ("2030-07-01T00:00:00Z", "expired")):
        said = ask(lab, "bob.cert", more="--at " + at)
        assert said["verdict"] == verdict, at
    assert said["since"] == "2030-06-30T23:59:59Z"
    said = ask(lab, "bob.cert", more="--at 2030-03-01")
    assert (said["from"], said["until"]) == ("2030-01-01T00:00:00Z", "2030-06-30T23:59:59Z")
    start = "cert issue --key alice.id --to bob.pub --tag '(lab)' "
    for wrong in ("--until tomorrow", "--until 2030-01-01T00:00:00", "--for 90", "--for -1d",
                  "--for 1d --until 2d", "--not-before 2d --until 1d", "--for 9999y",
                  "--until 2030-02-30"):
        lab.usage(start + wrong)
    assert "expired already" in lab.run(start + "--until -1h", wanted=0).errors


def test_names_and_thresholds(lab):
    """alice calls bob her "team", and the lab trusts alice's team. Two of three directors have to
    ask together."""
    lab("cert issue --acl --to alice.pub --to-name team --tag '(lab)' --out team.acl")
    lab("cert issue --key alice.id --to bob.pub --define team --for 90d --out bob.name")
    assert "is its team" in lab("cert show bob.name")
    assert ask(lab, "bob.name", acl="team.acl")["granted"]
    assert not ask(lab, "bob.name", "carol", acl="team.acl")["granted"]

    lab("cert issue --acl --to alice.pub --to bob.pub --to carol.pub --threshold 2 --tag '(fire)' "
        "--out two.acl")
    assert "any 2 together of" in lab("cert show two.acl")
    said = ask(lab, "", "bob", "(fire)", "two.acl")
    assert said["verdict"] == "too_few" and (said["have"], said["need"]) == (1, 2)
    assert ask(lab, "", "bob", "(fire)", "two.acl", "--subject carol.pub")["granted"]
    assert ask(lab, "", "bob", "(fire)", "two.acl", "--subject eve.pub")["verdict"] == "too_few"


def test_revocation_lists_grow_and_forget_nothing(lab):
    for who in ("bob", "carol", "eve"):
        lab("cert issue --key alice.id --to %s.pub --tag '(lab)' --out %s.cert" % (who, who))
    lab("cert revoke --key alice.id --cert bob.cert --out alice.crl")
    digest = lab("cert show --hash carol.cert").strip()
    lab("cert revoke --key alice.id --cert %s --crl alice.crl --out alice.crl" % digest)
    shown = lab.run("cert show alice.crl --json", wanted=0).json["objects"][0]
    assert shown["kind"] == "crl" and shown["signature"] == "good"
    assert len(shown["canceled"]) == 2 and digest in shown["canceled"]
    # the second list counts at once, however soon after the first one it was made
    assert [ask(lab, who + ".cert alice.crl", who)["verdict"]
            for who in ("bob", "carol", "eve")] == ["revoked", "revoked", "granted"]
    # bob cannot revoke what alice issued, nor extend alice's list; nor is any file a list
    assert "only its issuer" in lab.refused("cert revoke --key bob.id --cert eve.cert")
    assert "not one that this key signed" in lab.refused(
        "cert revoke --key bob.id --cert %s --crl alice.crl" % digest)
    assert "no list" in lab.refused("cert revoke --key alice.id --cert eve.cert --crl bob.cert")
    assert "no certificate" in lab.refused("cert revoke --key alice.id --cert bob.pub")
    # a list that bob signs over alice's certificate revokes nothing
    lab("cert revoke --key bob.id --cert %s --out bob.crl"
        % lab("cert show --hash eve.cert").strip())
    assert ask(lab, "eve.cert bob.crl", "eve")["granted"]
    # nor does one of alice's whose signature was taken away
    crl = sexp.read(canonical_of(lab, "alice.crl"))
    lab.path("bare").write_bytes(sexp.canonical(crl[1]))
    assert ask(lab, "bob.cert bare", "bob")["granted"]
    assert "NOT SIGNED" in lab("cert show bare")


def test_certificate_that_needs_a_fresh_list(lab):
    lab("cert issue --key alice.id --to bob.pub --tag '(lab)' --needs-crl --out bob.cert")
    lab("cert issue --key alice.id --to eve.pub --tag '(lab)' --out eve.cert")
    assert ask(lab, "bob.cert")["verdict"] == "no_fresh_crl"
    lab("cert revoke --key alice.id --cert eve.cert --for 1d --out alice.crl")
    said = ask(lab, "bob.cert alice.crl")
    assert said["granted"] and said["until"] is not None, "as long as the list is fresh"
    assert ask(lab, "bob.cert alice.crl", more="--at 2d")["verdict"] == "no_fresh_crl"


TAGS = ["(lab)", "(lab (ssh))", "(lab (ssh web))", "(lab (ssh (* set web mail)))", "(*)",
        "(lab (* set (ssh mail) (disk)))", "(lab (ssh (* prefix w)))", "(other)"]
REQUESTS = ["(lab (ssh web))", "(lab (ssh mail))", "(lab (disk))", "(lab)",
            "(lab (ssh (* prefix we)))"]
WHO = ["alice", "bob", "carol", "eve"]


@pytest.mark.parametrize("seed", range(6))
def test_sentence_json_and_reduction_agree(lab, seed):
    """On random heaps of certificates: the sentence and the JSON of cert verify say the same (see
    'ask'), and a request is granted just if cert reduce has an entry for all of it."""
    draw = random.Random(seed)
    verdicts = set()
    files = []
    for number in range(7):
        line = "cert issue --key %s.id --to %s.pub --tag '%s' --out c%d" % (
            "alice" if number < 3 else draw.choice(WHO), draw.choice(WHO), draw.choice(TAGS),
            number)
        line += draw.choice(["", " --propagate", " --propagate --for 9d", " --for 1d",
                             " --not-before 2d", " --propagate-to %s.pub" % draw.choice(WHO)])
        lab(line)
        files.append("c%d" % number)
    lab("cert revoke --key alice.id --cert %s --out crl" % lab("cert show --hash c0").strip())
    files = " ".join(files + draw.choice([[], ["crl"]]))
    for _ in range(12):
        who, request, at = draw.choice(WHO), draw.choice(REQUESTS), draw.choice(["5m", "3d", "10d"])
        said = ask(lab, files, who, request, more="--at " + at)
        reduced = sexp.read(lab(
            "cert reduce --at %s --subject %s.pub --request '%s' lab.acl %s" % (
                at, who, request, files)))
        whole = [entry for entry in reduced[1:]
                 if sexp.part(entry, "tag")[0] == sexp.read(request)]
        assert said["granted"] == bool(whole), (files, who, request, at)
        verdicts.add(said["verdict"])
    assert len(verdicts) >= 2, "the draws show something"


def test_acl_counts_from_the_verifier_only(lab):
    """Eve shows an ACL of her own among her certificates: it is refused, and by name."""
    lab("cert issue --acl --to eve.pub --tag '(*)' --propagate --out eve.acl")
    said = lab.refused("cert verify --acl lab.acl --subject eve.pub --request '(lab)' eve.acl")
    assert "eve.acl" in said and "verifier" in said
    said = lab.refused("cert verify --acl bob.pub --subject eve.pub --request '(lab)'")
    assert "cert issue --acl" in said
    said = lab.refused("cert reduce bob.pub eve.pub")
    assert "bob.pub, eve.pub" in said and "(acl ...)" in said


def test_files_in_any_form_and_number(lab):
    """All of a chain in one file, in three forms one behind the other; from standard input; errors
    by line."""
    lab("cert issue --key alice.id --to bob.pub --tag '(lab)' --propagate --out bob.cert")
    lab("cert issue --key bob.id --to carol.pub --tag '(lab)' --propagate --format canonical "
        "--out carol.cert")
    lab("cert issue --key carol.id --to eve.pub --tag '(lab)' --format advanced --out eve.cert")
    whole = b"\n".join(lab.path(name + ".cert").read_bytes() for name in ("eve", "bob", "carol"))
    lab.path("whole").write_bytes(whole)
    assert len(ask(lab, "whole", "eve")["chain"]) == 4
    line = "cert verify --acl lab.acl --subject eve.pub --request '(lab)' "
    assert lab.run(line + "-", stdin=whole).code == warren.DONE
    assert "once only" in lab.usage(line + "- -", stdin=whole)
    lab.path("bad").write_bytes(lab.path("eve.cert").read_bytes() + b"\n(cert (issuer")
    lines = lab.path("bad").read_bytes().count(b"\n")
    assert "bad, line %d" % (lines + 1) in lab.refused(line + "bad")
    lab.path("other").write_text('(recipe "rabbit")')
    assert "other, line 1" in lab.refused(line + "other")
    assert "No such file" in lab.refused(line + "nowhere")


def test_reduce_prints_what_follows(lab):
    """Sorted, in any form, with sentences in JSON; without anything that was not signed."""
    lab("cert issue --key alice.id --to bob.pub --tag '(lab (ssh web))' --for 90d --out bob.cert")
    lab("cert issue --key eve.id --to carol.pub --tag '(lab)' --out carol.cert")
    acl = sexp.read(lab("cert reduce lab.acl bob.cert carol.cert"))
    assert acl[0] == b"acl" and len(acl) == 3
    assert list(acl[1:]) == sorted(acl[1:], key=sexp.canonical)
    again = sexp.read(lab("cert reduce --subject bob.pub lab.acl bob.cert"))
    assert len(again) == 2 and again[1] in acl
    assert sexp.read(lab("cert reduce --subject eve.pub lab.acl bob.cert")) == (b"acl",)
    assert sexp.read(lab("cert reduce --at 91d --subject bob.pub lab.acl bob.cert")) == (b"acl",)
    assert sexp.read(lab("cert reduce --subject alice.pub --subject bob.pub lab.acl bob.cert")) \
        == (b"acl",)
    said = lab.run("cert reduce --json --subject bob.pub lab.acl bob.cert", wanted=0).json
    assert len(said["entries"]) == 1 and said["assumed_signed"] is False
    assert lab.hit("bob") in said["entries"][0]["sentence"]
    bare = sexp.read(canonical_of(lab, "bob.cert"))[1]
    lab.path("bare").write_bytes(sexp.canonical(bare))
    assert len(sexp.read(lab("cert reduce lab.acl bare"))) == 2
    study = lab.run("cert reduce --assume-signed lab.acl bare", wanted=0)
    assert len(sexp.read(study.text)) == 3 and "proves nothing" in study.errors
    assert "--format" in lab.usage("cert reduce --format pretty lab.acl")


def test_show_is_harmless_to_a_terminal(lab):
    """Names, tags and notes of others reach the terminal as text only."""
    evil = "\033[2Jhello\nworld"
    lab(["cert", "issue", "--key", "alice.id", "--to", "bob.pub", "--tag", '(lab "x")',
         "--comment", evil, "--out", "a"])
    lab(["cert", "issue", "--key", "alice.id", "--to", "bob.pub", "--define", evil, "--out", "b"])
    lab.path("c").write_bytes(b"(sequence (" + sexp.canonical(evil.encode()) + b"))")
    for line in ("cert show a b", "cert show --json a b", "cert show c",
                 "cert verify --acl lab.acl --subject bob.pub --request '(lab)' a b"):
        answer = lab.run(line)
        assert "\033" not in answer.text + answer.errors
    assert lab.run("cert show c").code == warren.REFUSED


def test_contradictions_are_usage_errors(lab):
    start = "cert issue --key alice.id --to bob.pub "
    for wrong in ("", "--tag '(x)' --define n", "--define n --propagate",
                  "--tag '(x)' --propagate --propagate-to eve.pub", "--tag '(x)' --to eve.pub",
                  "--tag '(* nothing)'", "--tag '(x'", "--tag '(x) (y)'", "--acl --tag '(x)'",
                  "--tag '(x)' --threshold 0", "--tag '(x)' --threshold 2",
                  "--tag '(x)' --format pem"):
        assert lab.usage(start + wrong).startswith("warren: "), wrong
    assert "there already" in lab.refused(start + "--tag '(x)' --out bob.pub")
    lab(start + "--tag '(x)' --out bob.pub --force")
    assert json.loads(lab.run(start + "--json", wanted=warren.USAGE).bytes)["error"]
    assert lab.run(start + "--tag '(x)' --json", wanted=0).json["certificate"].startswith("{")


def test_new_files_are_whole_or_not_there(lab):
    """A folder that cannot be written: the error names it, nothing is left behind."""
    assert "cannot write" in lab.refused(
        "cert issue --key alice.id --to bob.pub --tag '(x)' --out nowhere/file")
    before = sorted(os.listdir(lab.folder))
    assert "cannot write" in lab.refused(
        "cert issue --key alice.id --to bob.pub --tag '(x)' --out home --force")
    assert sorted(os.listdir(lab.folder)) == before


def test_first_and_renewed_list_of_nothing(lab):
    """--needs-crl is of use before anything is revoked, and when a list runs out."""
    lab("cert issue --key alice.id --to bob.pub --tag '(lab)' --needs-crl --out bob.cert")
    assert "--empty" in lab.usage("cert revoke --key alice.id --out alice.crl")
    lab.usage("cert revoke --key alice.id --cert bob.cert --empty --out alice.crl")
    lab("cert revoke --key alice.id --empty --for 1h --out alice.crl")
    assert ask(lab, "bob.cert alice.crl")["granted"]
    assert ask(lab, "bob.cert alice.crl", more="--at 2h")["verdict"] == "no_fresh_crl"
    lab("cert revoke --key alice.id --crl alice.crl --for 3h --out alice.crl")
    assert ask(lab, "bob.cert alice.crl", more="--at 2h")["granted"]


def test_one_key_twice_is_not_two(lab):
    start = "cert issue --acl --tag '(lab)' --threshold 2 --out two.acl "
    assert "twice" in lab.usage(start + "--to bob.pub --to bob.pub")
    said = lab.run("id show --json --file bob.pub", wanted=warren.DONE).json
    key = bytes.fromhex(said["public_key_hex"])
    digest = hashlib.sha256(b"(10:public-key(7:ed2551932:" + key + b"))").hexdigest()
    lab(start + "--to bob.pub --to '(hash sha256 #%s#)'" % digest)
    assert ask(lab, "bob.pub", acl="two.acl", request="(lab)")["verdict"] == "too_few"


@pytest.mark.parametrize("entries", [
    ["(k-of-n \"1\" \"16\" %s)" % " ".join(
        "(name K a%d b%d c%d)" % (i, i, i) for i in range(16))],
    ["(name K %s)" % " ".join("w%dx%d" % (j, i) for i in range(16)) for j in range(4)],
    ["(k-of-n \"1\" \"16\" %s)" % " ".join(
        "(k-of-n \"1\" \"16\" %s)" % " ".join(["K"] * 16) for i in range(16))] * 2,
])
def test_long_names_and_wide_thresholds_have_room(lab, entries):
    """Few certificates may be as large as the grammar lets them."""
    key = lab.run("id show --file bob.pub --public --format advanced", wanted=0).text
    text = "(acl %s)" % " ".join("(entry (subject %s) (tag (lab)))" % e for e in entries)
    lab.path("wide.acl").write_text(re.sub(r"\bK\b", lambda _: key, text))
    assert ask(lab, "bob.pub", acl="wide.acl", request="(lab)")["verdict"] in ("no_root", "granted")


def test_hostile_piles_cost_no_more_than_their_size(lab):
    """Keys by the hundred thousand, millions of tiny expressions: answered, or refused early."""
    some = random.Random(1)
    lab.path("keys").write_bytes(b"".join(
        b"(10:public-key(7:ed2551932:%s))" % some.randbytes(31).ljust(32, b"\1")
        for _ in range(100000)))
    assert ask(lab, "keys")["verdict"] == "no_root"
    lab.path("tiny").write_bytes(b"()" * 1000000)
    assert "expressions" in lab.refused(
        "cert verify --acl lab.acl --subject bob.pub --request '(lab)' tiny")
    lab.path("lists").write_bytes((b"(8:sequence" + b"()" * 65000 + b")") * 5)
    assert "expressions" in lab.refused("cert show lists")


def test_slips_are_named_as_they_were_typed(lab):
    start = "cert issue --to bob.pub --tag '(x)' "
    assert '"-key"; did you mean: --key' in lab.usage(start + "-key alice.id")
    assert "is empty" in lab.usage(start + "--key ''")
    assert "mkdir -p no/where" in lab.refused(start + "--key alice.id --out no/where/file")
    assert "hh:mm:ss" in lab.usage(start + "--key alice.id --until 2026-12-24T18:00")
    assert "from 1 to 1" in lab.usage(start + "--key alice.id --threshold two")
    assert "empty" in lab.usage("cert issue --key alice.id --to bob.pub --define ''")
    for line in ("--json", "id --json", "cert --json"):
        assert "missing" in lab.run(line, wanted=warren.USAGE).json["error"]
    lab.usage("id new --file -")
    assert not lab.path("-").exists()


def test_show_finds_signatures_in_a_long_file(lab):
    """Each is looked for by what it signs, not by looking at all of them."""
    lab("cert issue --key alice.id --to bob.pub --tag '(lab)' --format canonical --out one.cert")
    one = lab.path("one.cert").read_bytes()
    signature = one[one.index(b"(9:signature"):-1]
    where = signature.index(b"6:sha256") + len(b"6:sha25632:")
    some = random.Random(1)
    lab.path("pile").write_bytes(b"".join(
        signature[:where] + some.randbytes(32) + signature[where + 32:] for _ in range(120000)))
    certs = b"".join(
        one.replace(b"3:lab", b"3:%03d" % i) for i in range(250)) + one
    lab.path("certs").write_bytes(certs)
    said = lab.run("cert show --json certs pile", wanted=warren.DONE).json["objects"]
    assert [each["signature"] for each in said] == ["none"] * 250 + ["good"]


def test_tag_of_nothing_is_no_small_right(lab):
    """The empty list leaves everything open behind it; who means nothing must see that."""
    said = lab("cert issue --key alice.id --to bob.pub --tag '()' --out bob.cert")
    assert " may do everything that is a list: () " in said
    assert ask(lab, "bob.cert", request="(lab (ssh web))")["granted"]
