"""usage: sequences.py IMMURE TRACE ordinary|strange SEED [WORD…]: a program that works in calls of a fixed order, or of
another one, watched by ptrace with every call; what the watch says as lines of JSON."""
import os
import random
import subprocess
import sys
import time

PROGRAM = """
import os, random, sys
sys.stdin.readline()
kind, chance = sys.argv[1], random.Random(int(sys.argv[2]))
def ordinary():
    fd = os.open("/etc/hostname", os.O_RDONLY)
    os.fstat(fd)
    for _ in range(chance.randrange(1, 4)):
        os.read(fd, 10)
    os.close(fd)
    if chance.random() < 0.3:
        os.getcwd()
def strange():
    chance.choice([os.getppid, os.getuid, os.sched_yield, os.getpgrp, os.getgroups, os.sync, os.times, os.getgid,
                   lambda: os.umask(0o22), lambda: os.getpriority(0, 0), lambda: os.access("/", 4), os.pipe])()
for turn in range(2500):
    ordinary() if kind == "ordinary" or turn < 300 else strange()
"""

immure, trace, kind, seed, *words = sys.argv[1:]
child = subprocess.Popen(["/usr/bin/python3", "-c", PROGRAM, kind, seed], stdin=subprocess.PIPE, text=True)
end = time.monotonic() + 60
# The work alone is watched, not how Python begins: it waits when it reads what it was given.
while time.monotonic() < end:
    with open(f"/proc/{child.pid}/syscall", encoding="ascii") as file:
        if file.read().startswith("0 0x0 "):
            break
    time.sleep(0.02)
watch = subprocess.Popen([immure, "watch", "--pid", str(child.pid), "--source", "ptrace", "--level", "all", "--json", "--alerts",
                          "--trace", trace, *words], stdin=subprocess.DEVNULL)
while watch.poll() is None and time.monotonic() < end:
    with open(f"/proc/{child.pid}/status", encoding="utf-8") as file:
        if "TracerPid:\t0\n" not in file.read():
            break
    time.sleep(0.02)
time.sleep(0.2)
child.communicate("go\n", timeout=200)
sys.exit(watch.wait(60))
