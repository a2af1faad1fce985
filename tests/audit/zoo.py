"""A zoo of roots: each is made with one fault, beside a clean twin, and audited by the real program.

A row of the zoo gives exactly the rules that it names. What the place of the tests itself is told of (that it lies on
the file system of the host, on a mount without nosuid) is left out, and only that."""
import json
import os
import shutil
import socket
import subprocess
import tempfile

IMMURE = os.environ.get("IMMURE", "immure")
ROOT = os.geteuid() == 0
# About where the tests run, not about the tree.
OF_THE_PLACE = {"tree-nosuid", "tree-nodev", "tree-shared-file-system", "tree-quota"}
# A root that a user made is that user's: advice, as long as the same user looks.
OF_A_USER = set() if ROOT else {"tree-top-owner"}


class Audited:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err
        self.document = json.loads(out) if out.startswith("{") else None

    @property
    def everything(self):
        return [one for part in self.document["audits"] for one in part["findings"]]

    @property
    def findings(self):
        return [one for one in self.everything
                if one["rule"] not in OF_THE_PLACE and not (one["rule"] in OF_A_USER and one["severity"] == "advice")]

    @property
    def ids(self):
        return {one["rule"] for one in self.findings}

    @property
    def above_advice(self):
        return [one for one in self.findings if one["severity"] != "advice"]

    def of(self, rule):
        return [one for one in self.findings if one["rule"] == rule]

    def __str__(self):
        return f"status {self.status}\n{self.out[-3000:]}\n{self.err[-2000:]}"


def audit(path, *words, prepare="", seconds=120, text=False):
    """`prepare`: lines of sh that run before it, in a mount namespace of their own; $ROOT is the root."""
    command = [IMMURE, "audit", *([] if text else ["--json"]), *words, path]
    if prepare:
        command = ["unshare", "-m", "--propagation", "private", "sh", "-ec", prepare + '\nexec "$@"', "sh", *command]
    done = subprocess.run(command, capture_output=True, timeout=seconds, env=dict(os.environ, ROOT=path))
    said = Audited(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
    if done.returncode not in (0, 1) or (not text and said.document is None):
        raise AssertionError(f"immure audit failed: {said}")
    return said


class Tree:
    """A small root in order; gone with the test."""

    def __init__(self, test):
        self.home = tempfile.mkdtemp(prefix="immure-zoo-")
        test.addCleanup(self.remove)
        os.chmod(self.home, 0o755)
        self.path = os.path.join(self.home, "root")
        os.mkdir(self.path, 0o755)
        for name in ("bin", "etc", "lib", "usr/bin", "usr/lib", "var/log", "var/lib", "dev", "proc", "sys", "root", "home",
                     "run", "opt"):
            self.folder(name)
        self.folder("tmp", 0o1777)
        self.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\njoe:x:1000:1000::/home/joe:/usr/sbin/nologin\n")
        self.file("etc/group", "root:x:0:\njoe:x:1000:\n")
        self.file("etc/shadow", "root:*:19000:0:99999:7:::\njoe:!:19000:0:99999:7:::\n", 0o600)
        self.file("usr/bin/program", "#!/bin/sh\n", 0o755)
        self.file("usr/lib/libx.so.1", "x")
        self.link("libx.so.1", "usr/lib/libx.so")
        self.link("/proc/mounts", "etc/mtab")
        self.link("/run", "var/run")

    def at(self, name):
        return os.path.join(self.path, name)

    def remove(self):
        subprocess.run(["chattr", "-R", "-f", "-i", "-a", self.home], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["chmod", "-R", "u+rwX", self.home], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["rm", "-rf", self.home], check=False)  # takes trees of any depth

    def folder(self, name, mode=0o755):
        os.makedirs(self.at(name), exist_ok=True)
        os.chmod(self.at(name), mode)

    def file(self, name, text="x", mode=0o644):
        os.makedirs(os.path.dirname(self.at(name)), exist_ok=True)
        with open(self.at(name), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(self.at(name), mode)
        return self.at(name)

    def add(self, name, text):
        with open(self.at(name), "a", encoding="utf-8") as file:
            file.write(text)

    def link(self, target, name):
        os.makedirs(os.path.dirname(self.at(name)), exist_ok=True)
        if os.path.lexists(self.at(name)):
            if os.path.isdir(self.at(name)) and not os.path.islink(self.at(name)):
                shutil.rmtree(self.at(name))
            else:
                os.unlink(self.at(name))
        os.symlink(target, self.at(name))

    def node(self, name, kind, major, minor, mode=0o600):
        os.mknod(self.at(name), kind | mode, os.makedev(major, minor))

    def socket(self, name):
        os.makedirs(os.path.dirname(self.at(name)), exist_ok=True)
        here = os.getcwd()
        os.chdir(os.path.dirname(self.at(name)))  # a socket's path has at most 107 bytes
        try:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(os.path.basename(name))
        finally:
            os.chdir(here)
