"""Jails as files describe them, read by the real program: what bubblewrap documents, what runc and crun make, the units of
this Debian, what sshd and vsftpd ship; and for each kind a twin that gives nothing above advice."""
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

IMMURE = os.environ.get("IMMURE", "immure")


class Case(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="immure-described-")
        os.chmod(self.home, 0o755)
        self.addCleanup(shutil.rmtree, self.home, True)

    def put(self, name, text):
        path = os.path.join(self.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o644)
        return path

    def run_audit(self, *words):
        # Profiles of whoever runs the tests are not what is tested.
        return subprocess.run([IMMURE, "audit", *words], capture_output=True, timeout=60, check=False,
                              env=dict(os.environ, HOME=self.home, XDG_CONFIG_HOME=self.home))

    def audit(self, *words):
        done = self.run_audit("--json", *words)
        self.assertIn(done.returncode, (0, 1), done.stderr.decode(errors="replace")[:2000])
        return json.loads(done.stdout)["audits"][0]

    def ids(self, *words, above="advice"):
        order = ["advice", "low", "medium", "high", "critical"]
        return {one["rule"] for one in self.audit(*words)["findings"]
                if order.index(one["severity"]) > order.index(above)}

    def refused(self, *words):
        done = self.run_audit(*words)
        self.assertEqual(done.returncode, 125, done.stdout[:500])
        return done.stderr.decode(errors="replace")


class Bwrap(Case):
    HARDENED = ("bwrap --unshare-all --unshare-user --new-session --die-with-parent --clearenv --as-pid-1 --cap-drop ALL --seccomp 9 "
                "--ro-bind /usr /usr --symlink usr/lib /lib --proc /proc --dev /dev --tmpfs /tmp sh")

    # What no word of bwrap does.
    ALWAYS = {"described-memory", "described-processes", "described-descriptors"}

    def test_hardened_has_nothing_but_what_bwrap_cannot_do(self):
        self.assertEqual(self.ids("--bwrap", self.HARDENED), self.ALWAYS)

    def test_what_is_called_before_it_counts(self):
        self.assertEqual(self.ids("--bwrap", "systemd-run --scope -p MemoryMax=1G -p TasksMax=64 " + self.HARDENED),
                         {"described-descriptors"})
        keyring = self.HARDENED.replace(" --seccomp 9", "")
        self.assertEqual(self.ids("--bwrap", keyring), self.ALWAYS | {"described-filter", "described-keyring"})
        self.assertEqual(self.ids("--bwrap", "keyctl session - " + keyring), self.ALWAYS | {"described-filter"})
        first = self.HARDENED.replace(" --as-pid-1", "")
        self.assertEqual(self.ids("--bwrap", first), self.ALWAYS | {"described-first-environment"})
        self.assertEqual(self.ids("--bwrap", "env -i " + first), self.ALWAYS)

    def test_each_word_that_is_taken_away(self):
        for word, rule in ((" --new-session", "described-terminal"), (" --die-with-parent", "described-outlives"),
                           (" --clearenv", "described-environment")):
            with self.subTest(word):
                self.assertEqual(self.ids("--bwrap", self.HARDENED.replace(word, "")), self.ALWAYS | {rule})

    def test_each_word_that_is_added(self):
        for words, rules in (("--share-net", {"described-net-shared"}), ("--bind /etc /etc", {"described-host-system"}),
                             ("--bind / /host --tmpfs /host/proc --tmpfs /host/sys --tmpfs /host/run --tmpfs /host/tmp --tmpfs /host/dev",
                              {"described-host-root"}),
                             ("--ro-bind /proc /hostproc", {"described-host-proc"}),
                             ("--dev-bind /dev /dev", {"described-host-dev"}),
                             ("--ro-bind /run/docker.sock /d", {"described-manager-socket"}),
                             ("--bind $HOME $HOME", {"described-host-homes"}),
                             ("--setenv DB_PASSWORD x", {"described-secret"}),
                             ("--dev-bind /dev/sda /dev/sda", {"described-devices"}),
                             ("--cap-add CAP_SYS_ADMIN", {"described-capabilities"})):
            with self.subTest(words):
                found = self.ids("--bwrap", self.HARDENED.replace("bwrap ", f"bwrap --unshare-all {words} ", 1)
                                 if words != "--share-net" and not words.startswith(("--cap", "--dev-bind /dev /dev"))
                                 else self.HARDENED.replace(" sh", f" {words} sh"))
                self.assertEqual(found, self.ALWAYS | rules)

    def test_documented_example(self):
        path = "/usr/share/doc/bubblewrap/examples/bubblewrap-shell.sh"
        if not os.path.exists(path):
            self.skipTest(f"{path} is not there (package bubblewrap)")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        found = self.audit("--bwrap", text[text.index("(exec"):])
        self.assertEqual({one["rule"] for one in found["findings"] if one["severity"] in ("medium", "high", "critical")},
                         {"described-net-shared", "described-filter", "described-terminal"})

    def test_flatpaks_example(self):
        path = "/usr/share/doc/bubblewrap/examples/flatpak-run.sh"
        if not os.path.exists(path):
            self.skipTest(f"{path} is not there (package bubblewrap)")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        found = self.ids("--bwrap", text[text.index("exec bwrap"):], above="low")
        self.assertEqual(found, {"described-net-shared", "described-terminal", "described-host-sockets"})

    def test_words_from_elsewhere_are_unknown(self):
        found = self.audit("--bwrap", "bwrap --args 7 sh")
        self.assertEqual([one for one in found["findings"] if one["severity"] != "advice"], [])
        self.assertGreater(len(found["unknown"]), 10)

    def test_refusals(self):
        self.assertIn("word 2", self.refused("--bwrap", "bwrap --nope x"))
        self.refused("--bwrap", "bwrap 'x")
        self.refused("--bwrap", "ls")


