"""What is asked for is tried, and told in the form that was asked for."""
import json

from prove import ProveTest, prove, report, verdicts_of


def listed(*words):
    status, text, errors = prove("--list", "--json", *words)
    assert status == 0, errors
    return [one["id"] for one in json.loads(text)["attacks"]]


class Words(ProveTest):
    def test_only_and_skip_choose(self):
        self.assertEqual(list(verdicts_of(report("--only", "chroot-walk,chroot-fchdir"))),
                         ["chroot-walk", "chroot-fchdir"])
        self.assertEqual(set(verdicts_of(report("--only", "descriptors"))), set(listed("--only", "descriptors")))
        self.assertEqual(set(listed()) - set(listed("--skip", "root")), set(listed("--only", "root")))
        self.assertEqual(list(verdicts_of(report("--only", "chroot-walk", "--only", "root", "--skip", ",".join(
            listed("--only", "root")[2:])))), listed("--only", "root")[:2])

    def test_what_is_not_there_is_an_error(self):
        for words in (("--only", "chroot-wlk"), ("--skip", "nothing"), ("--explain", "chroot-wlk"),
                      ("--only", "root", "--skip", "root")):
            status, text, errors = prove(*words)
            self.assertEqual((status, text), (125, ""), words)
            self.assertIn("immure: ", errors)

    def test_explain_tells_what_the_list_knows(self):
        status, text, _ = prove("--explain", "chroot-walk")
        self.assertEqual(status, 0)
        _, document, _ = prove("--list", "--json")
        known = next(one for one in json.loads(document)["attacks"] if one["id"] == "chroot-walk")
        self.assertIn(known["technique"], text)
        self.assertIn(known["source"], text)

    def test_every_attack_can_be_listed_by_a_person(self):
        _, text, _ = prove("--list")
        missing = [name for name in listed() if name not in text]
        self.assertEqual(missing, [])

    def test_counts_are_those_of_the_attacks(self):
        document = report("--only", "links")
        verdicts = list(verdicts_of(document).values())
        self.assertEqual({key: verdicts.count(key) for key in document["counts"]}, document["counts"])
        status, lines, _ = prove("--jsonl", "--only", "links")
        documents = [json.loads(line) for line in lines.splitlines()]
        self.assertEqual(status, 0)
        self.assertEqual([one["id"] for one in documents[:-1]], [one["id"] for one in document["attacks"]])
        self.assertEqual(documents[-1]["counts"], document["counts"])

    def test_nothing_shown_is_no_success(self):
        # Of the one that is not there, and of those that get through: what holds was not seen.
        absent = next(name for name, verdict in verdicts_of(report("--only", "network")).items()
                      if verdict == "not-applicable")
        for words in (("--only", absent), ("--only", "exec-tmp", "--profile", "build")):
            with self.subTest(words=words):
                status, text, errors = prove("--json", *words)
                self.assertEqual(status, 1, text)
                self.assertIn("not one attack was blocked", errors)
                self.assertEqual(prove(*words)[0], 1)
        self.assertEqual(prove("--only", "chroot-walk")[0], 0)
