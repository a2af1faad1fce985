"""What the checks of the house share: the files, a C++ text without comments, results in TAP.

A check is a module with check(top) -> list of complaints ("file:line: what"), and self_test() -> list of complaints
about the check itself: each one is shown a bad sample that it must refuse and a good one that it must not."""
import os
import re
import subprocess
import sys


def tracked_files(top):
    """The project's files, relative to top: what git tracks and what it would; all of them where there is no git."""
    result = subprocess.run(["git", "-C", top, "ls-files", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True)
    if result.returncode == 0 and result.stdout:
        names = result.stdout.splitlines()
    else:
        names = [os.path.relpath(os.path.join(folder, name), top)
                 for folder, _, files in os.walk(top) for name in files]
        names = [name for name in names if not name.startswith(("build/", ".git/"))]
    return sorted(name for name in names if os.path.isfile(os.path.join(top, name)))


def read(top, name):
    with open(os.path.join(top, name), encoding="utf-8", errors="replace") as file:
        return file.read()


TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)


def blank(text, strings=True):
    """The text with comments (and strings) replaced by spaces: same length, same lines."""
    def cover(match):
        token = match.group(0)
        if token.startswith("'") and re.match(r"[0-9a-fA-F]$", text[match.start() - 1:match.start()] or " "):
            return token  # a digit separator, 1'000
        if not strings and not token.startswith("/"):
            return token
        return re.sub(r"[^\n]", " ", token)
    return TOKEN.sub(cover, text)


def string_literals(text):
    """(line, contents) of every string literal."""
    for match in TOKEN.finditer(text):
        token = match.group(0)
        if token.startswith(("\"", "R\"")):
            yield text.count("\n", 0, match.start()) + 1, token


def main(check, self_test):
    """`check.py TOP` ends with 1 and the complaints when there are any; `check.py --self-test` tests the check."""
    complaints = self_test() if sys.argv[1:2] == ["--self-test"] else check(*sys.argv[1:])
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)
