"""What is learned holds: real programs run under what was learned from them, and no target is given a text it does not take."""
import glob
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
import threading
import unittest

import programs

IMMURE = os.environ.get("IMMURE", "immure")
MOST = 1.2  # times the calls of a list made by hand
ROOT = os.geteuid() == 0
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def immure(*words, folder=None, seconds=120):
    done = subprocess.run([IMMURE, *words], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", timeout=seconds, check=False)
    return done.returncode, done.stdout, done.stderr


def missing(names):
    return [name for name in names if not shutil.which(name, path=SEARCH)]


class Here(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="immure-learn-", dir="/tmp")
        self.addCleanup(place.cleanup)
        self.folder = place.name
        os.chmod(self.folder, 0o777)

    def put(self, name, text="x\n"):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def learn(self, *words, script):
        status, out, err = immure("learn", *words, "--", "sh", "-c", script, folder=self.folder)
        self.assertEqual(status, 0, err)
        return out, err


class Programs(Here):
    """U11, U16: fifteen programs, learned, run under what was learned, with no more calls than a careful list."""

    def one(self, program):
        lacking = missing(program.needs)
        if lacking:
            self.skipTest("not installed: " + " ".join(lacking))
        programs.prepare(program, self.folder)
        profile = os.path.join(self.folder, "learned.toml")
        self.learn("--runs", "2", "--no-tty", "--wall-time", "60s", *program.options, "-o", profile, script=program.smoke)
        with open(profile, encoding="utf-8") as file:
            text = file.read()
        calls = int(re.search(r"^# (\d+) calls stay open", text, re.M).group(1))
        self.assertLessEqual(calls, MOST * program.hand, "more calls than 1.2 times the list by hand")
        status, out, err = immure("run", "--no-tty", "--wall-time", "60s", "--profile", profile, "--", "sh", "-c",
                                  program.smoke, folder=self.folder)
        self.assertEqual(status, 0, out[-500:] + err[-1500:])


def add(program):
    setattr(Programs, "test_" + program.name, lambda self: self.one(program))


for each in programs.PROGRAMS:
    add(each)


class TheJail(Here):
    def test_nothing_of_the_host_is_changed(self):
        kept = self.put("kept", "before\n")
        os.chmod(kept, 0o666)
        self.learn("-q", script="echo after > kept; echo new > new; touch /etc/immure-learn-test /var/immure-learn-test")
        with open(kept, encoding="utf-8") as file:
            self.assertEqual(file.read(), "before\n")
        for path in (os.path.join(self.folder, "new"), "/etc/immure-learn-test", "/var/immure-learn-test"):
            self.assertFalse(os.path.exists(path), path)

    def test_a_bind_is_written_to_no_more_than_anything_else(self):
        kept = self.put("in/kept", "before\n")
        os.chmod(kept, 0o666)
        self.learn("-q", "--bind", os.path.join(self.folder, "in"), script="echo after > in/kept")
        with open(kept, encoding="utf-8") as file:
            self.assertEqual(file.read(), "before\n")

    def test_there_is_no_network(self):
        out, _ = self.learn("-q", "--show", "--save", os.devnull, script="cat /proc/net/dev | wc -l > n; test $(cat n) = 3")
        self.assertNotIn("net = ", out)

    def test_a_name_for_a_pipe_is_written_to_and_not_replaced(self):
        pipe = os.path.join(self.folder, "pipe")
        os.mkfifo(pipe)
        heard = []

        def hear():
            with open(pipe, encoding="utf-8") as file:
                heard.append(file.read())
        ear = threading.Thread(target=hear)
        ear.start()
        self.learn("-q", "-o", pipe, script="true")
        ear.join(10)
        self.assertTrue(stat.S_ISFIFO(os.stat(pipe).st_mode))
        self.assertIn("description", heard[0])

    def test_a_command_that_is_not_there_is_an_error(self):
        status, _, err = immure("learn", "--", "/nope/nope", folder=self.folder)
        self.assertEqual(status, 127, err)


class WhatIsGranted(Here):
    def test_secrets_are_questions(self):
        self.put(".ssh/id_test", "key\n")
        self.put("conf", "c\n")
        out, err = self.learn(script="cat conf .ssh/id_test >/dev/null")
        granted = "\n".join(line for line in out.splitlines() if not line.startswith("#"))
        self.assertIn("/conf\"", granted)
        self.assertNotIn("id_test", granted)
        self.assertIn("id_test", err)
        self.assertIn("# Not granted", out)

    def test_what_was_not_seen_is_denied(self):
        profile = os.path.join(self.folder, "p.toml")
        self.put("a")
        self.put("b")
        self.learn("-q", "-o", profile, script="cat a >/dev/null")
        run = ["run", "--no-tty", "--profile", profile, "--", "sh", "-c"]
        self.assertEqual(immure(*run, "cat a", folder=self.folder)[0], 0)
        self.assertNotEqual(immure(*run, "cat b", folder=self.folder)[0], 0)
        status, _, err = immure(*run, "mkdir /tmp/x", folder=self.folder)
        self.assertNotEqual(status, 0)
        self.assertIn("mkdir", err)

    def test_runs_are_merged_and_kept(self):
        saved = os.path.join(self.folder, "saved")
        self.put("one")
        self.put("two")
        self.learn("-q", "--save", saved, script="cat one >/dev/null")
        self.learn("-q", "--merge", saved, "--save", saved, script="cat two >/dev/null")
        with open(saved, encoding="utf-8") as file:
            needs = json.load(file)
        self.assertEqual(needs["schema"], "immure.needs/1")
        self.assertEqual(needs["runs"], 2)
        runs = {item["key"]: item["runs"] for item in needs["items"] if item["part"] == "file"}
        self.assertEqual(runs[os.path.join(self.folder, "one")], [0])
        self.assertEqual(runs[os.path.join(self.folder, "two")], [1])
        status, out, err = immure("learn", "--merge", saved, folder=self.folder)
        self.assertEqual(status, 0, err)
        self.assertIn("/one\"", out)
        self.assertIn("/two\"", out)

    def test_writes_stay_when_they_are_to(self):
        os.mkdir(os.path.join(self.folder, "out"), 0o777)
        os.chmod(os.path.join(self.folder, "out"), 0o777)
        out, _ = self.learn("-q", script="echo > out/x")
        self.assertIn("overlay = [", out)
        out, _ = self.learn("-q", "--keep-writes", script="echo > out/x")
        self.assertNotIn("overlay = [", out)
        self.assertRegex(out, r'\nbind = \[\n  "[^"]*/out"')


class Places(Here):
    """S31: who is learned about and may write where the profile goes does not choose what is written over."""

    def minimise(self, script, *words):
        os.mkdir(os.path.join(self.folder, "out"), 0o777)
        os.chmod(os.path.join(self.folder, "out"), 0o777)
        self.put("victim", "mine\n")
        with open(os.path.join(self.folder, "p.toml"), "w", encoding="utf-8") as file:
            file.write(f'bind = ["{self.folder}/out"]\n')
        done = immure("learn", "minimise", "p.toml", *words, "--smoke", "sh", "-c", script, folder=self.folder)
        with open(os.path.join(self.folder, "victim"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "mine\n")
        return done

    def test_a_link_that_it_made_is_not_followed(self):
        script = f"test -e {self.folder}/out/made || ln -s ../victim {self.folder}/out/made"
        status, _, err = self.minimise(script, "-o", "out/made")
        self.assertNotEqual(status, 0, err)
        self.assertIn("before the program ran", err)
        self.assertTrue(os.path.islink(os.path.join(self.folder, "out/made")))

    def test_a_file_that_it_made_is_not_replaced(self):
        status, _, err = self.minimise(f"echo theirs > {self.folder}/out/made", "-o", "out/made")
        self.assertNotEqual(status, 0, err)
        self.assertIn("before the program ran", err)

    def test_what_was_there_is_replaced(self):
        self.put("result", "old\n")
        status, _, err = self.minimise(f"test -w {self.folder}/out", "-o", "result")
        self.assertEqual(status, 0, err)
        with open(os.path.join(self.folder, "result"), encoding="utf-8") as file:
            self.assertIn("bind", file.read())


class Targets(Here):
    """U14: each text is taken by the tool that it is for."""

    SCRIPT = "cat data >/dev/null; echo 1 > /tmp/x; test $(cat /tmp/x) = 1"

    def emit(self, name):
        self.put("data")
        out, _ = self.learn("-q", "--emit", name, script=self.SCRIPT)
        return out

    def need(self, *names):
        if missing(names):
            self.skipTest("not installed: " + " ".join(missing(names)))

    def test_systemd(self):
        self.need("systemd-analyze")
        text = self.emit("systemd")
        self.put("t.service", "[Service]\nExecStart=/bin/true\n" + text.replace("[Service]\n", ""))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", os.path.join(self.folder, "t.service")],
                              capture_output=True, text=True, check=False)
        about = [line for line in done.stderr.splitlines() if "t.service" in line]
        self.assertEqual(about, [])

    def test_bwrap(self):
        self.need("bwrap")
        script = self.put("b.sh", self.emit("bwrap"))
        done = subprocess.run(["sh", script, "sh", "-c", self.SCRIPT.replace("data", os.path.join(self.folder, "data"))],
                              capture_output=True, text=True, check=False)
        if "Operation not permitted" in done.stderr and not ROOT:
            self.skipTest("bwrap makes no namespaces here: " + done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stderr)

    def bundle(self, runtime):
        self.need(runtime)
        if not ROOT:
            self.skipTest("the bundle is for root's runtime")
        self.put("bundle/config.json", self.emit("oci"))
        os.mkdir(os.path.join(self.folder, "bundle/rootfs"))
        name = "immure-learn-%d-%s" % (os.getpid(), runtime)
        done = subprocess.run([runtime, "run", "-b", os.path.join(self.folder, "bundle"), name], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False)
        if "cgroup" in done.stderr:
            self.skipTest(runtime + " cannot make its control groups here: " + done.stderr.strip()[:200])
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_runc(self):
        self.bundle("runc")

    def test_crun(self):
        self.bundle("crun")

    def test_seccomp_by_our_own_reader(self):
        file = self.put("f.json", self.emit("seccomp"))
        status, _, err = immure("run", "--no-tty", "--seccomp", file, "--ro-bind", self.folder, "--cwd", self.folder, "--", "sh", "-c",
                                self.SCRIPT, folder=self.folder)
        self.assertEqual(status, 0, err)

    def test_apparmor(self):
        self.need("apparmor_parser")
        file = self.put("p.apparmor", self.emit("apparmor"))
        done = subprocess.run(["apparmor_parser", "-Q", "-K", file], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_docker_is_a_script_that_a_shell_takes(self):
        script = self.put("d.sh", self.emit("docker"))
        self.assertEqual(subprocess.run(["sh", "-n", script], check=False).returncode, 0)
        shown = self.put("fake", "#!/bin/sh\nfor w; do echo \"$w\"; case $w in seccomp=*) cat \"${w#seccomp=}\" > "
                         + os.path.join(self.folder, "seen.json") + ";; esac; done\n")
        os.chmod(shown, 0o755)
        done = subprocess.run(["sh", script, "sh"], env={"PATH": SEARCH, "DOCKER": shown, "IMAGE": "img"}, capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("\nimg\nsh\n", done.stdout)
        with open(os.path.join(self.folder, "seen.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["defaultAction"], "SCMP_ACT_ERRNO")

    def test_several_go_into_a_folder(self):
        self.put("data")
        self.learn("-q", "--emit", "toml,systemd,oci", "-o", "out", script=self.SCRIPT)
        self.assertEqual(sorted(os.path.basename(one) for one in glob.glob(self.folder + "/out/*")),
                         ["config.json", "sh.conf", "sh.toml"])


class FromAWatch(Here):
    """What a watch wrote is learned from: packed or as lines, it is the same."""

    SCRIPT = "cd /tmp; echo a > made; cat < made; mv made moved; ln -s moved link; ls . >/dev/null; chown 1:1 moved; cat /nowhere; true"

    def watched(self):
        lines, trace = (os.path.join(self.folder, name) for name in ("w.jsonl", "w.trace"))
        status, _, err = immure("run", "--no-tty", "--watch=files", "--watch-source", "notify", "--watch-json", lines,
                                "--watch-trace", trace, "--", "sh", "-c", self.SCRIPT, folder=self.folder)
        self.assertEqual(status, 0, err)
        return lines, trace

    def needs(self, source, stdin=subprocess.DEVNULL):
        saved = os.path.join(self.folder, "needs.json")
        done = subprocess.run([IMMURE, "learn", "-q", "--from", source, "--save", saved], stdin=stdin, capture_output=True,
                              text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(saved, encoding="utf-8") as file:
            return json.load(file)

    def test_lines_and_a_trace_say_the_same(self):
        lines, trace = self.watched()
        packed, read = self.needs(trace), self.needs(lines)
        self.assertIn("/tmp/moved", [item.get("key") for item in read["items"]])
        for of_one in ("command",):  # lines do not tell it
            packed.pop(of_one), read.pop(of_one)
        self.assertEqual(packed, read)

    def test_lines_come_from_a_pipe(self):
        lines, _ = self.watched()
        with subprocess.Popen(["cat", lines], stdout=subprocess.PIPE) as cat:
            self.assertEqual(self.needs("/dev/stdin", cat.stdout), self.needs(lines))

    def test_a_line_that_is_none_is_an_error(self):
        lines, _ = self.watched()
        with open(lines, "a", encoding="utf-8") as file:
            file.write("{\"type\": \"event\"}\n")
        status, out, err = immure("learn", "--from", lines)
        self.assertEqual(status, 125, out + err)
        self.assertIn("is none of immure watch", err)
        self.assertEqual(out, "")


class Smaller(Here):
    PROFILE = 'ro-bind = ["HERE/needed", "HERE/idle"]\nallow-syscall = ["io_setup"]\n[env]\nA = "1"\nB = "2"\n'

    def setUp(self):
        super().setUp()
        self.put("needed")
        self.put("idle")
        self.profile = self.put("p.toml", self.PROFILE.replace("HERE", self.folder))
        self.smoke = "cat " + os.path.join(self.folder, "needed") + " && test $A = 1"

    def test_what_is_not_needed_goes(self):
        words = ["learn", "minimise", self.profile, "--smoke", "sh", "-c", self.smoke]
        status, out, err = immure(*words, folder=self.folder)
        self.assertEqual(status, 0, err)
        self.assertIn("/needed", out)
        self.assertIn("A = ", out)
        for gone in ("/idle", "io_setup", "B = "):
            self.assertNotIn(gone, out)
        self.assertIn("by the table of attacks", err)
        self.assertEqual(immure(*words, folder=self.folder)[1], out, "another result the second time")

    def test_calls_go_too(self):
        small = os.path.join(self.folder, "small.toml")
        status, _, err = immure("learn", "minimise", self.profile, "--calls", "-q", "-o", small, "--smoke", "sh", "-c", self.smoke,
                                folder=self.folder)
        self.assertEqual(status, 0, err)
        with open(small, encoding="utf-8") as file:
            self.assertIn("\"listen\"", file.read())
        self.assertEqual(immure("run", "--no-tty", "--profile", small, "--", "sh", "-c", self.smoke)[0], 0)

    def test_a_smoke_test_that_fails_is_an_error(self):
        status, _, err = immure("learn", "minimise", self.profile, "--smoke", "false", folder=self.folder)
        self.assertEqual(status, 125)
        self.assertIn("does not pass", err)

    def test_tighten_says_what_is_idle(self):
        status, out, err = immure("learn", "-q", "--tighten", self.profile, "--", "sh", "-c", self.smoke.split(" &&")[0], folder=self.folder)
        self.assertEqual(status, 1, err)
        self.assertIn("/idle: nothing of it was used", out)
        self.assertIn("allow-syscall io_setup", out)
        self.assertNotIn("/needed:", out)


if __name__ == "__main__":
    unittest.main()
