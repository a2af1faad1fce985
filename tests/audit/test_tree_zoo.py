"""Every row: a root with one fault is told of by the rules named and by no other; its clean twin by none."""
import os
import socket
import stat
import struct
import subprocess
import time
import unittest

import zoo

CORE = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + struct.pack("<HH", 4, 62) + b"\0" * 200
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
HASH = "$y$j9T$aaaaaaaaaaaa$bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"


def capability(tree, name, bits):
    tree.file(name, "x", 0o755)
    os.setxattr(tree.at(name), "security.capability", struct.pack("<IIIII", 0x02000001, bits & 0xFFFFFFFF, 0,
                                                                  bits >> 32, 0))


def acl(tree, name, uid, rights, others=4):
    def entry(tag, perm, number=0xFFFFFFFF):
        return struct.pack("<HHI", tag, perm, number)
    os.setxattr(tree.at(name), "system.posix_acl_access",
                struct.pack("<I", 2) + entry(1, 6) + entry(2, rights, uid) + entry(4, 4) + entry(0x10, 6) + entry(0x20, others))


def outside(tree, name):
    os.link(tree.at(name), os.path.join(tree.home, "outside"))


def times(tree, name, ahead):
    now = time.time() + ahead
    os.utime(tree.at(name), (now, now))


