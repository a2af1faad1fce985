"""Attacks that do real damage, in machines that are thrown away: what each has to come to, as TAP.

Those of FATAL end the machine where nothing holds them: each has a boot of its own for that, and has to be held, and the
machine to live on, in a boot where all are tried from the jail."""
import re

from battery import attacks_of

# Their kernels' command lines. The dollar is memmap's own.
CONSENT = "immure.expendable=to-the-end memmap=64K$0x20000000 sysctl.vm.panic_on_oom=1"

# id: what the kernel, or what came after it, says on the console.
FATAL = {
    "damage-kexec-run": "immure: another kernel runs",
    "damage-sysrq-crash": "sysrq triggered crash",
    "damage-all-memory": "panic_on_oom",
    "damage-reboot": "reboot: Restarting system",
    "damage-port-reset": "",  # the hardware says nothing
}
# What Debian's kernel has not got.
ABSENT = {
    "prove.damage": {
        "damage-uevent-helper": "this host has none",
        "damage-release-agent": "this host has none",
        "damage-release-agent-own": "this host has none",
        "damage-dirty-pipe": "this kernel is mended",
        "damage-long-options": "this kernel is mended",
    },
    # Nearly nothing works for a user without a jail: what is held is held by the kernel, and the battery says so.
    "prove.damage.user": {},
    "prove.damage.v1": {
        "damage-release-agent-own": "this kernel is mended",
    },
}
# How a battery ends that blocked nothing.
WITHOUT_VERDICT = "1"


def tap(name, lines, status):
    """Of a suite that tries them from the jail: everything is blocked but what is known to be absent."""
    out = ["# " + line for line in lines]
    attacks, _ = attacks_of(lines)
    ends = WITHOUT_VERDICT if name == "prove.damage.user" else "0"
    out.append(f"{'ok' if status == ends else 'not ok'} - it ends with {ends}: {status}")
    for one in attacks:
        verdict, why = one["verdict"], one.get("why", "")
        if name == "prove.damage.user":
            good = verdict in ("blocked", "not-applicable") or one["id"] in FATAL
        elif one["id"] in FATAL:
            good = verdict == "inconclusive" and why.startswith("its control ends the machine: ")
        elif one["id"] in ABSENT[name]:
            good = verdict == "not-applicable" and why.startswith(ABSENT[name][one["id"]])
        else:
            good = verdict == "blocked"
        out.append(f"{'ok' if good else 'not ok'} - {one['id']}: {verdict}: {one.get('by', why)}")
    wanted = 1 if name == "prove.damage.v1" else 20
    out.append(f"{'ok' if len(attacks) > wanted else 'not ok'} - they are all there: {len(attacks)}")
    return out


def end_tap(attack, results, console, ended):
    """Of the boot in which nothing holds it: the machine has to end, in the way that is the attack's."""
    began, lived = f"### begin prove.end.{attack}" in results, re.search("^### (end|done)", results, re.MULTILINE)
    good = ended and began and not lived and FATAL[attack] in console
    return [f"{'ok' if good else 'not ok'} - {attack} without a jail ends the machine"]
