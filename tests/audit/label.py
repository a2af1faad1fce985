"""A profile of AppArmor that allows nothing, in the kernel's own form: no compiler of profiles is needed for it.

Source: security/apparmor/policy_unpack.c of Linux.
"""
import struct

CONTROL = "/sys/kernel/security/apparmor/"
ENFORCED, WATCHED = 0, 1
_U32, _NAME, _STRING, _STRUCT, _END = 2, 4, 5, 7, 8
_VERSION = 5


def _text(kind, text):
    raw = text.encode() + b"\0"
    return struct.pack("<BH", kind, len(raw)) + raw


def _number(value):
    return struct.pack("<BI", _U32, value)


def profile(name, mode):
    flags = _text(_NAME, "flags") + bytes([_STRUCT]) + _number(0) + _number(mode) + _number(0) + bytes([_END])
    capabilities = _number(0) * 4
    return (_text(_NAME, "version") + _number(_VERSION) + _text(_NAME, "profile") + bytes([_STRUCT]) +
            _text(_STRING, name) + flags + capabilities + bytes([_END]))


def load(name, mode):
    with open(CONTROL + ".replace", "wb", buffering=0) as file:
        file.write(profile(name, mode))


def remove(name):
    with open(CONTROL + ".remove", "wb", buffering=0) as file:
        file.write(name.encode())