def fixed(tree):
    if subprocess.run(["chattr", "+i", tree.at("opt/x")], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        raise unittest.SkipTest(f"the file system of {tree.home} has no immutable files, or root may not make them")


def host_password(tree):
    with open("/etc/shadow", encoding="utf-8") as file:
        found = [row.split(":")[1] for row in file if row.split(":")[1][:1] == "$"]
    if not found:
        raise unittest.SkipTest("no user of this host has a password")
    tree.add("etc/shadow", f"ann:{found[0]}:1::::::\n")


def machine_id(tree):
    with open("/etc/machine-id", encoding="utf-8") as file:
        own = file.read()
    if not own.strip():
        raise unittest.SkipTest("this host has no machine id")
    tree.file("etc/machine-id", own)


class Row:
    def __init__(self, rules, fault, twin=None, root=False, severity=None, fix=None):
        self.rules, self.fault, self.twin, self.root = rules.split(), fault, twin, root
        self.severity, self.fix = severity, fix


def folder_for_all(rule, name, severity, mode=0o1777):
    """The sticky bit is no help there, and no mend."""
    return Row(rule, lambda t: t.folder(name, mode), lambda t: t.folder(name, 0o755), severity=severity, fix="go-w")


def run_by_others(tree):
    os.chown(tree.at("usr/bin/program"), 1000, 0)
    os.chmod(tree.at("usr/bin/program"), 0o4755)
    tree.file("usr/bin/program", "x", 0o4755)


# fault and twin take the tree; both are applied to a clean one.
ROWS = {
    # hard links
    "linked outside": Row("tree-hard-link-outside", lambda t: (t.file("opt/x"), outside(t, "opt/x")),
                          lambda t: (t.file("opt/x"), os.link(t.at("opt/x"), t.at("opt/y"))), severity="medium"),
    "linked outside, two names inside": Row(
        "tree-hard-link-outside", lambda t: (t.file("opt/x"), os.link(t.at("opt/x"), t.at("opt/y")), outside(t, "opt/x"))),
    "linked outside, for writing": Row("tree-hard-link-outside tree-world-writable-file",
                                       lambda t: (t.file("opt/x", mode=0o666), outside(t, "opt/x"))),
    "set-id program linked outside": Row("tree-hard-link-set-id tree-set-uid-root",
                                         lambda t: (t.file("opt/x", mode=0o4755), outside(t, "opt/x"))),
    # links
    "link above the top": Row("tree-link-up", lambda t: t.link("../../../etc/shadow", "opt/a/x"),
                              lambda t: t.link("../../etc/shadow", "opt/a/x"), severity="low"),
    "link through the top and up": Row("tree-link-up", lambda t: t.link("../opt/../../x", "opt/x"),
                                       lambda t: t.link("../opt/../x", "opt/x")),
    "dev is a link": Row("tree-link-mount-point", lambda t: t.link("/srv/dev", "dev"), lambda t: t.link("opt", "dev")),
    "proc is a link": Row("tree-link-mount-point", lambda t: t.link("/tmp", "proc")),
    "passwd is a link": Row("tree-link-host-file", lambda t: t.link("/etc/passwd", "etc/passwd"),
                            lambda t: t.link("group", "etc/passwd")),
    "hosts is a link": Row("tree-link-host-file", lambda t: t.link("/etc/hosts", "etc/hosts")),
    "root's .ssh is a link": Row("tree-link-host-file", lambda t: t.link("/root/.ssh", "root/.ssh")),
    "log is a link": Row("tree-link-log", lambda t: t.link("/etc/cron.d", "var/log/apt"),
                         lambda t: t.link("../lib", "var/log/apt")),
    "etc is a link": Row("tree-link-system-folder", lambda t: t.link("/etc", "etc"), lambda t: t.link("opt", "etc")),
    # powers
    "set-uid program of root": Row("tree-set-uid-root", lambda t: t.file("opt/x", mode=0o4755),
                                   lambda t: t.file("opt/x", "#!/bin/sh\n", 0o4755), severity="high"),
    "set-uid program of a user": Row("tree-set-uid-user", lambda t: (t.file("opt/x"), os.chown(t.at("opt/x"), 1000, 0),
                                                                      os.chmod(t.at("opt/x"), 0o4755)), root=True),
    "set-gid program": Row("tree-set-gid", lambda t: t.file("opt/x", mode=0o2755),
                           lambda t: t.file("opt/x", mode=0o2745)),
    "set-uid shell": Row("tree-set-id-shell", lambda t: t.file("var/lib/bash", mode=0o4755), severity="critical"),
    "set-uid interpreter": Row("tree-set-id-shell", lambda t: t.file("opt/python3.11", mode=0o4755)),
    "set-uid program that all write": Row("tree-set-id-writable", lambda t: t.file("opt/x", mode=0o4757)),
    "su of nobody's package": Row("tree-set-uid-root", lambda t: t.file("usr/bin/su", mode=0o4755)),
    "su of a distribution": Row("tree-set-id-shipped", lambda t: (t.file("usr/bin/su", mode=0o4755),
                                                                  t.file("var/lib/dpkg/status", "Package: x\n")),
                                severity="advice"),
    "capability like root": Row("tree-capabilities-root", lambda t: capability(t, "usr/bin/x", 1 << 21), root=True),
    "capability": Row("tree-capabilities", lambda t: capability(t, "usr/bin/x", 1 << 13), root=True, severity="medium"),
    "disk named null": Row("tree-device-disk", lambda t: t.node("dev/null", stat.S_IFBLK, 8, 0),
                           lambda t: t.node("dev/sda", stat.S_IFCHR, 1, 3, 0o666), root=True),
    "memory named zero": Row("tree-device-memory", lambda t: t.node("dev/zero", stat.S_IFCHR, 1, 1),
                             lambda t: t.node("dev/mem", stat.S_IFCHR, 1, 5, 0o666), root=True),
    "ports": Row("tree-device-memory", lambda t: t.node("opt/x", stat.S_IFCHR, 1, 4), root=True),
    "messages of the kernel": Row("tree-device-kernel", lambda t: t.node("dev/kmsg", stat.S_IFCHR, 1, 11),
                                  lambda t: t.node("dev/urandom", stat.S_IFCHR, 1, 9, 0o666), root=True),
    "kvm": Row("tree-device-kernel", lambda t: t.node("dev/kvm", stat.S_IFCHR, 10, 232), root=True),
    "console": Row("tree-device-console", lambda t: t.node("dev/console", stat.S_IFCHR, 5, 1),
                   lambda t: t.node("dev/tty", stat.S_IFCHR, 5, 0, 0o666), root=True, severity="medium"),
    "unknown driver": Row("tree-device-other", lambda t: t.node("dev/x", stat.S_IFCHR, 241, 7), root=True),
    "FIFO": Row("tree-fifo", lambda t: os.mkfifo(t.at("opt/x"), 0o600)),
    "socket": Row("tree-socket", lambda t: t.socket("opt/x.sock")),
    "socket of Docker": Row("tree-control-socket", lambda t: t.socket("run/docker.sock"),
                            lambda t: t.file("run/docker.sock"), severity="critical"),
    "list of rights": Row("tree-acl-opens", lambda t: acl(t, "usr/bin/program", 1000, 6),
                          lambda t: acl(t, "usr/bin/program", 1000, 4), root=True),
    "list of rights of shadow": Row("tree-acl-opens", lambda t: acl(t, "etc/shadow", 1000, 4, 0), root=True),
    # writing
    "program for all": Row("tree-writable-program", lambda t: os.chmod(t.at("usr/bin/program"), 0o777),
                           lambda t: os.chmod(t.at("usr/bin/program"), 0o555)),
    "program of a user": Row("tree-writable-program", lambda t: os.chown(t.at("usr/bin/program"), 1000, 0), root=True),
    "folder of programs of a group": Row("tree-writable-program", lambda t: (os.chown(t.at("usr/bin"), 0, 1000),
                                                                             os.chmod(t.at("usr/bin"), 0o775)), root=True),
    "set-uid program that its user writes": Row("tree-writable-program tree-set-uid-user", run_by_others, root=True,
                                                severity="high"),
    "file for all with a bit that means nothing": Row("tree-world-writable-file",
                                                      lambda t: t.file("opt/x", mode=0o4666)),
    "program for all with another name": Row(
        "tree-writable-program", lambda t: (os.chmod(t.at("usr/bin/program"), 0o777),
                                            os.link(t.at("usr/bin/program"), t.at("usr/bin/other"))), fix="mv -T"),
    "etc for all": folder_for_all("tree-writable-config", "etc", "critical", 0o777),
    "etc for all, sticky": folder_for_all("tree-writable-config", "etc", "critical"),
    "etc of a user": Row("tree-writable-config", lambda t: os.chown(t.at("etc"), 1000, 0), root=True,
                         severity="critical"),
    "pam.d for all": folder_for_all("tree-writable-accounts", "etc/pam.d", "critical"),
    "usr for all": folder_for_all("tree-writable-program", "usr", "critical", 0o777),
    "usr for all, sticky": folder_for_all("tree-writable-program", "usr", "critical"),
    "bin for all": folder_for_all("tree-writable-program", "bin", "critical"),
    "usr/bin for all": folder_for_all("tree-writable-program", "usr/bin", "critical"),
    "lib for all": folder_for_all("tree-writable-library", "lib", "critical"),
    "libraries of a machine for all": folder_for_all("tree-writable-library", "usr/lib/x86_64-linux-gnu", "critical"),
    "usr/local for all": folder_for_all("tree-writable-program", "usr/local", "high"),
    "home of root for all": folder_for_all("tree-writable-startup", "root", "high"),
    "keys of root for all": folder_for_all("tree-writable-keys", "root/.ssh", "high"),
    "keys of a user for all": folder_for_all("tree-writable-keys", "home/joe/.ssh", "high", 0o777),
    "keys of a user for all, sticky": folder_for_all("tree-writable-keys", "home/joe/.ssh", "high"),
    "keys of a service for all": folder_for_all("tree-writable-keys", "var/lib/git/.ssh", "high"),
    "home for all": folder_for_all("tree-writable-keys", "home/joe", "high"),
    "jobs for all": folder_for_all("tree-writable-startup", "var/spool/cron", "high"),
    "jobs of users for all": folder_for_all("tree-writable-startup", "var/spool/cron/crontabs", "high"),
    "jobs of users as packages make them": Row(
        "tree-world-writable-file", lambda t: t.file("var/lib/x", mode=0o666),
        lambda t: (t.folder("var/spool/cron/crontabs", 0o1730), os.chown(t.at("var/spool/cron/crontabs"), 0, 102)),
        root=True),
    "library for all": Row("tree-writable-library", lambda t: os.chmod(t.at("usr/lib/libx.so.1"), 0o666)),
    "module for all": Row("tree-writable-module", lambda t: t.file("usr/lib/python3.11/site.py", mode=0o666)),
    "preload for all": Row("tree-writable-loader", lambda t: t.file("etc/ld.so.preload", "", 0o666),
                           lambda t: t.file("etc/ld.so.preload", "", 0o644)),
    "passwd for all": Row("tree-writable-accounts", lambda t: os.chmod(t.at("etc/passwd"), 0o666)),
    "sudoers of a user": Row("tree-writable-accounts", lambda t: (t.file("etc/sudoers.d/x", "", 0o440),
                                                                  os.chown(t.at("etc/sudoers.d/x"), 1000, 0)), root=True),
    "cron for all": Row("tree-writable-startup", lambda t: t.file("etc/cron.d/x", mode=0o666)),
    "profile for all": Row("tree-writable-startup", lambda t: t.file("etc/profile.d/x.sh", "", 0o666)),
    "authorized_keys for all": Row("tree-writable-keys", lambda t: t.file("home/joe/.ssh/authorized_keys", "", 0o666)),
    "configuration for all": Row("tree-writable-config", lambda t: t.file("etc/x.conf", mode=0o666)),
    "file for all": Row("tree-world-writable-file", lambda t: t.file("var/lib/x", mode=0o666)),
    "folder for all": Row("tree-world-writable-folder", lambda t: t.folder("var/lib/x", 0o777),
                          lambda t: t.folder("var/lib/x", 0o1777)),
    "top for all": Row("tree-top-writable", lambda t: os.chmod(t.path, 0o777)),
    "top of a user": Row("tree-top-owner", lambda t: os.chown(t.path, 1000, 0), root=True, severity="high"),
    "folder above for all": Row("tree-above-writable", lambda t: os.chmod(t.home, 0o777),
                                lambda t: os.chmod(t.home, 0o1777)),
    "owner that does not exist": Row("tree-unknown-owner", lambda t: os.chown(t.file("var/lib/x"), 4242, 0),
                                     lambda t: os.chown(t.file("var/lib/x"), 1000, 0), root=True),
    # accounts
    "second root": Row("tree-second-root", lambda t: t.add("etc/passwd", "toor:x:0:0::/:/bin/sh\n"),
                       lambda t: t.add("etc/passwd", "toor:x:1001:0::/:/bin/sh\n")),
    "no password": Row("tree-empty-password", lambda t: t.add("etc/shadow", "ann::1::::::\n"), severity="high"),
    "root without password": Row("tree-empty-password", lambda t: t.file("etc/shadow", "root::1::::::\n", 0o600),
                                 severity="critical"),
    "hash in passwd": Row("tree-open-hash", lambda t: t.add("etc/passwd", f"ann:{HASH}:1001:1::/:/bin/sh\n")),
    "hash": Row("tree-hashes", lambda t: t.add("etc/shadow", f"ann:{HASH}:1::::::\n"),
                lambda t: t.add("etc/shadow", f"ann:!{HASH}:1::::::\n")),
    "hash of old": Row("tree-hashes tree-weak-hash", lambda t: t.add("etc/shadow", "ann:$1$aa$bbbbbbbbbbbbbbbbbbbbbb:1::::::\n")),
    "password of the host": Row("tree-host-hashes", host_password, root=True),
    "shadow for all": Row("tree-shadow-readable", lambda t: os.chmod(t.at("etc/shadow"), 0o644),
                          lambda t: os.chmod(t.at("etc/shadow"), 0o640), severity="advice"),
    "hashes for all": Row("tree-shadow-readable tree-hashes", lambda t: (t.add("etc/shadow", f"ann:{HASH}:1::::::\n"),
                                                                         os.chmod(t.at("etc/shadow"), 0o644)),
                          severity="high"),
    "two of one number": Row("tree-same-number", lambda t: t.add("etc/passwd", "ann:x:1000:1000::/:/bin/false\n")),
    "password of a group": Row("tree-group-password", lambda t: t.file("etc/gshadow", f"joe:{HASH}::\n", 0o600),
                               lambda t: t.file("etc/gshadow", "joe:!::\n", 0o600)),
    "sudo for nothing": Row("tree-sudo-free", lambda t: t.file("etc/sudoers", "joe ALL=(ALL) NOPASSWD: ALL\n", 0o440),
                            lambda t: t.file("etc/sudoers", "root ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL) ALL\n", 0o440)),
    "doas for nothing": Row("tree-doas-free", lambda t: t.file("etc/doas.conf", "permit nopass joe\n", 0o400)),
    "open PAM": Row("tree-pam-open", lambda t: t.file("etc/pam.d/su", "auth sufficient pam_permit.so\n"),
                    lambda t: t.file("etc/pam.d/su", "auth sufficient pam_rootok.so\nauth required pam_permit.so\n")),
    "trusted hosts": Row("tree-trusted-hosts", lambda t: t.file("etc/hosts.equiv", "+\n", 0o600),
                         lambda t: t.file("etc/hosts.equiv", "# +\n", 0o600)),
    "keys that log in": Row("tree-login-keys", lambda t: t.file("root/.ssh/authorized_keys", "ssh-rsa AAAA\n", 0o600)),
    "preloaded library": Row("tree-preload", lambda t: t.file("etc/ld.so.preload", "/tmp/x.so\n"), severity="critical"),
    "libraries from tmp": Row("tree-library-folder", lambda t: t.file("etc/ld.so.conf.d/x.conf", "/tmp\n"),
                              lambda t: t.file("etc/ld.so.conf.d/x.conf", "/usr/local/lib\n")),
    "dot in PATH": Row("tree-search-path", lambda t: t.file("etc/profile", "PATH=/usr/bin:/bin:.\nexport PATH\n"),
                       lambda t: t.file("etc/profile", "PATH=/usr/bin:/bin\nexport PATH\n")),
    # secrets
    "private key": Row("tree-private-key", lambda t: t.file("home/joe/.ssh/id_ed25519", KEY, 0o600),
                       lambda t: t.file("home/joe/.ssh/id_ed25519.pub", "ssh-ed25519 AAAA\n"), severity="medium"),
    "private key for all": Row("tree-private-key", lambda t: t.file("opt/tls/site.pem", CERTIFICATE + KEY),
                               lambda t: t.file("opt/tls/site.pem", CERTIFICATE), severity="high"),
    "key of a server": Row("tree-host-key", lambda t: t.file("etc/ssh/ssh_host_rsa_key", KEY, 0o600)),
    "cloud": Row("tree-cloud-credentials", lambda t: t.file("root/.aws/credentials", "[default]\n", 0o600),
                 lambda t: t.file("root/.docker/config.json", "{}", 0o600)),
    "cluster": Row("tree-cloud-credentials", lambda t: t.file("home/joe/.kube/config", "users:\n", 0o600)),
    "token": Row("tree-token", lambda t: t.file("root/.git-credentials", "https://a:b@c\n", 0o600),
                 lambda t: t.file("root/.npmrc", "color=false\n", 0o600)),
    "keytab": Row("tree-keytab", lambda t: t.file("etc/krb5.keytab", b"\x05\x02\0\0", 0o600)),
    "GnuPG": Row("tree-gnupg", lambda t: t.file("root/.gnupg/private-keys-v1.d/A.key", "(x)", 0o600)),
    "history": Row("tree-history", lambda t: t.file("root/.bash_history", "ls\n", 0o600),
                   lambda t: t.file("root/.bash_history", "", 0o600)),
    "environment": Row("tree-environment-file", lambda t: t.file("opt/app/.env", "DB_PASSWORD=x\n", 0o600),
                       lambda t: t.file("opt/app/.env", "COLOUR=blue\n", 0o600)),
    "machine id": Row("tree-machine-id", machine_id, lambda t: t.file("etc/machine-id", "uninitialized\n")),
    # tools and remains
    "package manager": Row("tree-package-manager", lambda t: t.file("usr/bin/apt-get", mode=0o755),
                           lambda t: t.file("opt/apt-get", mode=0o755), severity="advice"),
    "compiler": Row("tree-compiler", lambda t: t.file("usr/bin/gcc", mode=0o755)),
    "network tool": Row("tree-network-tool", lambda t: t.file("usr/bin/socat", mode=0o755)),
    "debugger": Row("tree-debugger", lambda t: t.file("usr/bin/strace", mode=0o755)),
    "mount tool": Row("tree-mount-tool", lambda t: t.file("bin/nsenter", mode=0o755)),
    "module tool": Row("tree-module-tool", lambda t: t.link("kmod", "bin/insmod")),
    "container tool": Row("tree-container-tool", lambda t: t.file("usr/bin/docker", mode=0o755), severity="low"),
    "sudo": Row("tree-identity-tool", lambda t: t.file("usr/bin/sudo", mode=0o755)),
    "sshd": Row("tree-remote-server", lambda t: t.file("usr/sbin/sshd", mode=0o755)),
    "core": Row("tree-core-file", lambda t: t.file("var/lib/core.42", CORE, 0o600),
                lambda t: t.file("var/lib/core.py", "x" * 300, 0o600)),
    "modules": Row("tree-kernel", lambda t: t.file("lib/modules/6.1.0/x.ko"), lambda t: t.folder("lib/modules")),
    "future": Row("tree-future", lambda t: (t.file("opt/x"), times(t, "opt/x", 5000))),
    "time that lies": Row("tree-time-lies", lambda t: (t.file("opt/x"), times(t, "opt/x", 60)),
                          lambda t: (t.file("opt/x"), times(t, "opt/x", -60))),
    "immutable": Row("tree-fixed", lambda t: (t.file("opt/x"), fixed(t)), root=True),
}


class Zoo(unittest.TestCase):
    def row(self, row):
        if row.root and not zoo.ROOT:
            self.skipTest("needs root")
        twin = zoo.Tree(self)
        if row.twin:
            row.twin(twin)
        self.assertEqual(zoo.audit(twin.path).ids, set(), "the clean twin")
        tree = zoo.Tree(self)
        row.fault(tree)
        said = zoo.audit(tree.path)
        self.assertEqual(said.ids, set(row.rules), said)
        if row.severity:
            self.assertEqual({one["severity"] for one in said.of(row.rules[0])}, {row.severity}, said)
        if row.fix:
            for one in said.of(row.rules[0]):
                self.assertIn(row.fix, one["fix"], said)
                self.assertNotIn("+t", one["fix"], said)


def add(name, row):
    def test(self):
        self.row(row)
    word = "".join(c if c.isalnum() else "_" for c in name)
    setattr(Zoo, f"test_{word}", test)


for each in ROWS.items():
    add(*each)


@unittest.skipUnless(zoo.ROOT, "needs root")
class Mounts(unittest.TestCase):
    def mounted(self, prepare, *rules):
        tree = zoo.Tree(self)
        said = zoo.audit(tree.path, prepare=prepare)
        self.assertEqual(said.ids, set(rules), said)

    def test_proc(self):
        self.mounted('mount -t proc none "$ROOT/proc"', "tree-mount-proc")

    def test_sys(self):
        self.mounted('mount -t sysfs none "$ROOT/sys"', "tree-mount-sys")

    def test_dev(self):
        self.mounted('mount -t devtmpfs none "$ROOT/dev"', "tree-mount-devices")

    def test_control_groups(self):
        self.mounted('mount -t cgroup2 none "$ROOT/sys"', "tree-mount-kernel")

    def test_folder_of_the_host(self):
        self.mounted('mount --bind /etc "$ROOT/opt"', "tree-mount-writable")

    def test_folder_of_the_host_read_only(self):
        self.mounted('mount --bind /etc "$ROOT/opt"; mount -o remount,bind,ro "$ROOT/opt"')

    def test_memory(self):
        self.mounted('mount -t tmpfs none "$ROOT/opt"; chmod 777 "$ROOT/opt"')

    def test_loop(self):
        self.mounted('mount --bind "$ROOT" "$ROOT/opt"; mount --rbind "$ROOT" "$ROOT/home"', "tree-mount-loop")

    def test_what_is_above_the_root(self):
        self.mounted('mount --bind / "$ROOT/opt"', "tree-mount-loop")

    def test_file_of_the_host(self):
        self.mounted('mount --bind /etc/passwd "$ROOT/etc/passwd"', "tree-mount-writable")

    def test_flags_and_a_file_system_of_its_own(self):
        tree = zoo.Tree(self)
        said = zoo.audit(tree.path, prepare='mount -t tmpfs -o nosuid,nodev,mode=755 none "$ROOT"')
        self.assertEqual({one["rule"] for one in said.everything}, set(), said)


class Manifest(unittest.TestCase):
    """Against what immure build wrote down."""

    def setUp(self):
        self.tree = zoo.Tree(self)
        self.source = os.path.join(self.tree.home, "source")
        os.mkdir(self.source)
        with open(os.path.join(self.source, "file"), "w", encoding="utf-8") as file:
            file.write("as it was")
        self.path = os.path.join(self.tree.home, "built")
        subprocess.run([zoo.IMMURE, "build", self.path, "--no-smoke", "--file", self.source], check=True,
                       capture_output=True)
        self.inside = self.path + self.source + "/file"

    def found(self, *rules):
        said = zoo.audit(self.path)
        self.assertEqual(said.ids, set(rules), said)

    def test_as_it_was(self):
        self.found()

    def test_content(self):
        os.chmod(self.inside, 0o644)
        with open(self.inside, "w", encoding="utf-8") as file:
            file.write("something else")
        self.found("tree-content-changed")

    def test_content_that_hides(self):
        before = os.stat(self.inside)
        os.chmod(self.inside, 0o644)
        with open(self.inside, "w", encoding="utf-8") as file:
            file.write("as it is!")
        os.chmod(self.inside, before.st_mode & 0o7777)
        os.utime(self.inside, ns=(before.st_mtime_ns, before.st_mtime_ns))
        self.found("tree-content-hidden")

    def test_missing(self):
        os.unlink(self.inside)
        self.found("tree-content-missing")

    def test_added(self):
        with open(os.path.join(os.path.dirname(self.inside), "new"), "w", encoding="utf-8") as file:
            file.write("x")
        self.found("tree-content-added")

    def test_mode(self):
        os.chmod(self.inside, 0o600)
        self.found("tree-mode-changed")

    def test_stale(self):
        with open(os.path.join(self.source, "file"), "w", encoding="utf-8") as file:
            file.write("as it is now")
        self.found("tree-stale")

    def test_gone(self):
        os.unlink(os.path.join(self.source, "file"))
        self.found("tree-source-gone")

    def test_manifest_of_others(self):
        os.chmod(self.path + ".immure.json", 0o666)
        self.found("tree-manifest-refused")


class NoRoot(unittest.TestCase):
    def notes(self, path):
        return zoo.audit(path).document["audits"][0]["notes"]

    def test_what_holds_no_program_is_told_of(self):
        tree = zoo.Tree(self)
        self.assertEqual(self.notes(tree.path), [])
        os.chmod(tree.at("usr/bin/program"), 0o644)
        self.assertIn("no program", self.notes(tree.path)[0])

    def test_an_empty_folder_is_no_root(self):
        tree = zoo.Tree(self)
        self.assertIn("empty", self.notes(os.path.join(tree.path, "opt"))[0])


class Served(unittest.TestCase):
    def test_somebody_listens(self):
        tree = zoo.Tree(self)
        tree.socket("opt/x.sock")
        self.assertEqual([one["severity"] for one in zoo.audit(tree.path).of("tree-socket")], ["low"])
        os.unlink(tree.at("opt/x.sock"))
        here = os.getcwd()
        with socket.socket(socket.AF_UNIX) as door:
            os.chdir(tree.at("opt"))
            try:
                door.bind("x.sock")
            finally:
                os.chdir(here)
            door.listen()
            said = zoo.audit(tree.path)
        self.assertEqual([one["severity"] for one in said.of("tree-socket")], ["high"], said)


class Partners(unittest.TestCase):
    def test_names_outside_are_found_when_asked(self):
        tree = zoo.Tree(self)
        tree.file("opt/x")
        outside(tree, "opt/x")
        said = zoo.audit(tree.path, "--find-links")
        self.assertIn(os.path.join(tree.home, "outside"), said.of("tree-hard-link-outside")[0]["evidence"])


if __name__ == "__main__":
    unittest.main()