class Oci(Case):
    def spec(self, runtime):
        if not shutil.which(runtime):
            self.skipTest(f"{runtime} is not installed")
        path = os.path.join(self.home, "config.json")
        if os.path.exists(path):
            os.unlink(path)
        subprocess.run([runtime, "spec"], cwd=self.home, check=True, capture_output=True)
        with open(path, encoding="utf-8") as file:
            return json.load(file)

    def as_made(self, runtime):
        self.spec(runtime)
        return self.ids("--oci", self.home)

    AS_MADE = {"described-root-outside", "described-user-shared", "described-filter", "described-ambient",
               "described-memory", "described-processes"}

    def test_runc(self):
        self.assertEqual(self.as_made("runc"), self.AS_MADE)

    def test_crun(self):
        self.assertEqual(self.as_made("crun") - self.AS_MADE, set())

    def hardened(self):
        spec = self.spec("runc")
        spec["process"]["capabilities"] = {}
        spec["linux"]["namespaces"] += [{"type": "user"}, {"type": "cgroup"}]
        spec["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        spec["linux"]["resources"].update({"memory": {"limit": 1 << 28}, "pids": {"limit": 100}})
        spec["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
            {"names": ["read", "write", "execve", "execveat", "exit", "exit_group", "rt_sigreturn", "mmap", "arch_prctl",
                       "brk", "close", "openat", "set_tid_address", "poll", "ppoll"], "action": "SCMP_ACT_ALLOW"}]}
        return spec

    def of(self, spec):
        self.put("config.json", json.dumps(spec))
        return self.ids("--oci", self.home)

    def test_hardened_gives_nothing(self):
        self.assertEqual(self.of(self.hardened()), set())

    def test_one_fault_each(self):
        def proc(spec):
            spec["linux"]["maskedPaths"] = []

        def settings(spec):
            spec["linux"]["readonlyPaths"] = []

        def device(spec):
            spec["linux"]["resources"]["devices"].append({"allow": True, "type": "b", "major": 8, "minor": 0, "access": "rwm"})

        def devices(spec):
            spec["linux"]["resources"]["devices"] = [{"allow": True, "access": "rwm"}]

        def socket(spec):
            spec["mounts"].append({"destination": "/s", "source": "/var/run/docker.sock", "options": ["bind", "ro"]})

        def shared(spec):
            spec["linux"]["rootfsPropagation"] = "shared"

        def calls(spec):
            spec["linux"]["seccomp"]["syscalls"][0]["names"].append("bpf")

        def joined(spec):
            spec["linux"]["namespaces"] = [{"type": "pid", "path": "/proc/1/ns/pid"} if one["type"] == "pid" else one
                                           for one in spec["linux"]["namespaces"]]

        def privileges(spec):
            spec["process"]["noNewPrivileges"] = False

        def root(spec):
            spec["root"]["readonly"] = False

        def hook(spec):
            spec["hooks"] = {"createRuntime": [{"path": self.put("hook", "")}]}
            os.chmod(os.path.join(self.home, "hook"), 0o777)

        for spoil, rule in ((proc, "described-unmasked"), (settings, "described-settings"), (device, "described-devices"),
                            (devices, "described-all-devices"), (socket, "described-manager-socket"),
                            (shared, "described-propagation"), (calls, "described-calls"), (joined, "described-joined"),
                            (privileges, "described-new-privileges"), (root, "described-root-writable"),
                            (hook, "described-program")):
            with self.subTest(rule):
                spec = self.hardened()
                spoil(spec)
                self.assertIn(rule, self.of(spec))
                self.assertLessEqual(len(self.of(spec) - {rule}), 1 if rule == "described-manager-socket" else 0)

    def test_hostile(self):
        os.mkfifo(os.path.join(self.home, "config.json"))
        self.refused("--oci", self.home)
        os.unlink(os.path.join(self.home, "config.json"))
        self.put("config.json", '{"ociVersion": ' + "[" * 100000)
        self.refused("--oci", self.home)
        self.put("config.json", json.dumps({"ociVersion": "1", "process": {"capabilities": {"bounding": ["\x1b[31mX"]}}}))
        self.assertNotIn("\x1b", self.refused("--oci", self.home))
        self.put("config.json", json.dumps({"ociVersion": "1", "process": {"env": ["A_TOKEN\x1b[31m\n=1"]}}))
        done = self.run_audit("--oci", self.home, "--no-colour")
        self.assertIn(b"A_TOKEN", done.stdout)
        self.assertNotIn(b"\x1b", done.stdout)


