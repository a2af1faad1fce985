"""What a report tells to do, done: every command that it prints is typed, and the finding is gone. And what is told when
nothing can be looked at."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

IMMURE = os.environ.get("IMMURE", "immure")
KEPT_NAMES = ("passwd", "shadow", "group", "gshadow", "sudoers", "ld.so.preload", "profile")


class Case(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="immure-words-", dir="/var/tmp" if os.geteuid() == 0 else None)
        os.chmod(self.home, 0o755)
        self.addCleanup(shutil.rmtree, self.home, True)

    def put(self, name, text, mode=0o644):
        path = os.path.join(self.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def run_audit(self, *words, cwd=None):
        return subprocess.run([IMMURE, "audit", *words], capture_output=True, timeout=120, check=False, cwd=cwd,
                              env=dict(os.environ, HOME=self.home, XDG_CONFIG_HOME=self.home))

    def report(self, *words, cwd=None):
        done = self.run_audit("--json", *words, cwd=cwd)
        self.assertIn(done.returncode, (0, 1), done.stderr.decode(errors="replace")[:2000])
        return json.loads(done.stdout)

    def findings(self, *words, cwd=None):
        return self.report(*words, cwd=cwd)["audits"][0]["findings"]

    def type_it(self, command):
        done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=False, cwd="/",
                              env=dict(os.environ, HOME=self.home))
        self.assertEqual(done.returncode, 0, command + "\n" + done.stderr.decode(errors="replace"))

    def mend(self, *words, rules, cwd=None):
        """Types each fix of `rules` once, in the order of the report: each must have had one, and be gone."""
        had, typed = set(), set()
        for one in self.findings(*words, cwd=cwd):
            # Others are the machine's own: a mount that is made for the root would stay.
            if one["rule"] in rules and one.get("fix") and one["fix"] not in typed:
                had.add(one["rule"])
                typed.add(one["fix"])
                self.type_it(one["fix"])
        self.assertEqual(set(rules) - had, set(), "these had no command")
        left = {one["rule"] for one in self.findings(*words, cwd=cwd)}
        self.assertEqual(set(rules) & left, set(), "these are still there")


@unittest.skipUnless(shutil.which("jq"), "needs the package jq")
class Bundle(Case):
    def test_every_command_mends(self):
        config = {
            "ociVersion": "1.0.2",
            "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["sh"], "cwd": "/",
                        "env": ["PATH=/bin", "DB_PASSWORD=x y"],
                        "capabilities": {name: ["CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_PTRACE", "CAP_MKNOD"]
                                         for name in ("bounding", "effective", "permitted", "inheritable", "ambient")}},
            "root": {"path": "rootfs", "readonly": False},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/host proc", "type": "bind", "source": "/proc", "options": ["rbind"]},
                {"destination": "/hostsys", "type": "bind", "source": "/sys", "options": ["rbind"]},
                {"destination": "/hostdev", "type": "bind", "source": "/dev", "options": ["rbind", "dev"]},
                {"destination": "/hostshm", "type": "bind", "source": "/dev/shm", "options": ["rbind", "rw"]},
                {"destination": "/etc", "type": "bind", "source": "/etc", "options": ["rbind", "rw", "shared"]},
                {"destination": "/it's home", "type": "bind", "source": "/home", "options": ["rbind", "rw"]},
                {"destination": "/docker.sock", "type": "bind", "source": "/run/docker.sock", "options": ["rbind"]},
                {"destination": "/data", "type": "bind", "source": "/srv/data", "options": ["rbind", "rw"]},
            ],
            "linux": {"namespaces": [{"type": "mount"}, {"type": "pid", "path": "/proc/1/ns/pid"}], "rootfsPropagation": "shared"},
        }
        bundle = os.path.join(self.home, "a bundle")
        self.put("a bundle/config.json", json.dumps(config))
        os.mkdir(bundle + "/rootfs")
        self.mend("--oci", bundle, rules={
            "described-root-outside", "described-privileged", "described-new-privileges", "described-root-writable",
            "described-secret", "described-host-proc", "described-host-sys", "described-host-dev", "described-host-memory",
            "described-host-system", "described-host-homes", "described-manager-socket", "described-mount-set-id",
            "described-user-shared", "described-net-shared", "described-ipc-shared", "described-uts-shared",
            "described-joined", "described-propagation", "described-ambient", "described-memory", "described-processes",
            "described-processor", "described-settings", "described-unmasked"})
        self.assertFalse(os.path.exists(bundle + "/config.json.new"))

    def test_the_words_are_its_own(self):
        self.put("b/config.json", json.dumps({"ociVersion": "1.0.2", "process": {"args": ["sh"], "cwd": "/"}, "root": {"path": "r"}}))
        told = {one["rule"]: one["setting"] for one in self.findings("--oci", self.home + "/b") if "setting" in one}
        self.assertEqual(told["described-new-privileges"], "in config.json: /process/noNewPrivileges: true")
        for words in told.values():
            self.assertTrue(words.startswith("in config.json: "), words)


class Unit(Case):
    def test_every_command_mends(self):
        unit = self.put("it's.service", "[Service]\nExecStart=/bin/true\nEnvironment=API_TOKEN=x\n")
        self.mend("--unit", unit, rules={
            "described-new-privileges", "described-filter", "described-secret", "described-memory", "described-ipc-shared",
            "described-uts-shared", "described-settings", "described-all-devices", "described-host-homes"})

    def test_the_words_are_its_own(self):
        unit = self.put("x.service", "[Service]\nExecStart=/bin/true\n")
        for one in self.findings("--unit", unit):
            if "setting" in one:
                self.assertTrue(one["setting"].startswith("in [Service]: "), one)


class Daemons(Case):
    def test_vsftpd(self):
        # Without an end of its last line.
        file = self.put("vsftpd.conf", "anonymous_enable=YES\nwrite_enable=YES\nanon_upload_enable=YES\nlocal_enable=YES\n"
                                       "allow_writeable_chroot=YES\npasswd_chroot_enable=YES\nchroot_local_user=YES")
        self.mend("--vsftpd", file, rules={"described-anonymous", "described-login-writable", "described-passwd-root"})

    def test_sshd_and_bwrap_have_their_words(self):
        file = self.put("sshd_config", "Match Group sftp\n  ChrootDirectory /srv\n")
        told = {one["rule"]: one.get("setting", "") for one in self.findings("--sshd", file)}
        self.assertIn("ForceCommand internal-sftp", told["described-login-shell"])
        told = {one["rule"]: one.get("setting", "") for one in self.findings("--bwrap", "bwrap --ro-bind /usr /usr sh")}
        self.assertEqual(told["described-pid-shared"], "add to the command: --unshare-pid")


class Tree(Case):
    def faulty(self):
        root = os.path.join(self.home, "a root")
        for folder in ("usr/bin", "usr/lib", "etc/security", "var/log", "proc", "home/u/.ssh", "root", "etc/ssh"):
            os.makedirs(os.path.join(root, folder))
        self.put("a root/usr/bin/true", "#!/bin/sh\n", 0o755)
        os.symlink("/usr/bin", root + "/bin")
        os.symlink("/var/elsewhere", root + "/var/log/app.log")
        os.symlink("../../../../etc/outside", root + "/home/u/up")
        self.put("a root/etc/passwd", "root:x:0:0::/root:/bin/sh\nu:$1$abc$def:1000:1000::/home/u:/bin/sh\n")
        self.put("a root/etc/shadow", "root:$6$abc$def:19000:0:99999:7:::\n", 0o600)
        self.put("a root/etc/sudoers", "root ALL=(ALL) ALL\n  u ALL=(ALL) NOPASSWD: /bin/x*[1]\n", 0o440)
        self.put("a root/etc/ld.so.preload", "/tmp/evil.so\n")
        self.put("a root/etc/profile", "umask 22\nexport PATH=.:/usr/bin\n")
        self.put("a root/home/u/.netrc", "machine a login b password c\n", 0o600)
        self.put("a root/root/.aws/credentials", "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\n", 0o600)
        return root

    @unittest.skipUnless(os.geteuid() == 0, "needs root: owners")
    def test_every_command_mends(self):
        root = self.faulty()
        self.mend(root, rules={"tree-link-up", "tree-open-hash", "tree-hashes", "tree-sudo-free", "tree-preload", "tree-search-path",
                               "tree-link-system-folder", "tree-cloud-credentials"})
        self.assertEqual(os.readlink(root + "/bin"), "usr/bin")
        with open(root + "/etc/sudoers", encoding="utf-8") as file:
            self.assertEqual(file.read(), "root ALL=(ALL) ALL\n")
        # Taken out, and not deleted.
        self.assertTrue(os.path.exists(self.home + "/taken-out/credentials"))

    def test_paths_are_whole_where_the_word_is_not(self):
        root = self.faulty()
        os.chmod(root + "/usr/bin/true", 0o757)
        for one in self.findings("./a root", cwd=self.home):
            if one.get("fix"):
                self.assertIn(root, one["fix"])
        self.put("c/config.json", json.dumps({"ociVersion": "1.0.2", "process": {"args": ["sh"], "cwd": "/"}, "root": {"path": "r"}}))
        for one in self.findings("--oci", "c", cwd=self.home):
            if one.get("fix"):
                self.assertIn(self.home + "/c/config.json", one["fix"])

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root and setpriv (package util-linux): becomes another user")
    def test_a_users_own_root_stays_the_users(self):
        root = self.faulty()
        os.chmod(root + "/usr/bin/true", 0o757)
        subprocess.run(["chown", "-hR", "1234:1234", root], check=True)
        program = shutil.copy(shutil.which(IMMURE) or IMMURE, self.home + "/immure")
        full = os.path.join(os.path.dirname(os.path.realpath(shutil.which(IMMURE) or IMMURE)), "immure-full")
        if os.path.exists(full):
            shutil.copy(full, self.home + "/immure-full")
        done = subprocess.run(["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", program, "audit", "--json", root],
                              capture_output=True, check=False, timeout=60)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        found = json.loads(done.stdout)["audits"][0]["findings"]
        top = [one for one in found if one["rule"] == "tree-top-owner"]
        self.assertEqual([one["fix"] for one in top], [""])
        for one in found:
            self.assertNotIn("0:0", one.get("fix", ""), one)
        writable = [one for one in found if one["where"] == "/usr/bin/true"]
        self.assertIn("1234:1234", writable[0]["fix"])


@unittest.skipUnless(os.geteuid() == 0, "needs root: mounts")
class Live(Case):
    def test_mounts_of_a_process_are_mended_from_outside(self):
        script = "mount --bind -o nosuid /home /mnt && mount -o remount,bind,rw,nosuid /mnt && echo ready; exec sleep 60"
        with subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
                              stdout=subprocess.PIPE) as process:
            self.addCleanup(process.kill)
            self.assertEqual(process.stdout.readline(), b"ready\n")
            words = ("--pid", str(process.pid), "--only", "process-mount-host-writable")
            before = [one for one in self.findings(*words) if one["where"] == "/mnt"]
            self.assertEqual(len(before), 1)
            self.type_it(before[0]["fix"])
            self.assertNotIn("/mnt", [one["where"] for one in self.findings(*words)])
            with open(f"/proc/{process.pid}/mountinfo", encoding="utf-8") as file:
                options = [line.split()[5].split(",") for line in file if line.split()[4] == "/mnt"]
            self.assertTrue({"ro", "nosuid"} <= set(options[-1]), options)
            process.kill()

    def test_limits(self):
        with subprocess.Popen(["sh", "-c", "ulimit -c 1000; echo ready; exec sleep 60"],
                              stdout=subprocess.PIPE) as process:
            self.addCleanup(process.kill)
            self.assertEqual(process.stdout.readline(), b"ready\n")
            self.mend("--pid", str(process.pid), "--only", "process-core", rules={"process-core"})
            process.kill()


class Words(Case):
    def test_every_refusal_says_what_to_do(self):
        bad = self.put("bad.toml", "x = [")
        for words in (["/nosuch"], ["--oci", "/nosuch"], ["--sshd", "/nosuch"], ["--vsftpd", "/nosuch"], ["--unit", "/nosuch"],
                      ["--suppress", "/nosuch", self.home], ["--baseline", "/nosuch", self.home], ["--all", "--prove"],
                      ["--pid", "abc"], ["--suppress", bad, self.home], ["--bwrap", "bwrap --ro-bind / / sh", "--prove"]):
            with self.subTest(words):
                done = self.run_audit(*words)
                said = done.stderr.decode(errors="replace")
                self.assertEqual(done.returncode, 125, said)
                self.assertIn("\n  how: ", said)
                self.assertNotIn("immure inspect", said)
                self.assertNotIn("profile", said)

    def test_a_report_says_when_where_and_how(self):
        page = os.path.join(self.home, "page's.html")
        head = self.report(self.home, "--html", page)
        self.assertRegex(head["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(head["host"], os.uname().nodename)
        self.assertEqual(subprocess.run(["bash", "-c", "printf '%s\\n' " + head["command"]], capture_output=True, check=True,
                                        text=True).stdout.split("\n")[:-1], ["immure", "audit", "--json", self.home, "--html", page])
        with open(page, encoding="utf-8") as file:
            text = file.read()
        self.assertIn(head["date"], text)
        self.assertIn("<dt>host</dt>", text)

    def test_a_battery_that_does_not_run_takes_nothing_away(self):
        if shutil.which("bwrap") is None:
            self.skipTest("needs the package bubblewrap")
        done = self.run_audit("--json", "--bwrap", "bwrap --ro-bind /usr /usr --ro-bind-try /lib /lib --ro-bind-try /lib64 /lib64 {}", "--prove")
        self.assertEqual(done.returncode, 1, done.stderr)
        audit = json.loads(done.stdout)["audits"][0]
        self.assertIn("described-pid-shared", [one["rule"] for one in audit["findings"]])
        self.assertTrue(audit["no_battery"])

    def test_a_setting_of_the_kernel_lasts(self):
        done = self.run_audit("--list", "--json")
        for rule in json.loads(done.stdout)["rules"]:
            if rule["fix"].startswith("sysctl -w "):
                words = rule["fix"].split(" && ")
                self.assertEqual(words[1], "echo " + words[0][len("sysctl -w "):] + " >>/etc/sysctl.d/zz-immure-audit.conf")


if __name__ == "__main__":
    unittest.main()
