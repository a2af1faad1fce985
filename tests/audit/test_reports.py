"""What is asked for, told and remembered: statuses, suppressions, baselines, files, the battery beside it."""
import json
import os
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

import zoo

SET_UID = "tree-set-uid-root"


def run(*words, seconds=120):
    done = subprocess.run([zoo.IMMURE, "audit", *words], capture_output=True, timeout=seconds, check=False)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


class Reports(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.tree = zoo.Tree(self)
        self.side = tempfile.TemporaryDirectory(prefix="immure-zoo-")
        self.addCleanup(self.side.cleanup)

    def beside(self, name, text=None, mode=0o644):
        path = os.path.join(self.side.name, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, mode)
        return path

    def test_a_check_of_nothing_is_an_error(self):
        self.assertEqual(run(self.tree.path, "--only", "tree-fifo", "--skip", "tree-fifo")[0], 125)
        self.assertEqual(run(self.tree.path, "--only", "host-symlinks")[0], 125)

    @unittest.skipUnless(zoo.ROOT, "a user's set-id programs are another rule")
    def test_the_status_follows_the_severity(self):
        self.assertEqual(run(self.tree.path)[0], 0)
        self.tree.file("opt/x", "x", 0o4755)
        self.assertEqual(run(self.tree.path)[0], 1)
        self.assertEqual(run(self.tree.path, "--fail-on", "never")[0], 0)
        self.assertEqual(run(self.tree.path, "--skip", SET_UID)[0], 0)
        self.assertEqual(run(self.tree.path, "--only", SET_UID)[0], 1)
        severity = zoo.audit(self.tree.path).of(SET_UID)[0]["severity"]
        order = ["advice", "low", "medium", "high", "critical"]
        for one in order:
            self.assertEqual(run(self.tree.path, "--fail-on", one)[0], int(order.index(one) <= order.index(severity)), one)
        self.assertEqual(run(self.tree.at("none"))[0], 125)

    @unittest.skipUnless(zoo.ROOT, "a user's set-id programs are another rule")
    def test_accepted_findings(self):
        self.tree.file("opt/x", "x", 0o4755)
        self.tree.file("opt/y", "x", 0o4755)
        rows = f'[[suppress]]\nrule = "{SET_UID}"\nwhere = "/opt/{{}}"\nreason = "we know"\n'
        file = self.beside("s.toml", rows.format("x"))
        document = json.loads(run(self.tree.path, "--json", "--suppress", file)[1])["audits"][0]
        self.assertEqual({one["where"]: "accepted" in one for one in document["findings"] if one["rule"] == SET_UID},
                         {"/opt/x": True, "/opt/y": False})
        both = self.beside("both.toml", rows.format("*"))
        status, said, _ = run(self.tree.path, "--suppress", both)
        self.assertEqual(status, 0)
        self.assertIn("Accepted: 2 findings", said)
        scores = [json.loads(run(self.tree.path, "--json", *words)[1])["audits"][0]["score"]["value"]
                  for words in ((), ("--suppress", both))]
        self.assertEqual(scores[0], scores[1], "a jail is no better for what was accepted")
        over = self.beside("over.toml", rows.format("*") + 'until = "2020-01-31"\n')
        status, said, _ = run(self.tree.path, "--suppress", over)
        self.assertEqual(status, 1)
        self.assertIn("has run out on 2020-01-31: 2 found", " ".join(said.split()))
        self.assertIn("suppresses nothing", " ".join(run(self.tree.path, "--suppress",
                                                         self.beside("none.toml", rows.format("none")))[1].split()))

    def test_suppressions_that_anybody_could_have_written_are_refused(self):
        file = self.beside("s.toml", f'[[suppress]]\nrule = "{SET_UID}"\nreason = "we know"\n', 0o666)
        status, _, err = run(self.tree.path, "--suppress", file)
        self.assertEqual(status, 125)
        self.assertIn("IMM-E003", err)
        status, _, err = run(self.tree.path, "--suppress", self.beside("bad.toml", '[[suppress]]\nrule = "tree-st-id"\n'))
        self.assertEqual(status, 125)
        self.assertIn("bad.toml:2", err)

    @unittest.skipUnless(zoo.ROOT, "a user's set-id programs are another rule")
    def test_a_baseline_tells_worse_from_better(self):
        self.tree.file("opt/old", "x", 0o4755)
        then = self.beside("b.json", run(self.tree.path, "--json")[1])
        status, said, _ = run(self.tree.path, "--baseline", then)
        self.assertEqual(status, 0, "what was there is not worse")
        self.assertIn("Nothing got worse, nothing got better", said)
        os.chmod(self.tree.at("opt/old"), 0o755)
        self.tree.file("opt/new", "x", 0o4755)
        status, said, _ = run(self.tree.path, "--baseline", then)
        self.assertEqual(status, 1)
        self.assertIn(f"{SET_UID}  /opt/new", said)
        self.assertIn("1 got worse, 1 got better", said)
        os.chmod(self.tree.at("opt/new"), 0o755)
        self.assertEqual(run(self.tree.path, "--baseline", then)[0], 0)
        self.assertEqual(run(self.tree.path, "--baseline", self.beside("x.json", "{}"))[0], 125)

    def test_reports_agree(self):
        self.tree.file("opt/x\n\x1b[31m", "x", 0o4755)
        self.tree.link("../../../x", "opt/up")
        sarif, junit, html = self.beside("r.sarif"), self.beside("r.xml"), self.beside("r.html")
        _, out, _ = run(self.tree.path, "--json", "--sarif", sarif, "--junit", junit, "--html", html, "--fail-on", "low")
        audit = json.loads(out)["audits"][0]
        with open(sarif, encoding="utf-8") as file:
            results = json.load(file)["runs"][0]["results"]
        self.assertEqual([one["ruleId"] for one in results], [one["rule"] for one in audit["findings"]])
        failed = {case.get("name") for case in xml.etree.ElementTree.parse(junit).iter("testcase")
                  if case.find("failure") is not None}
        self.assertEqual(failed, {one["rule"] for one in audit["findings"] if one["severity"] != "advice"})
        with open(html, encoding="utf-8") as file:
            page = file.read()
        for one in audit["findings"]:
            self.assertIn(one["rule"], page)
        self.assertNotIn("\x1b", out + page)

    @unittest.skipUnless(zoo.ROOT, "a user's set-id programs are another rule")
    def test_a_fix_works_as_it_is_typed(self):
        for name in ("a b", "it's", "x\ny", "-rf", "$(id)", "\x1b[31m\\"):
            self.tree.file("opt/" + name, "x", 0o4755)
        for one in zoo.audit(self.tree.path).of(SET_UID):
            subprocess.run(["bash", "-ec", one["fix"]], check=True)
        self.assertEqual(zoo.audit(self.tree.path).of(SET_UID), [])
        self.assertEqual(len(os.listdir(self.tree.at("opt"))), 6)

    def test_rules_are_listed_and_explained(self):
        rules = json.loads(run("--list", "--json")[1])["rules"]
        self.assertGreaterEqual(len(rules), 100)
        self.assertEqual(len(run("--list")[1].splitlines()), len(rules))
        self.assertIn(rules[0]["why"], run("--explain", rules[0]["id"])[1])
        status, _, err = run("--explain", rules[0]["id"] + "x")
        self.assertEqual(status, 125)
        self.assertIn(f"did you mean {rules[0]['id']}?", err)

    def test_it_has_one_help_that_fits(self):
        text = run("--help")[1]
        self.assertEqual(text, subprocess.run([zoo.IMMURE, "help", "audit"], capture_output=True, text=True,
                                              check=True).stdout)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        self.assertNotIn("'s", text)


@unittest.skipUnless(zoo.ROOT, "a plain chroot is root's")
class Battery(unittest.TestCase):
    def test_an_escape_is_zero_and_was_predicted(self):
        """A root shell in a plain chroot: what attacks get through was told of before."""
        tree = zoo.Tree(self)
        busy = next((path for path in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(path)), None)
        if busy is None:
            self.skipTest("needs the package busybox-static")
        with open(busy, "rb") as file:
            tree.file("bin/busybox", "x", 0o755)
            with open(tree.at("bin/busybox"), "wb") as copy:
                copy.write(file.read())
        jailed = subprocess.Popen(["chroot", tree.path, "/bin/busybox", "sleep", "600"])
        self.addCleanup(jailed.wait)
        self.addCleanup(jailed.kill)
        status, out, err = run("--pid", str(jailed.pid), "--prove", "--json", seconds=300)
        self.assertEqual(status, 1, err)
        audit = json.loads(out)["audits"][0]
        self.assertEqual(audit["score"]["value"], 0)
        self.assertGreater(len(audit["battery"]["escaped"]), 3)
        self.assertEqual([one["id"] for one in audit["battery"]["escaped"] if not one["foretold_by"]], [])


if __name__ == "__main__":
    unittest.main()
