# SPDX-License-Identifier: Apache-2.0
"""`warren id`: keys made, guarded and shown; offline, without namespaces."""

import base64
import ipaddress
import os
import re
import stat

import pytest

from harness import qr, sexp, warren


@pytest.fixture
def desk(tmp_path):
    return warren.Desk(tmp_path)


def seed_of(desk, name):
    identity = sexp.read(desk.path(name).read_bytes())
    return sexp.part(sexp.part(identity, "private-key"), "ed25519")[0]


def spellings(secret):
    """Every way in which the bytes of a secret could appear in a text."""
    return [secret, secret.hex().encode(), secret.hex().upper().encode(),
            base64.b64encode(secret).rstrip(b"=")[:-1]]


def test_new_makes_a_readable_guarded_file(desk):
    shown = desk("id new --file alice.id")
    path = desk.path("alice.id")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    identity = sexp.read(path.read_bytes())
    assert identity[0] == b"warren-identity" and sexp.part(identity, "version") == (b"1",)
    key = sexp.part(sexp.part(identity, "public-key"), "ed25519")[0]
    assert len(key) == 32 and len(seed_of(desk, "alice.id")) == 32
    assert re.search(r"^HIT +2001:2[0-9a-f]:", shown, re.M)
    assert re.search(r"^fingerprint  (\d{4} ){7}\d{4}$", shown, re.M)
    assert os.listdir(desk.folder / "home") == [] and sorted(os.listdir(desk.folder)) == [
        "alice.id", "home"], "no temporary file stays"


def test_default_places(desk):
    """$WARREN_IDENTITY, else $XDG_CONFIG_HOME, else ~/.config; folders are their owner's alone."""
    assert "warren id new" in desk.refused("id show")
    desk("id new")
    home = desk.folder / "home" / ".config" / "warren"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700 and (home / "identity").exists()
    hits = {desk.run("id show --json", wanted=0).json["hit"]}
    config = str(desk.folder / "config")
    desk("id new", XDG_CONFIG_HOME=config)
    hits.add(desk.run("id show --json", wanted=0, XDG_CONFIG_HOME=config).json["hit"])
    desk("id new", WARREN_IDENTITY=str(desk.path("mine")))
    mine = str(desk.path("mine"))
    hits.add(desk.run("id show --json", wanted=0, WARREN_IDENTITY=mine).json["hit"])
    assert len(hits) == 3
    del desk.environment["HOME"]
    assert "--file" in desk.usage("id new")


def test_key_is_never_overwritten_without_force(desk):
    desk("id new --file a")
    before = desk.path("a").read_bytes()
    said = desk.refused("id new --file a")
    assert "--force" in said and desk.path("a").read_bytes() == before
    desk("id new --file a --force")
    assert desk.path("a").read_bytes() != before
    desk.path("link").symlink_to("nowhere")
    assert "--force" in desk.refused("id new --file link")
    assert sorted(os.listdir(desk.folder)) == ["a", "home", "link"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o644])
def test_loose_permissions_are_refused(desk, mode):
    """Wherever a private key is read, and with the command that mends it."""
    desk.people("alice", "bob")
    desk.path("alice.id").chmod(mode)
    for line in ("id show --file alice.id",
                 "cert issue --key alice.id --to bob.pub --tag '(lab)'",
                 "cert issue --acl --to alice.id --tag '(lab)'",
                 "cert show alice.id"):
        assert "chmod 600 alice.id" in desk.refused(line)
    desk.path("alice.id").chmod(0o400)
    desk("id show --file alice.id")


def test_h8_private_key_never_leaves_its_file(desk):
    """H8: every resource makes its own key pair; in whatever is printed or written afterwards there
    is nothing of the private half. A private key on a command line is refused, unrepeated."""
    desk.people("vm", "bob")
    secrets = spellings(seed_of(desk, "vm.id"))
    desk("id show --file vm.id --qr")
    desk("id show --file vm.id --json")
    desk("id show --file vm.id --qr=vm.svg")
    desk("cert issue --key vm.id --to bob.pub --tag '(run)' --out bob.cert")
    desk("cert show vm.id bob.cert")
    desk("cert show --json vm.id bob.cert")
    desk("cert revoke --key vm.id --cert bob.cert --out vm.crl")
    text = desk.path("vm.id").read_text()
    said = [desk.usage(["cert", "issue", "--key", text, "--to", "bob.pub", "--tag", "(run)"]),
            desk.usage(["cert", "issue", "--key", "vm.id", "--to", text, "--tag", "(run)"]),
            desk.usage(["cert", "issue", "--key", "vm.id", "--to", "bob.pub", "--tag", text])]
    assert all("command line" in line for line in said)
    written = [desk.path(name).read_bytes() for name in os.listdir(desk.folder)
               if name not in ("vm.id", "home")]
    for text in written + [a.bytes + a.errors.encode() for a in desk.answers]:
        assert not any(secret in text for secret in secrets)


