"""A real browser without a window, driven over its debugging pipe (Chrome DevTools Protocol): no port, no driver."""
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program():
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One page. `seen` has the addresses that it asked for, `faults` what it complained of."""

    def __init__(self, width=1200, height=1600):
        self.folder = tempfile.mkdtemp(prefix="immure-browser-")
        to_browser, own_out = os.pipe()
        own_in, from_browser = os.pipe()
        words = [program(), "--headless", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run", "--disable-sync",
                 "--disable-background-networking", "--disable-component-update", f"--window-size={width},{height}",
                 "--user-data-dir=" + self.folder, "about:blank"]
        if os.geteuid() == 0:
            words.insert(1, "--no-sandbox")

        def numbers():  # the browser reads 3 and writes 4
            a, b = os.dup(to_browser), os.dup(from_browser)
            a, b = os.dup2(a, 30), os.dup2(b, 31)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(words, preexec_fn=numbers, close_fds=False, start_new_session=True,  # pylint: disable=subprocess-popen-preexec-fn
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.out, self.into, self.rest, self.number = own_in, own_out, b"", 0
        self.session, self.seen, self.faults, self.events = None, [], [], []
        target = next(one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for part in ("Page", "Runtime", "Network", "Log"):
            self.call(part + ".enable")

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (OSError, RuntimeError, TimeoutError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            self.process.wait()
        os.close(self.out)
        os.close(self.into)
        shutil.rmtree(self.folder, True)

    def message(self, deadline):
        while b"\0" not in self.rest:
            if not select.select([self.out], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser says nothing")
            more = os.read(self.out, 1 << 20)
            if not more:
                raise RuntimeError("the browser has ended")
            self.rest += more
        one, self.rest = self.rest.split(b"\0", 1)
        said = json.loads(one)
        method, about = said.get("method"), said.get("params", {})
        if method == "Network.requestWillBeSent":
            self.seen.append(about["request"]["url"])
        if method in ("Log.entryAdded", "Runtime.exceptionThrown"):
            self.faults.append(about)
        if method:
            self.events.append(method)
        return said

    def call(self, method, **parameters):
        self.number += 1
        said = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            said["sessionId"] = self.session
        os.write(self.into, json.dumps(said).encode() + b"\0")
        deadline = time.monotonic() + 60
        while True:
            answer = self.message(deadline)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, path):
        self.events.clear()
        self.call("Page.navigate", url="file://" + path)
        deadline = time.monotonic() + 60
        while "Page.loadEventFired" not in self.events:
            self.message(deadline)

    def ask(self, expression):
        """The value of an expression of the page's language."""
        said = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in said:
            raise RuntimeError(said["exceptionDetails"]["text"])
        return said["result"].get("value")

    def click(self, selector):
        """With the mouse, in the middle of what is there."""
        spot = self.ask(f"""(() => {{ const one = document.querySelector({json.dumps(selector)});
            one.scrollIntoView({{block: 'center'}}); const r = one.getBoundingClientRect();
            return {{x: r.x + r.width / 2, y: r.y + r.height / 2}} }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **spot)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def picture(self):
        return self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
