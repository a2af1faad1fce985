"""`immure audit` of living processes: one fault each beside a clean twin, and jails of immure."""
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import label
import live_rows
from live_held import (IMMURE, ROOT, Held, Started, audit, findings_of, sleeper_below, users_of_processes)


def has_capability(number):
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        row = next(line for line in file if line.startswith("CapEff:"))
    return bool(int(row.split()[1], 16) >> number & 1)


@unittest.skipUnless(ROOT, "processes are held by root")
class Zoo(unittest.TestCase):
    maxDiff = None

    def look(self, rows):
        held = Held()
        self.addCleanup(held.close)
        for name, twin, fault, wanted, *more in rows:
            with self.subTest(name):
                clean = held.rules(twin or {})
                self.assertIsNotNone(clean, f"the twin could not be made: {held.refused}")
                found = held.rules(fault)
                if found is None:
                    self.assertIn(name, live_rows.TAKE_IT, held.refused)
                    self.assertFalse(has_capability(live_rows.CAN_RAISE_LIMITS), held.refused)
                    self.skipTest(f"root has no CAP_SYS_RESOURCE here: {held.refused}; tests/kernels has it")
                if more:
                    self.assertLessEqual(wanted, found - clean)
                else:
                    self.assertEqual(wanted, found - clean)

    def test_places(self):
        self.look(live_rows.PLACES)

    def test_privileges(self):
        self.look(live_rows.PRIVILEGES)

    def test_namespaces(self):
        self.look(live_rows.NAMESPACES)

    def test_descriptors(self):
        self.look(live_rows.DESCRIPTORS)

    def test_filters(self):
        self.look(live_rows.FILTERS)

    def test_reach(self):
        self.look(live_rows.REACH)

    def test_sockets(self):
        self.look(live_rows.SOCKETS)

    def test_limits(self):
        self.look(live_rows.LIMITS)

    def test_abstract_sockets(self):
        # In a network of its own nobody else listens.
        with Started(["unshare", "--net", "sleep", "60"]) as network:
            sleeper_below(network)
            before = ["nsenter", f"--net=/proc/{network.running.pid}/ns/net"]
            held = Held(before)
            self.addCleanup(held.close)

            def look(pid):
                return audit("--pid", str(pid), before=before)["audits"][0]["findings"]
            shares = {"spaces": live_rows.without("net")}
            self.assertNotIn("process-abstract-sockets", held.rules(shares, look))
            listens = ("import socket, time; end = socket.socket(socket.AF_UNIX); end.bind('\\0immure-test'); "
                       "end.listen(); print('listens', flush=True); time.sleep(60)")
            with Started([*before, sys.executable, "-c", listens], stdout=subprocess.PIPE, text=True) as listener:
                self.assertEqual("listens\n", listener.running.stdout.readline())
                self.assertIn("process-abstract-sockets", held.rules(shares, look))
                self.assertNotIn("process-abstract-sockets", held.rules({}, look))

    def test_same_user(self):
        user = next(uid for uid in range(61000, 65000) if not any(uid == one for one, _ in users_of_processes()))
        outside = ["setpriv", f"--reuid={user}", "--clear-groups", "sleep", "60"]
        held = Held()
        self.addCleanup(held.close)
        told = []

        def look(pid):
            told[:] = audit("--pid", str(pid))["audits"][0]["findings"]
            return told
        for spaces, severity in ((live_rows.without(), "advice"), (live_rows.without("pid"), "high")):
            how = {"uid": user, "spaces": spaces}
            self.assertNotIn("process-same-user", held.rules(how, look), told)
            with Started(outside) as other:
                pid = sleeper_below(other)
                self.assertIn("process-same-user", held.rules(how, look))
                one = next(one for one in told if one["rule"] == "process-same-user")
                self.assertEqual(severity, one["severity"])
                self.assertIn(f"{pid} (sleep)", one["evidence"])

    def test_symbols_of_the_kernel_are_told_as_they_are(self):
        held = Held()
        self.addCleanup(held.close)
        told = []

        def look(pid):
            told[:] = audit("--pid", str(pid))["audits"][0]["findings"]
            return told
        for capabilities, as_user in (([], ["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all"]),
                                      ([34], [])):
            shown = subprocess.run([*as_user, "head", "-c", "16", "/proc/kallsyms"], capture_output=True, text=True,
                                   check=True).stdout
            self.assertEqual(16, len(shown))
            self.assertIn("process-kernel-read", held.rules({"capabilities": capabilities}, look))
            evidence = next(one["evidence"] for one in told if one["rule"] == "process-kernel-read")
            self.assertIn("the addresses are 0" if shown == "0" * 16 else "with addresses", evidence)

    def test_who_listens_is_named(self):
        held = Held()
        self.addCleanup(held.close)
        told = []

        def look(pid):
            told[:] = findings_of(pid)
            return told
        folder = tempfile.mkdtemp(prefix="immure-test-listens-")
        self.addCleanup(shutil.rmtree, folder)
        listens = ("import os, socket, sys, time; end = socket.socket(socket.AF_UNIX); end.bind(sys.argv[1]); "
                   "os.chmod(sys.argv[1], 0o666); end.listen(); print('listens', flush=True); time.sleep(60)")
        path = folder + "/docker.sock"
        with Started([sys.executable, "-c", listens, path], stdout=subprocess.PIPE, text=True) as listener:
            self.assertEqual("listens\n", listener.running.stdout.readline())
            held.rules({"binds": [[path, "/run/docker.sock", 0]]}, look)
            evidence = next(one["evidence"] for one in told if one["rule"] == "process-socket-engine")
            self.assertRegex(evidence, rf"pid {listener.running.pid} \(python[0-9.]*\) listens at it")
            tree = audit(folder)["audits"][0]["findings"]
            evidence = next(one["evidence"] for one in tree if one["rule"] == "tree-control-socket")
            self.assertRegex(evidence, rf"pid {listener.running.pid} \(python[0-9.]*\) listens at it")
        # The name that is left behind is nobody's.
        held.rules({"binds": [[path, "/run/docker.sock", 0]]}, look)
        evidence = next(one["evidence"] for one in told if one["rule"] == "process-socket-engine")
        self.assertNotIn("listens at it", evidence)

    def test_securebits(self):
        # The kernel shows them to the process alone: it is the audit itself, and of any other they are not known.
        itself = ["sh", "-c", "exec \"$0\" audit --json --pid $$", IMMURE]

        def rules(*before):
            done = subprocess.run([*before, *itself], capture_output=True, text=True, check=False, timeout=60)
            told = json.loads(done.stdout)["audits"][0]
            return [{one["rule"] for one in told[part]} for part in ("findings", "unknown")]
        for bits, found in (("-noroot", True), ("+noroot", False)):
            findings, unknown = rules("setpriv", "--securebits=" + bits)
            self.assertEqual(found, "process-securebits" in findings)
            self.assertNotIn("process-securebits", unknown)
        with Started(["sleep", "60"]) as other:
            sleeper_below(other)
            told = audit("--pid", str(other.running.pid))["audits"][0]
        self.assertNotIn("process-securebits", {one["rule"] for one in told["findings"]})
        self.assertIn("process-securebits", {one["rule"] for one in told["unknown"]})

    @unittest.skipUnless(os.path.exists(label.CONTROL + ".replace"), "the kernel of this machine has no AppArmor that runs; "
                         "tests/kernels boots one that has")
    def test_labels(self):
        held = Held()
        self.addCleanup(held.close)
        told = {}

        def look(pid):
            told.update(audit("--pid", str(pid))["audits"][0])
            return told["findings"]
        name = f"immure-test-{os.getpid()}"
        how = {"label": name, "no_new_privs": False}
        self.addCleanup(label.remove, name)
        for mode, found in ((label.ENFORCED, False), (label.WATCHED, True)):
            label.load(name, mode)
            rules = held.rules(how, look)
            self.assertIsNotNone(rules, held.refused)
            self.assertEqual(found, "process-module" in rules, told)
            if not found:
                self.assertIn("process-module", told["checked"], told["unknown"])
        # What no profile confines may still be held by Landlock.
        self.assertNotIn("process-module", held.rules({"no_new_privs": False}, look))
        self.assertIn("process-module", {one["rule"] for one in told["unknown"]})

    def test_security_module(self):
        with Started(["sleep", "60"]) as started:
            sleeper_below(started)
            told = audit("--pid", str(started.running.pid))["audits"][0]
            try:
                with open(f"/proc/{started.running.pid}/attr/current", encoding="utf-8") as file:
                    label = file.read()
            except OSError:
                label = ""
        # Landlock may hold what no label does; a label that holds is asked for in the machine of the kernels suite.
        if not label or label.startswith("unconfined"):
            self.assertIn("process-module", {one["rule"] for one in told["unknown"]})
        self.assertNotIn("process-module", {one["rule"] for one in told["findings"]})
        if not label:
            self.skipTest("the kernel of this machine has no security module that labels processes; "
                          "tests/kernels boots one that has")


