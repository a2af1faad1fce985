"""A room includes only what its arrow allows.

The arrows stand in cmake/rooms.cmake (USES) and are read by the link step and by people; this check reads them too and
compares them with every #include "room/…" below src/. The child's room may use single headers of other rooms, listed
here. Where docs/architecture.md shows the arrows ("kernel → base uapi"), the two must agree."""
import os
import re

import house

# Headers without code of their own that the child's room may include besides its USES.
SINGLE_HEADERS = {"child": {"plan/step.h", "kernel/sys.h", "spec/layers.h"},
                  "probes": {"spec/layers.h"}}

ROOM = re.compile(r"^ *immure_room\((?P<words>[^)]*)\)", re.M)
INCLUDE = re.compile(r'^\s*#\s*include\s+"(?P<room>[a-z]+)/(?P<file>[^"]+)"', re.M)
ARROW = re.compile(r"(?<![\w/.])(?P<room>[a-z]+) +→ +(?P<used>[a-z/.]+(?:,? [a-z/.]+)*)")


def rooms_of(cmake):
    """{room: set of rooms that it uses}"""
    rooms = {}
    for match in ROOM.finditer(re.sub(r"#[^\n]*", "", cmake)):
        words = match.group("words").split()
        used, taking = set(), False
        for word in words[1:]:
            if word.isupper():
                taking = word == "USES"
            elif taking:
                used.add(word)
        rooms[words[0]] = used
    return rooms


def complaints_of(rooms, name, text):
    """What the file src/<name> includes against the arrows."""
    room = name.split("/")[0]
    if room not in rooms:
        return [f"src/{name}: there is no room '{room}' in cmake/rooms.cmake"]
    complaints = []
    for match in INCLUDE.finditer(house.blank(text, strings=False)):
        other = match.group("room")
        header = f"{other}/{match.group('file')}"
        if other == room or other not in rooms or other in rooms[room] or header in SINGLE_HEADERS.get(room, ()):
            continue
        line = text.count("\n", 0, match.start("room")) + 1
        complaints.append(f"src/{name}:{line}: {room} includes {header}, but has no arrow to {other}")
    return complaints


def circles(rooms):
    """Rooms that use themselves by a way round."""
    def reach(room, seen):
        for used in rooms.get(room, ()):
            if used not in seen:
                seen.add(used)
                reach(used, seen)
        return seen
    return [f"cmake/rooms.cmake: {room} uses itself by a way round" for room in sorted(rooms) if room in reach(room, set())]


def drawn_arrows(page):
    arrows = {}
    for line in page.splitlines():
        if line.startswith("    "):
            for match in ARROW.finditer(line):
                arrows[match.group("room")] = set(re.split(r"[ ,]+", match.group("used")))
    return arrows


def disagreements(rooms, page):
    complaints = []
    for room, drawn in drawn_arrows(page).items():
        if room in rooms and "everything" not in drawn:
            drawn = {word for word in drawn if "/" not in word}
            if drawn != rooms[room]:
                complaints.append(f"docs/architecture.md: {room} → {' '.join(sorted(drawn))}, "
                                  f"but cmake/rooms.cmake says {' '.join(sorted(rooms[room]))}")
    return complaints


def check(top):
    rooms = rooms_of(house.read(top, "cmake/rooms.cmake"))
    complaints = circles(rooms)
    for name in house.tracked_files(top):
        if name.startswith("src/") and name.endswith((".h", ".cc")):
            complaints += complaints_of(rooms, name[len("src/"):], house.read(top, name))
    if os.path.exists(os.path.join(top, "docs/architecture.md")):
        complaints += disagreements(rooms, house.read(top, "docs/architecture.md"))
    return complaints


def self_test():
    rooms = rooms_of("immure_room(base)\nimmure_room(plan USES base FULL x.cc)  # immure_room(no USES plan)\n"
                     "if(FULL)\n  immure_room(child USES base)\nendif()\n")
    bad = []
    if rooms != {"base": set(), "plan": {"base"}, "child": {"base"}}:
        bad.append(f"arrows: reads the rooms as {rooms}")
    if not complaints_of(rooms, "base/a.cc", '#include "plan/plan.h"\n'):
        bad.append("arrows: allows base to include plan")
    if not complaints_of(rooms, "child/a.cc", '#include "plan/plan.h"\n'):
        bad.append("arrows: allows child to include plan/plan.h")
    if not complaints_of(rooms, "attic/a.cc", ""):
        bad.append("arrows: allows a room that is not in the list")
    good = '#include "plan/step.h"\n#include "base/x.h"\n// #include "plan/plan.h"\n#include "gen/table.inc"\n'
    if complaints_of(rooms, "child/a.cc", good):
        bad.append("arrows: refuses what is allowed")
    if not circles({"a": {"b"}, "b": {"a"}}) or circles(rooms):
        bad.append("arrows: does not see a circle")
    page = "    plan → base        child → base, plan/step.h (nothing else)\n"
    if disagreements(rooms, page) or not disagreements(rooms, page.replace("plan → base", "plan → base child")):
        bad.append("arrows: does not compare the page with the rooms")
    return bad


if __name__ == "__main__":
    house.main(check, self_test)
