"""Each attack of the battery, run under `immure watch`, raises an alert that names it.

The battery runs as it is; the watch writes a trace, and `named` (named.cc) says of it what was raised while each attack
ran. An attack is named by its own id, by one of the same technique, or by a detector that says it tells it."""
import collections
import os
import re
import subprocess
import tempfile
import time
import unittest

from watching import has_source

IMMURE = os.environ.get("IMMURE", "immure")
NAMED = os.environ.get("IMMURE_NAMED",
                       os.path.join(os.path.dirname(os.environ.get("IMMURE_WATCHED", "build/release/tests/watched")), "named"))
ROOT = os.geteuid() == 0
# Their lists of attacks fit into the words of an exec that are kept.
PARTS = ["root,descriptors", "processes", "privilege", "devices", "kernel", "filter,links", "network", "information",
         "resources"]
# Attacks that no call shows: tests/unit/watch_techniques_test.cc has the reason of each.
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../unit/watch_techniques_test.cc"),
          encoding="utf-8") as _file:
    UNSEEN = set(re.findall(r'^    \{"([a-z0-9-]+)",', _file.read(), re.M))


# And those that a source does not see where they are stopped before the call that tells of them, or by a signal of the
# kernel's that only ebpf is told of.
UNSEEN_BY = {"ebpf": set(),
             "ptrace": {"memory-one", "memory-eight", "kept-groups", "kept-nice", "link-proc-descriptor", "map-files-write",
                        "page-cache-state", "exec-run", "fifo-outside"}}


def attacks():
    text = subprocess.run([IMMURE, "prove", "--list", "--skip", "damage"], capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in text.splitlines() if line and not line.startswith(" ")]


class Battery(unittest.TestCase):
    def replay(self, source, part, *words):
        """{attack: set of how it was named}"""
        with tempfile.TemporaryDirectory(prefix="immure-test-battery-") as folder:
            go, trace = os.path.join(folder, "go"), os.path.join(folder, "trace")
            os.mkfifo(go)
            target = subprocess.Popen(["sh", "-c", 'read x < "$0"; exec "$@"', go, IMMURE, "prove", "--only", part, *words],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                watch = subprocess.Popen([IMMURE, "watch", "--pid", str(target.pid), "--source", source, "--level", "all",
                                          "--alerts", "--trace", trace], stdout=subprocess.DEVNULL,
                                         stderr=subprocess.PIPE, text=True)
                for _ in range(100):
                    if os.path.exists(trace) and os.path.getsize(trace) > 0 or watch.poll() is not None:
                        break
                    time.sleep(0.05)
                time.sleep(1)
                self.assertIsNone(watch.poll(), watch.stderr.read() if watch.poll() is not None else "")
                with open(go, "w", encoding="utf-8") as file:
                    file.write("go\n")
                target.wait(timeout=300)
                _, error = watch.communicate(timeout=60)
                self.assertEqual(watch.returncode, 0, error)
            finally:
                target.kill()
                target.wait()
            said = subprocess.run([NAMED, trace], capture_output=True, text=True, check=True).stdout
        named = collections.defaultdict(set)
        for line in said.splitlines():
            attack, *_, how = line.split("\t")
            named[attack].add(how)
        return named

    def check(self, source, *words):
        named = collections.defaultdict(set)
        for part in PARTS:
            # A tracer tells a birth at times after the first calls of who is born, so that they are nobody's here:
            # what was not named is tried twice more, and has to be named once.
            for _ in range(3):
                for attack, ways in self.replay(source, part, *words).items():
                    named[attack] |= ways
                mine = [attack for attack, ways in named.items() if not ways & {"exact", "technique", "detector"}]
                if not set(mine) - UNSEEN - UNSEEN_BY[source]:
                    break
        known = attacks()
        ran = [attack for attack in known if attack in named]
        self.assertGreater(len(ran), 0.75 * len(known), "most attacks were not seen to run")
        best = collections.Counter()
        missing = []
        for attack in ran:
            for how in ("exact", "technique", "detector"):
                if how in named[attack]:
                    best[how] += 1
                    break
            else:
                missing.append(attack)
        print(f"# {source}: of {len(ran)} attacks {dict(best)}, not named: {' '.join(missing)}")
        self.assertEqual([attack for attack in missing if attack not in UNSEEN | UNSEEN_BY[source]], [])

    @unittest.skipUnless(ROOT, "the source ebpf needs root")
    def test_in_the_default_jail_by_ebpf(self):
        if not has_source("ebpf"):
            self.skipTest("needs CAP_BPF and CAP_PERFMON: the source ebpf says why with immure watch --sources")
        self.check("ebpf")

    def test_in_the_default_jail_by_ptrace(self):
        if not has_source("ptrace"):
            self.skipTest("needs leave to trace other processes (kernel.yama.ptrace_scope): immure watch --sources says why")
        self.check("ptrace")


if __name__ == "__main__":
    if not os.path.exists(NAMED):
        raise unittest.SkipTest(f"{NAMED} was not built")
    unittest.main()