class Units(Case):
    HARDENED = """[Service]
ExecStart=/usr/bin/true
DynamicUser=yes
RootDirectory=/srv/none
PrivateUsers=yes
PrivateNetwork=yes
PrivateIPC=yes
PrivatePIDs=yes
PrivateDevices=yes
ProtectHostname=yes
ProtectControlGroups=strict
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
CapabilityBoundingSet=
RestrictNamespaces=yes
SystemCallFilter=@system-service
SystemCallFilter=~@keyring @aio @ipc userfaultfd
MemoryMax=100M
"""

    def of(self, text):
        return self.ids("--unit", self.put("x.service", text))

    def test_hardened_gives_nothing(self):
        self.assertEqual(self.of(self.HARDENED), set())

    def test_one_line_less(self):
        for line, rules in (("PrivateUsers=yes\n", set()), ("PrivateNetwork=yes\n", {"described-net-shared"}),
                            ("PrivateIPC=yes\n", {"described-ipc-shared"}), ("PrivatePIDs=yes\n", set()),
                            ("RootDirectory=/srv/none\n", {"described-root"}), ("MemoryMax=100M\n", {"described-memory"}),
                            ("SystemCallFilter=~@keyring @aio @ipc userfaultfd\n", {"described-calls"}),
                            ("PrivateDevices=yes\n", {"described-all-devices"})):
            with self.subTest(line):
                self.assertEqual(self.of(self.HARDENED.replace(line, "")), rules)

    def test_one_line_more(self):
        for line, rule in (("SupplementaryGroups=docker", "described-groups"),
                           ("AmbientCapabilities=CAP_SYS_ADMIN\nCapabilityBoundingSet=CAP_SYS_ADMIN", "described-capabilities"),
                           ("Environment=DB_PASSWORD=x", "described-secret"), ("BindPaths=/etc", "described-host-system"),
                           ("BindReadOnlyPaths=/run/docker.sock", "described-manager-socket"),
                           ("MountFlags=shared", "described-propagation"), ("ExecStart=+/usr/bin/true", "described-unbounded"),
                           ("TasksMax=infinity", "described-processes"), ("DeviceAllow=/dev/sda", "described-devices"),
                           ("NetworkNamespacePath=/proc/1/ns/net", "described-joined")):
            with self.subTest(line):
                self.assertIn(rule, self.of(self.HARDENED + line + "\n"))

    def test_drop_ins(self):
        path = self.put("x.service", self.HARDENED)
        self.put("x.service.d/10-more.conf", "[Service]\nMemoryMax=infinity\n")
        self.assertEqual(self.ids("--unit", path), {"described-memory"})

    def test_every_unit_of_this_debian(self):
        names = sorted(os.path.basename(one) for one in glob.glob("/usr/lib/systemd/system/*.service"))
        if not names:
            self.skipTest("there are no units in /usr/lib/systemd/system")
        slowest = 0.0
        for name in names:
            began = time.monotonic()
            done = self.run_audit("--json", "--unit", name)
            slowest = max(slowest, time.monotonic() - began)
            if done.returncode == 125:
                self.assertIn(b"masked", done.stderr, name)
                continue
            self.assertIn(done.returncode, (0, 1), name)
            for one in json.loads(done.stdout)["audits"][0]["findings"]:
                self.assertNotEqual(one["severity"], "critical", (name, one))
        self.assertLess(slowest, 5)

    def test_sets_of_calls_are_those_of_systemd(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze (package systemd) is not installed")
        listed = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True,
                                check=False, env=dict(os.environ, SYSTEMD_COLORS="0")).stdout
        sets, name = {}, None
        for line in re.sub(r"\x1b\[[0-9;]*m", "", listed).splitlines():
            if line.startswith("@"):
                name = line.strip()
                sets[name] = []
            elif line.startswith(" ") and name and not line.strip().startswith("#"):
                sets[name].append(line.strip())

        def calls(one):
            return {call for part in sets[one] for call in (calls(part) if part.startswith("@") else [part])}

        def open_calls(words):
            path = self.put("set.service", f"[Service]\nUser=a\nSystemCallFilter={words}\n")
            for one in self.audit("--unit", path)["findings"]:
                if one["rule"] == "described-calls":
                    return set(one["evidence"].split("lets through ")[1].split(":")[0].split())
            return set()
        self.assertIn("@system-service", sets)
        known = open_calls("~nothing-at-all")
        self.assertGreater(len(known), 25)
        for one in sorted(sets):
            with self.subTest(one):
                self.assertEqual(open_calls(one), calls(one) & known)

    def test_names_and_places(self):
        self.assertIn("no unit", self.refused("--unit", "there-is-no-such-unit"))
        self.refused("--unit", "/there/is/none.service")
        path = self.put("x.service", "[Service]\nMemoryMax=1G\nEnvironment=A_TOKEN=1\n")
        found = [one for one in self.audit("--unit", path)["findings"] if one["rule"] == "described-secret"]
        self.assertIn("x.service:3 (Environment=)", found[0]["evidence"])


