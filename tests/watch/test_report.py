"""`immure report`: what a real trace comes to, as text, as JSON, and as a page in a real browser that asks for nothing."""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import browser

IMMURE = os.path.abspath(os.environ.get("IMMURE", "immure"))
HOSTILE = "a <script>alert(1)</script>\x1b[31m&'"


def run(*words, status=0):
    done = subprocess.run([IMMURE, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != status:
        raise AssertionError(f"{words}: {done.returncode}\n{done.stderr}{done.stdout}")
    return done.stdout


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="immure-report-")
        cls.addClassCleanup(shutil.rmtree, cls.home, True)
        cls.trace, cls.page = os.path.join(cls.home, "trace"), os.path.join(cls.home, "page.html")
        script = ('cd /tmp; echo x > "$1"; for i in 1 2 3; do cat "$1" /etc/hosts; sleep 0.05; done; rm "$1";'
                  ' cat /etc/none; mount -t tmpfs none /mnt; exit 0')
        run("run", "--watch=files", "--watch-source=notify", f"--watch-trace={cls.trace}", "--no-tty", "--", "sh", "-c",
            script, "sh", HOSTILE)
        cls.json = json.loads(run("report", cls.trace, "--html", cls.page, "--json"))

    def test_the_document_has_what_was_done(self):
        self.assertTrue(self.json["whole"])
        self.assertEqual(self.json["source"], "notify")
        self.assertEqual(self.json["lost"], 0)
        files = {row["path"]: row for row in self.json["files"]}
        self.assertIn("/etc/hosts", files)
        written = next(row for path, row in files.items() if "script" in path)
        self.assertGreater(sum(written["changed"].values()), 0)
        self.assertIn("cat", {os.path.basename(row["program"]) for row in self.json["processes"]})
        self.assertEqual(sum(row["denied"] for row in self.json["calls"] if row["call"] == "mount"), 1)
        self.assertIn("mounts", {row["detector"] for row in self.json["alerts"]})

    def test_the_text_can_be_shown(self):
        text = run("report", self.trace)
        self.assertNotIn("\x1b", text)
        self.assertIn("mount  1, 1 denied", text)
        self.assertIn("every seal fits", text)

    def test_a_trace_that_was_changed_is_told(self):
        with open(self.trace, "rb") as file:
            whole = bytearray(file.read())
        whole[len(whole) // 2] ^= 1
        changed = os.path.join(self.home, "changed")
        with open(changed, "wb") as file:
            file.write(whole)
        self.assertIn("CHANGED", run("report", changed, status=1))

    def test_what_is_no_trace_is_an_error(self):
        done = subprocess.run([IMMURE, "report", "/etc/hosts"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 125)
        self.assertIn("no trace", done.stderr)
        self.assertIn("how:", done.stderr)

    @unittest.skipUnless(browser.program(), "needs the package chromium")
    def test_the_page(self):
        seen = browser.Browser()
        self.addCleanup(seen.close)
        seen.open(self.page)
        self.assertEqual(seen.ask("document.querySelector('.tile b').textContent"), str(self.json["events"]))
        # Drawn: the timeline, the calls, the processes.
        self.assertEqual(seen.ask("document.querySelectorAll('svg').length"), 3)
        self.assertEqual(seen.ask("[...document.querySelectorAll('svg')].every(one => one.getBBox().width > 200 && "
                                  "one.querySelectorAll('rect').length > 2)"), True)
        self.assertEqual(seen.ask("document.querySelectorAll('.life').length"), len(self.json["processes"]))
        # The second table is that of files; its filter leaves what has the words.
        rows = "[...document.querySelectorAll('form')[1].nextElementSibling.querySelectorAll('tbody tr')]"
        self.assertEqual(seen.ask(rows + ".length"), len(self.json["files"]))
        seen.ask("document.querySelectorAll('.filters input')[1].focus()")
        seen.type("/ETC/hosts")
        self.assertEqual(seen.ask(rows + ".filter(one => one.checkVisibility()).length"),
                         sum("/etc/hosts" in row["path"] for row in self.json["files"]))
        self.assertIn("<script>alert(1)", seen.ask("document.body.textContent"), "a name is text")
        self.assertEqual(seen.ask("document.querySelectorAll('script').length"), 1)
        self.assertEqual([url for url in seen.seen if not url.startswith("file://" + self.page)], [])
        self.assertEqual(seen.faults, [])
        self.assertGreater(len(base64.b64decode(seen.picture())), 20_000)


if __name__ == "__main__":
    unittest.main()
