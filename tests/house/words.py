"""Words that the project does not say.

Claims: no string of the programs and no page says that something is safe for good. A word in quotes is a mention, not a
claim ("secure" is not a promise that anybody can keep), and so is what the allow-list names with its reason.
Places: no file names a folder of one developer's machine, or how the work was organised.
Promises: nothing is left open in the code with a note to do it later."""
import re

import house

CLAIMS = re.compile(
    r"""(?<!["'“`*_\w-])(
          (?:in)?secure(?:ly|d|s)?\b(?!["'”`*_])
        | can(?:not|['’]t|\ not)\ (?:be\ )?(?:escaped?|broken|hacked|bypass\w*|break\ out)
        | im(?:possible)\ to\ (?:escape|bypass|break\ out)
        | (?:escape|bullet|hacker|tamper)[- ]?proof\b
        | (?:un(?:breakable|hackable|escapable))\b
        | (?:completely|perfectly|totally|absolutely|100\ ?%)\ (?:safe|isolated|protected)
        | never\ (?:be\ )?(?:escapes?|escaped|break\ out)
    )""", re.I | re.X)

# (file or "", regular expression over the line, why it may stand)
ALLOWED = [
    ("", r"\bnot? (?:more )?secure\b", "a denial is no claim"),
    ("", r"\binsecure\b", "says what is wrong, not what is right"),
    ("", r"https?://\S*secur", "an address"),
    ("", r"\bsecure (bits|computing)\b", "the kernel's name of a thing"),
    ("docs/rules.md", r"\bsecure\\_chroot\\_dir\b", "a setting of vsftpd"),
]

# Written so that this file does not hold what it looks for.
PLACES = re.compile(r"/wor[k]/|/far[m]/|\.\./share[d]\b|before-sto[p]|\bsub[a]gent|\bthis sessio[n]\b|\blanguage mode[l]\b"
                    r"|/tmp/brie[f]|\bissues? (?:#|show )\d", re.I)
# Rows of requirements have their place in the names of tests, not in what a user reads.
ROWS = re.compile(r"\([SU]\d+(?:, [SU]\d+)*\)")
LATER = re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K])\b")


def claims_in(name, number, line):
    found = []
    for match in CLAIMS.finditer(line):
        if not any((not where or where == name) and re.search(pattern, line, re.I) for where, pattern, _ in ALLOWED):
            found.append(f"{name}:{number}: claims '{match.group(1)}'")
    return found


def complaints_of(name, text):
    complaints = []
    if name.endswith((".cc", ".h", ".c")):
        if name.startswith("src/"):
            for number, literal in house.string_literals(text):
                complaints += claims_in(name, number, literal[1:-1])
                if match := ROWS.search(literal):
                    complaints.append(f"{name}:{number}: a message cites a row: '{match.group(0)}'")
    elif name.endswith((".md", ".scd", ".toml", ".html", ".txt", ".sh", ".json")) or name == "dev":
        for number, line in enumerate(text.splitlines(), 1):
            complaints += claims_in(name, number, line)
    for number, line in enumerate(text.splitlines(), 1):
        if match := PLACES.search(line):
            complaints.append(f"{name}:{number}: speaks of a place or of how the work was done: '{match.group(0)}'")
        if match := LATER.search(line):
            if name.startswith(("src/", "include/", "dev")):
                complaints.append(f"{name}:{number}: leaves something open: '{match.group(0)}'")
    return complaints


def check(top):
    complaints = []
    for name in house.tracked_files(top):
        if not name.startswith(("LICENSE", "fuzz/corpus/")):
            complaints += complaints_of(name, house.read(top, name))
    return complaints


def self_test():
    samples = [
        ("README.md", "immure is a secure jail.\n", True),
        ("README.md", "Nobody can't escape, and a program cannot escape.\n", True),
        ("README.md", "It is escape-proof.\n", True),
        ("README.md", 'Words like "secure" and "cannot escape" are not used.\n', False),
        ("README.md", "securebits are locked, see SECURITY.md and seccomp (secure_computing).\n", False),
        ("README.md", "A jail is not more secure than its kernel.\n", False),
        ("src/cli/run.cc", 'say("your program runs securely");\n', True),
        ("src/cli/run.cc", "// a secure default\nint securebits;\n", False),
        ("src/cli/run.cc", 'say("securebits");\n', False),
        ("src/cli/run.cc", 'say("it walks out (S3' + '5)");\n', True),
        ("src/cli/run.cc", '// why (S3' + '5)\nsay("x");\n', False),
        ("docs/x.md", "see /wor" + "k/main for it\n", True),
        ("docs/x.md", "the ../share" + "d folder\n", True),
        ("docs/x.md", "shared/mime-info and a network at work\n", False),
        ("src/a/b.cc", "// TO" + "DO: later\n", True),
        ("docs/x.md", "issue" + " #12 says\n", True),
    ]
    return [f"words: {'allows' if refused else 'refuses'} in {name}: {text.strip()}" for name, text, refused in samples
            if bool(complaints_of(name, text)) != refused]


if __name__ == "__main__":
    house.main(check, self_test)