class Logins(Case):
    def folder(self, mode):
        path = os.path.join(self.home, "srv")
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        return path

    def sshd(self, text):
        return self.ids("--sshd", self.put("sshd_config", text))

    GOOD = "Match group sftp\nChrootDirectory {}\nForceCommand internal-sftp\nDisableForwarding yes\n"

    def test_sshd(self):
        if os.geteuid() != 0:
            self.skipTest("folders of root are made by root")
        # The folders that lead there are not root's alone: /tmp is everybody's.
        self.assertEqual(self.sshd(self.GOOD.format("/usr/share")), set())
        self.assertEqual(self.sshd(self.GOOD.format(self.folder(0o755))), {"described-login-folder"})
        self.assertEqual(self.sshd(self.GOOD.format("/usr/share").replace("ForceCommand internal-sftp\n", "")),
                         {"described-login-shell"})
        self.assertEqual(self.sshd(self.GOOD.format("/usr/share").replace("DisableForwarding yes\n", "")),
                         {"described-login-forwarding", "described-login-agent"})
        self.assertEqual(self.sshd(self.GOOD.format("/usr/share") + "PermitUserEnvironment yes\n"), {"described-login-files"})

    def test_sshd_below_the_folder_of_everybody(self):
        if os.geteuid() != 0:
            self.skipTest("folders of root are made by root")
        everybody = os.path.join(self.home, "all")
        os.makedirs(os.path.join(everybody, "sftp"))
        os.chmod(everybody, 0o1777)
        # The first folder of a way is what is named: of a test below /tmp that is /tmp.
        text = self.GOOD.format(everybody + "/sftp") + self.GOOD.format(everybody + "/%u").replace("group", "user")
        found = self.audit("--sshd", self.put("sshd_config", text))
        places = [one for one in found["findings"] if one["rule"] == "described-login-folder"]
        self.assertEqual(len(places), 1, places)
        self.assertEqual(places[0]["fix"], "")
        self.assertIn("described-login-folder", [one["rule"] for one in found["unknown"]])

    def test_sshd_as_shipped(self):
        for path in ("/etc/ssh/sshd_config", "/usr/share/openssh/sshd_config"):
            if os.path.exists(path) and os.access(path, os.R_OK):
                self.assertEqual(self.ids("--sshd", path), set())

    def test_sshd_includes(self):
        more = self.put("more.conf", "AllowTcpForwarding no\nAllowStreamLocalForwarding no\n")
        self.assertEqual(self.sshd(f"Include {self.home}/*.conf\n" + self.GOOD.format("/usr/share").replace("DisableForwarding yes\n", "")), set())
        os.unlink(more)
        self.put("round.conf", f"Include {self.home}/round.conf\n")
        self.assertIn("round.conf:1", self.refused("--sshd", os.path.join(self.home, "round.conf")))

    def vsftpd(self, text):
        return self.ids("--vsftpd", self.put("vsftpd.conf", text))

    def test_vsftpd(self):
        if os.geteuid() != 0:
            self.skipTest("folders of root are made by root")
        empty = self.folder(0o755)
        good = f"anonymous_enable=NO\nlocal_enable=YES\nchroot_local_user=YES\nssl_enable=YES\nsecure_chroot_dir={empty}\n"
        self.assertEqual(self.vsftpd(good), set())
        for line, rule in (("allow_writeable_chroot=YES", "described-login-writable"), ("ssl_enable=NO", "described-clear-passwords"),
                           ("chroot_local_user=NO", "described-login-root"), ("passwd_chroot_enable=YES", "described-passwd-root"),
                           ("secure_chroot_dir=/usr", "described-empty-folder")):
            with self.subTest(line):
                self.assertEqual(self.vsftpd(good + line + "\n"), {rule})
        self.assertEqual(self.vsftpd(good + "anonymous_enable=YES\nwrite_enable=YES\nanon_upload_enable=YES\n"), {"described-anonymous"})
        self.assertIn("vsftpd.conf:2", self.refused("--vsftpd", self.put("vsftpd.conf", "listen=NO\nwrite_enable=perhaps\n")))

    def test_vsftpd_as_shipped(self):
        if not os.path.exists("/etc/vsftpd.conf"):
            self.skipTest("vsftpd is not installed")
        self.assertIn("described-login-root", self.ids("--vsftpd", "/etc/vsftpd.conf"))


class Profiles(Case):
    def test_default_gives_nothing(self):
        self.assertEqual(self.ids("--profile", "default", above="advice"), set())

    def test_what_a_file_loosens(self):
        path = self.put("p.toml", 'net = "host"\n[weaken]\nptrace = true\n[limits]\nmemory = "none"\n')
        self.assertEqual(self.ids("--profile", path), {"described-net-shared", "described-loosened", "described-memory"})

    def test_errors_have_a_place(self):
        self.assertIn("p.toml:2", self.refused("--profile", self.put("p.toml", "\nnope = 1\n")))


class Host(Case):
    def test_this_host_is_read(self):
        began = time.monotonic()
        found = self.audit("--host")
        self.assertLess(time.monotonic() - began, 5)
        self.assertGreater(len(found["checked"]) + len(found["findings"]) + len(found["unknown"]), 25)
        for one in found["findings"]:
            self.assertTrue(one["rule"].startswith("host-"), one)


if __name__ == "__main__":
    unittest.main()
