"""All checks of the house, in TAP: run.py TOP BUILD."""
import os
import sys

import arrows
import child_symbols
import one_definition
import probe_tables
import sizes
import words


def main(top, build):
    bad = 0
    archive = os.path.join(build, "libroom_child.a")
    for name, module, arguments in [("arrows", arrows, [top]), ("sizes", sizes, [top]), ("words", words, [top]),
                                    ("probe_tables", probe_tables, [top]), ("one_definition", one_definition, [top]),
                                    ("child_symbols", child_symbols, [archive])]:
        for title, complaints in [(f"{name} refuses bad samples", module.self_test()),
                                  (name, module.check(*arguments))]:
            for complaint in complaints:
                print(f"# {complaint}")
            print(f"{'not ok' if complaints else 'ok'} - {title}{': ' + complaints[0] if complaints else ''}")
            bad += bool(complaints)
    return bad


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:3]) else 0)
