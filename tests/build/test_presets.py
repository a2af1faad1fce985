"""Each preset whose packages are installed: is made, and its smoke command works in a jail and in a plain chroot."""
import glob
import os

import roots


def smoke_of(name):
    """The first word may be a pattern, for what has its version in its name."""
    words = list(roots.preset(name)["smoke"])
    if "*" in words[0]:
        words[0] = sorted(glob.glob(words[0]))[-1]
    return words


class Presets(roots.Case):
    def one(self, name):
        roots.need_preset(name)
        preset, smoke = roots.preset(name), smoke_of(name)
        root = self.root("--preset", name)
        self.works(root.jail(*smoke, words=preset.get("run", [])), preset.get("expect", ""))
        if roots.ROOT:
            # As the user of the service: nothing of it needs root.
            self.works(root.chroot(*smoke, user=(preset.get("users") or [None])[0]), preset.get("expect", ""))

    def test_none_needs_a_set_id_program(self):
        roots.need_preset("shell")
        root = self.root("--preset", "shell")
        for top, folders, files in os.walk(root.path):
            for name in folders + files:
                mode = os.lstat(os.path.join(top, name)).st_mode
                self.assertEqual(mode & 0o6000, 0, os.path.join(top, name))


for each in roots.preset_names():
    setattr(Presets, "test_" + each.replace("-", "_"), lambda self, name=each: self.one(name))