class EveryRule(unittest.TestCase):
    """Of each rule about processes there is a real one with its fault, or it is said here why not."""
    BY_A_TEST_OF_ITS_OWN = {
        "process-securebits": Zoo.test_securebits,
        "process-abstract-sockets": Zoo.test_abstract_sockets,
        "process-same-user": Zoo.test_same_user,
        # Runs where there is AppArmor: in the machine of tests/kernels.
        "process-module": Zoo.test_labels,
    }
    # Rules of which no process can be made anywhere, each with the reason.
    OF_NO_PROCESS = {}

    def test_each_has_a_process(self):
        listed = json.loads(subprocess.run([IMMURE, "audit", "--list", "--json"], capture_output=True, check=True).stdout)
        rules = {one["id"] for one in listed["rules"] if one["look"] == "process"}
        tables = [table for name, table in vars(live_rows).items() if name.isupper() and isinstance(table, list)]
        rows = {rule for table in tables for row in table if not name_of_part(row) for rule in row[3]}
        apart = set(self.BY_A_TEST_OF_ITS_OWN) | set(self.OF_NO_PROCESS)
        self.assertEqual(set(), rules - rows - apart, "rules without a row of live_rows.py")
        self.assertEqual(set(), (rows | apart) - rules, "rows of rules that there are not")
        self.assertEqual(set(), rows & apart, "rows of what is said to have none")
        for rule, test in self.BY_A_TEST_OF_ITS_OWN.items():
            self.assertIn(f'"{rule}"', inspect.getsource(test))

    def test_each_table_is_looked_at(self):
        looked = set(re.findall(r"live_rows\.([A-Z]+)\)", inspect.getsource(Zoo)))
        tables = {name for name, table in vars(live_rows).items() if name.isupper() and isinstance(table, list) and
                  not name.startswith("_")}
        self.assertEqual(tables, looked)


def name_of_part(row):
    """Of a table that is a part of rows, and no row."""
    return not (isinstance(row, tuple) and len(row) >= 4)


class DefaultJail(unittest.TestCase):
    def check(self, *before):
        command = [*before, IMMURE, "run", "--", "sleep", "60"]
        with Started(command, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}) as started:
            pid = sleeper_below(started)
            for one in (pid, parent_of(pid)):
                above = [one for one in findings_of(one) if one["severity"] != "advice"]
                self.assertEqual([], above)

    def test_of_who_asks(self):
        self.check()

    @unittest.skipUnless(ROOT, "becomes a user")
    def test_of_a_user(self):
        self.check("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all")

    def test_no_value_of_the_environment_is_told(self):
        environment = {"PATH": os.environ["PATH"], "API_TOKEN": "Zx81Spectrum"}
        with Started(["sleep", "60"], env=environment) as started:
            started.pids.append(started.running.pid)
            time.sleep(0.2)
            text = json.dumps(audit("--pid", str(started.running.pid)))
        self.assertIn("API_TOKEN", text)
        self.assertNotIn("Zx81Spectrum", text)


def parent_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return int(next(line for line in file if line.startswith("PPid:")).split()[1])


if __name__ == "__main__":
    unittest.main()
