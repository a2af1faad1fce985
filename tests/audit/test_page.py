"""The page of `immure audit --html` in a real browser: what is seen, what its filters do, and that it asks for nothing."""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import browser

IMMURE = os.path.abspath(os.environ.get("IMMURE", ""))
SEEN = "[...document.querySelectorAll('.finding')].filter(one => one.checkVisibility())"


def page(home, *words):
    """Writes a page about a root with faults, this process and the host; the document of --json beside it."""
    root = os.path.join(home, "root <b>&\x1b[31m")
    os.makedirs(os.path.join(root, "usr/bin"))
    os.makedirs(os.path.join(root, "opt"))
    for number in range(6):
        path = os.path.join(root, f"opt/<script>alert({number})")
        with open(path, "w", encoding="utf-8") as file:
            file.write("x")
        os.chmod(path, 0o4777 if number == 5 else 0o4755)
    out = os.path.join(home, "page.html")
    done = subprocess.run([IMMURE, "audit", root, "--pid", str(os.getpid()), "--host", "--html", out, "--json", *words],
                          capture_output=True, text=True, check=False, timeout=120)
    if done.returncode not in (0, 1):
        raise AssertionError(done.stderr)
    return out, json.loads(done.stdout)["audits"][0]


@unittest.skipUnless(browser.program(), "needs the package chromium")
class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="immure-page-")
        cls.addClassCleanup(shutil.rmtree, cls.home, True)
        cls.path, cls.audit = page(cls.home)
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.groups = {(one["severity"], one["rule"], one["concern"]) for one in cls.audit["findings"]}

    def setUp(self):
        self.browser.call("Emulation.setScriptExecutionDisabled", value=False)
        self.browser.open(self.path)

    def shown(self):
        return self.browser.ask(SEEN + ".map(one => one.querySelector('.id').textContent + ' ' + one.dataset.severity).sort()")

    def wanted(self, take=lambda severity, rule, concern: True):
        return sorted(f"{rule} {severity}" for severity, rule, concern in self.groups if take(severity, rule, concern))

    def box(self, name, value):
        self.browser.click(f".filters input[name={name}][value={value}]")

    def test_all_is_shown_and_the_score_is_that_of_the_document(self):
        self.assertEqual(self.shown(), self.wanted())
        self.assertGreater(len(self.groups), 5)
        self.assertEqual(self.browser.ask("document.querySelector('.dial .value').textContent"),
                         str(self.audit["score"]["value"]))
        self.assertEqual(self.browser.ask("document.querySelector('.filters output').textContent"),
                         f"{len(self.groups)} of {len(self.groups)} shown")
        # The dial is drawn, and as far as the score goes.
        self.assertEqual(self.browser.ask("document.querySelector('.dial .ground').getTotalLength() > 100"), True)

    def test_boxes_filter(self):
        severities = sorted({severity for severity, _, _ in self.groups})
        self.box("severity", severities[0])
        self.assertEqual(self.shown(), self.wanted(lambda severity, *_: severity != severities[0]))
        concerns = sorted({concern for _, _, concern in self.groups})
        self.box("concern", concerns[0])
        self.assertEqual(self.shown(), self.wanted(
            lambda severity, _, concern: severity != severities[0] and concern != concerns[0]))
        self.box("severity", severities[0])
        self.assertEqual(self.shown(), self.wanted(lambda severity, _, concern: concern != concerns[0]))
        for concern in concerns[1:]:
            self.box("concern", concern)
        self.assertEqual(self.shown(), [])
        self.assertEqual(self.browser.ask("document.querySelectorAll('.group:not([hidden])').length"), 0)
        self.assertTrue(self.browser.ask("document.querySelector('.filters output').textContent").startswith("0 of "))

    def test_words_filter(self):
        rule = next(rule for _, rule, _ in self.groups if rule.startswith("host-"))
        self.browser.click(".filters input[type=search]")
        self.browser.type(rule.upper())
        self.assertIn(rule, " ".join(self.shown()))
        self.assertLess(len(self.shown()), len(self.groups))

    def test_what_is_folded_opens(self):
        folded = "document.querySelector('.finding details')"
        inside = folded + ".querySelector('table').checkVisibility()"
        self.assertFalse(self.browser.ask(inside))
        self.browser.click(".finding details summary")
        self.assertTrue(self.browser.ask(inside))

    def test_mounts_and_processes_are_trees(self):
        headings = self.browser.ask("[...document.querySelectorAll('h3')].map(one => one.textContent)")
        self.assertIn("Mounts", headings)
        self.assertIn("Processes", headings)
        self.assertTrue(self.browser.ask(
            "[...document.querySelectorAll('.tree code')].some(one => one.textContent === '/proc')"))
        self.assertTrue(self.browser.ask(
            f"[...document.querySelectorAll('.tree code')].some(one => one.textContent.startsWith('{os.getpid()} '))"))

    def test_it_asks_for_nothing_and_complains_of_nothing(self):
        self.assertEqual([one for one in self.browser.seen if not one.startswith("file://")], [])
        self.assertEqual(self.browser.faults, [])
        # Its policy holds against a script that somebody puts into it.
        self.browser.ask("""(() => { const s = document.createElement('script'); s.textContent = 'window.harm = 1';
                            document.body.append(s); })()""")
        self.assertIsNone(self.browser.ask("window.harm"))
        self.browser.ask("document.body.insertAdjacentHTML('beforeend', '<img src=http://127.0.0.1:9/x>')")
        self.browser.faults.clear()

    def test_a_jails_words_are_words(self):
        text = self.browser.ask("document.body.innerText")
        self.assertIn("<script>alert(", text)
        self.assertEqual(self.browser.ask("document.querySelectorAll('script').length"), 1)
        self.assertEqual(self.browser.ask("document.querySelectorAll('h2 b').length"), 0)

    def test_without_script_all_is_there(self):
        self.browser.call("Emulation.setScriptExecutionDisabled", value=True)
        self.browser.open(self.path)
        document = self.browser.call("DOM.getDocument")["root"]["nodeId"]

        def boxes(selector):
            nodes = self.browser.call("DOM.querySelectorAll", nodeId=document, selector=selector)["nodeIds"]
            out = 0
            for node in nodes:
                try:
                    self.browser.call("DOM.getBoxModel", nodeId=node)
                    out += 1
                except RuntimeError:
                    pass
            return out
        self.assertEqual(boxes(".finding"), len(self.groups))
        self.assertEqual(boxes(".filters"), 0)

    def test_print_opens_what_is_folded(self):
        self.browser.ask("window.dispatchEvent(new Event('beforeprint'))")
        self.assertEqual(self.browser.ask("document.querySelectorAll('details:not([open])').length"), 0)
        self.browser.ask("window.dispatchEvent(new Event('afterprint'))")
        self.assertGreater(self.browser.ask("document.querySelectorAll('details:not([open])').length"), 0)
        paper = base64.b64decode(self.browser.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)["data"])
        self.assertTrue(paper.startswith(b"%PDF"))

    def test_a_narrow_window_and_dark_colours(self):
        self.browser.call("Emulation.setDeviceMetricsOverride", width=400, height=800, deviceScaleFactor=1, mobile=False)
        self.addCleanup(self.browser.call, "Emulation.clearDeviceMetricsOverride")
        self.assertLessEqual(self.browser.ask("document.documentElement.scrollWidth"), 400)
        light = self.browser.ask("getComputedStyle(document.body).backgroundColor")
        self.browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        self.addCleanup(self.browser.call, "Emulation.setEmulatedMedia", features=[])
        self.assertNotEqual(self.browser.ask("getComputedStyle(document.body).backgroundColor"), light)


if __name__ == "__main__":
    unittest.main()
