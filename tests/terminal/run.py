"""All tests of this folder, told as TAP for `./dev test`; arguments are names to run instead: test_shell.Shell."""
import os
import sys
import unittest

FOLDER = os.path.dirname(os.path.abspath(__file__))


class Tap(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.number = 0

    def line(self, verdict, test, note=""):
        self.number += 1
        print(f"{verdict} {self.number} - {test.id()}{note}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.line("ok", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line("ok", test, f" # SKIP {reason}")

    def wrong(self, test, error):
        self.line("not ok", test)
        for row in self._exc_info_to_string(error, test).rstrip().split("\n"):
            print("# " + row)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.wrong(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.wrong(test, err)


def main():
    sys.path.insert(0, FOLDER)
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromNames(sys.argv[1:]) if sys.argv[1:] else loader.discover(FOLDER)
    result = Tap()
    suite.run(result)
    print(f"1..{result.number}")
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