def test_damaged_files_are_refused_by_cause(desk):
    desk("id new --file good")
    good = sexp.read(desk.path("good").read_bytes())
    seed = sexp.part(good, "private-key")

    def private(size):
        return b"private-key", (b"ed25519", b"x" * size)

    cases = [
        (b"", "is empty"),
        (b"(warren-identity", "line 1"),
        (sexp.canonical((good[0], (b"version", b"2")) + good[2:]), "version"),
        (sexp.canonical(good[:3]), "public-key"),
        (sexp.canonical(good[:2] + (private(31), good[3])), "32 bytes"),
        (sexp.canonical(good[:2] + (private(32), good[3])), "damaged"),
        (sexp.canonical(good) + sexp.canonical(good), "more than one"),
        (b"(public-key (ed25519 #" + b"11" * 32 + b"#))", "no private key"),
    ]
    for text, why in cases:
        desk.path("bad").write_bytes(text)
        desk.path("bad").chmod(0o600)
        said = desk.refused("cert issue --key bad --to good --tag '(x)'")
        assert why in said and "bad" in said
        assert not any(s in said.encode() for s in spellings(seed[0][1]))
    assert "warren id new" in desk.refused("cert issue --key nothing --to good --tag '(x)'")


def test_show_says_the_same_in_every_way(desk):
    """HIT, fingerprint, key: by text and JSON, of an identity, a public key, a certificate."""
    desk.people("alice", "bob")
    desk("cert issue --key alice.id --to bob.pub --tag '(lab)' --out bob.cert")
    of_file = desk.run("id show --file bob.id --json", wanted=0).json
    for name in ("bob.pub", "bob.cert"):
        shown = desk.run("id show --file %s --json" % name, wanted=0).json
        assert {**shown, "file": None} == {**of_file, "file": None}
    text = desk("id show --file bob.id")
    assert all(of_file[key] in text for key in ("hit", "fingerprint", "public_key"))
    assert ipaddress.ip_address(of_file["hit"]) in ipaddress.ip_network("2001:20::/28")
    number = int(of_file["fingerprint"].replace(" ", "")[:29])
    hit = int(ipaddress.ip_address(of_file["hit"]))
    assert number == hit & (1 << 96) - 1, "29 digits are the 96 bits of the HIT"
    assert number % 997 == int(of_file["fingerprint"].replace(" ", "")[29:])
    stdin = desk.path("bob.pub").read_bytes()
    assert desk.run("id show --file - --json", wanted=0, stdin=stdin).json["hit"] == of_file["hit"]


def test_public_key_in_three_forms(desk):
    desk("id new --file a")
    keys = [sexp.read(desk.run("id show --file a --public --format " + form, wanted=0).bytes)
            for form in ("advanced", "canonical")]
    line = desk("id show --file a --public").strip()
    assert line[0] == "{" and line[-1] == "}"
    keys.append(sexp.read(base64.b64decode(line[1:-1])))
    assert keys[0] == keys[1] == keys[2] and keys[0][0] == b"public-key"
    assert "--public" in desk.usage("id show --file a --format advanced")
    assert "transport" in desk.usage("id show --file a --public --format pem")


def test_qr_code_holds_fingerprint_and_key(desk):
    """What a scanner reads from the terminal and from the picture finds the key again. The decoder
    is the test's own."""
    desk("id new --file a")
    shown = desk.run("id show --file a --json", wanted=0).json
    text = qr.from_terminal(desk("id show --file a --qr"))
    assert text == "WARREN:%s/%s" % (shown["fingerprint"].replace(" ", ""),
                                     shown["public_key_hex"].upper())
    assert text == shown["qr"]
    desk("id show --file a --qr=a.svg")
    assert qr.from_svg(desk.path("a.svg").read_text()) == text
    assert "--force" in desk.refused("id show --file a --qr=a.svg")
    desk("id show --file a --qr=a.svg --force")
    assert ".svg" in desk.usage("id show --file a --qr a.png")
    acl = desk("cert issue --acl --to %s --tag '(x)' --format advanced" % text)
    assert bytes.fromhex(shown["public_key_hex"]) in sexp.canonical(sexp.read(acl))
    damaged = text[:-1] + ("0" if text[-1] != "0" else "1")
    assert "scan it again" in desk.refused("cert issue --acl --to %s --tag '(x)'" % damaged)


def test_help_everywhere(desk):
    """Every level has help with an example that begins with "warren", and typing errors a
    suggestion."""
    top = desk("--help")
    commands = re.findall(r"^  ((?:id|cert) \w+) ", top, re.M)
    assert set(commands) == {"id new", "id show", "cert issue", "cert show", "cert verify",
                             "cert reduce", "cert revoke"}
    for group in ("", "id", "cert"):
        assert re.search(r"^Example:\s+warren ", desk(group + " --help"), re.M)
    for command in commands:
        text = desk(command + " --help")
        assert text == desk("help " + command)
        example = text.split("Example:\n")[1]
        assert example.startswith("  warren " + command)
        assert all(len(line) <= 80 for line in text.split("\n")), text
    assert desk("--version") == "warren 0.1.0\n"
    assert desk.run("--version --json", wanted=0).json == {"version": "0.1.0"}
    assert "warren id show" in desk.usage("id shwo")
    assert "--file" in desk.usage("id show --flie x")
    assert "warren cert" in desk.usage("crt show x")
    wrong = desk.run("id shwo --json", wanted=warren.USAGE)
    assert "id show" in wrong.json["error"] and "id show" in wrong.errors


def test_lost_output_is_an_error(desk):
    """A full disk must not look like success."""
    import subprocess
    desk("id new --file a")
    with open("/dev/full", "w") as full:
        process = subprocess.run([warren.PROGRAM, "id", "show", "--file", "a"], cwd=desk.folder,
                                 stdout=full, stderr=subprocess.PIPE, check=False)
    assert process.returncode == warren.REFUSED and b"standard output" in process.stderr
