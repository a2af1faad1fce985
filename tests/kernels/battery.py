"""What a battery in the test machine told (`immure prove --jsonl`), as TAP."""
import json

LEAST_BLOCKED = {"prove.root": 500, "prove.user": 350, "prove.delegated": 25}
# Controls that fail, too: none is known, but an emulated machine is slow, and a few may hang.
MOST_UNSURE = 4



def attacks_of(lines):
    """(the attacks, the summary) of a report; what is neither came from somebody else."""
    documents = []
    for line in lines:
        try:
            documents.append(json.loads(line))
        except ValueError:
            continue
    documents = [one for one in documents if isinstance(one, dict)]
    return [one for one in documents if "verdict" in one], [one for one in documents if "counts" in one]


def tap(name, lines, status):
    """The report's lines stay, as remarks."""
    out = ["# " + line for line in lines]
    attacks, summaries = attacks_of(lines)

    def test(what, found):
        out.append(f"{'not ok' if found else 'ok'} - {what}{': ' + '; '.join(found) if found else ''}")

    def those(verdict):
        return [f"{one['id']}: {one.get('why', '')}" for one in attacks if one["verdict"] == verdict]

    test("it ends with 0", [] if status == "0" else [status])
    test("it is all there", [] if len(summaries) == 1 and sum(summaries[0]["counts"].values()) == len(attacks) else
         [f"{len(attacks)} attacks, {len(summaries)} summaries"])
    for verdict in ("escaped", "exposed"):
        test(f"nothing is {verdict}", those(verdict))
    unsure = those("inconclusive")
    test("controls work", unsure if len(unsure) > MOST_UNSURE else [])
    test("something is blocked", [] if len(those("blocked")) > LEAST_BLOCKED[name] else [f"{len(those('blocked'))} attacks"])
    return out
