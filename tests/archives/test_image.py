"""`immure build --from` an image: layers over one another, and what is not believed."""
import gzip
import io
import json
import os
import tarfile

from hostile import LAYER, ArchiveTest, Layout, busybox, entry, folder, symlink, tar_bytes


class Images(ArchiveTest):
    def names(self):
        return sorted(self.tree())

    def test_layers_and_whiteouts(self):
        layout = self.layout(
            tar_bytes(busybox() + [entry("etc/old", content=b"1"), entry("etc/both", content=b"1"),
                                   entry("opaque/a", content=b"1"), entry("gone/x/y", content=b"1")]),
            gzip.compress(tar_bytes([entry("etc/.wh.old"), entry("etc/both", content=b"2"),
                                     entry("opaque/new", content=b"2"), entry("opaque/.wh..wh..opq"),
                                     entry(".wh.gone"), entry("etc/.wh.never")])))
        done = self.make(layout.path)
        self.assertEqual(self.names(), ["bin", "bin/busybox", "bin/sh", "etc", "etc/both", "opaque", "opaque/new"])
        self.assertEqual(self.text("etc/both"), b"2")
        self.assertIn(b"/bin/sh", done.stdout + done.stderr)
        ran = self.immure("run", "--root", self.target, "--", "/bin/sh", "-c", "echo ok")
        self.assertEqual(ran.stdout, b"ok\n", ran.stderr)

    def test_the_archive_of_a_layout(self):
        layout = self.layout(tar_bytes(busybox()))
        path = os.path.join(self.top, "image.tar")
        with tarfile.open(path, "w") as archive:
            for name in os.listdir(layout.path):
                archive.add(os.path.join(layout.path, name), name)
        self.make(path)
        self.assertEqual(self.names(), ["bin", "bin/busybox", "bin/sh"])
        self.assertEqual(sorted(os.listdir(self.work)), ["root", "root.immure.json"])
        self.make("tar:" + path, "--replace")
        self.assertIn("oci-layout", self.names())

    def test_an_image_by_name(self):
        def note(name):
            return {"annotations": {"org.opencontainers.image.ref.name": name}}
        layout = Layout(self.top + "/layout")
        one = layout.image([tar_bytes([entry("one", content=b"1")])], **note("example/app:1.0"))
        two = layout.image([tar_bytes([entry("two", content=b"2")])], **note("example/app:2.0"))
        layout.index(one, two)
        self.refuse(layout.path, "example/app:2.0")
        self.refuse("oci:" + layout.path + ":example/app:3.0", "no image")
        self.make("oci:" + layout.path + ":example/app:2.0")
        self.assertEqual(self.names(), ["two"])

    def test_a_wrong_digest(self):
        good = tar_bytes(busybox())
        for damaged in (good[:-1] + b"\x01", good + bytes(512), good[:-512]):
            layout = self.layout(tar_bytes([entry("lower", content=b"1")]), good)
            layout.write("blobs/" + layout.layers[1]["digest"].replace(":", "/"), damaged)
            self.refuse(layout.path, "damaged")
        layout = self.layout(good)
        os.unlink(layout.path + "/blobs/" + layout.layers[0]["digest"].replace(":", "/"))
        self.refuse(layout.path, "does not hold it")

    def test_a_wrong_digest_of_the_same_size(self):
        good = tar_bytes([entry("a", content=b"good")])
        layout = self.layout(good)
        layout.write("blobs/" + layout.layers[0]["digest"].replace(":", "/"), good.replace(b"good", b"evil"))
        self.refuse(layout.path, "another digest")

    def test_blobs_that_are_links(self):
        layout = self.layout(tar_bytes(busybox()))
        blob = layout.path + "/blobs/" + layout.layers[0]["digest"].replace(":", "/")
        os.unlink(blob)
        os.symlink(self.outside + "/victim", blob)
        self.refuse(layout.path, "does not hold it")

    def test_layers_do_not_reach_out(self):
        below = tar_bytes([symlink("out", self.outside), folder("d")])
        for entries in ([entry("out/planted", content=b"1")], [entry("../planted", content=b"1")],
                        [entry(".wh..")], [entry(".wh...")], [entry("d/.wh.")],
                        [entry("../outside/.wh.victim")]):
            with self.subTest(entries[0][0].name):
                self.refuse(self.layout(below, tar_bytes(entries)).path, "")
        for entries in ([entry("out/.wh.victim")], [entry("out/.wh..wh..opq")]):
            self.make(self.layout(below, tar_bytes(entries)).path, "--replace")

    def test_limits_hold_over_all_layers(self):
        layers = [tar_bytes([entry(f"f{i}", content=bytes(600_000))]) for i in range(3)]
        self.refuse(self.layout(*layers).path, "more than", "--max-size", "1M")
        layers = [tar_bytes([entry(f"f{i}-{n}") for n in range(40)]) for i in range(3)]
        self.refuse(self.layout(*layers).path, "entries", "--max-files", "100")

    def test_what_cannot_be_read(self):
        self.refuse(self.layout(tar_bytes(busybox()), media_type=LAYER + "+encrypted").path, "no layer")
        layout = self.layout(tar_bytes(busybox()))
        layout.write("index.json", b"{")
        self.refuse(layout.path, "index.json")
        layout = Layout(self.top + "/other")
        layout.index(layout.image([tar_bytes(busybox())], platform={"os": "linux", "architecture": "arm64"}))
        self.refuse(layout.path, "arm64")
        old = self.tar([entry("manifest.json", content=b"[]"), entry("0.json", content=b"{}"),
                        entry("layer.tar", content=b"")])
        self.refuse(old, "skopeo")

    def test_an_image_for_several_machines(self):
        layout = Layout(self.top + "/layout")
        arm = layout.image([tar_bytes([entry("arm", content=b"1")])], platform={"os": "linux", "architecture": "arm64"})
        amd = layout.image([tar_bytes([entry("amd", content=b"1")])], platform={"os": "linux", "architecture": "amd64"})
        index = layout.blob("application/vnd.oci.image.index.v1+json",
                            json.dumps({"schemaVersion": 2, "manifests": [arm, amd]}).encode())
        layout.index(index)
        self.make(layout.path)
        self.assertEqual(self.names(), ["amd"])


class Folders(ArchiveTest):
    def test_a_folder_is_copied_by_reading(self):
        source = self.top + "/source"
        os.makedirs(source + "/bin")
        with open(source + "/bin/f", "w", encoding="ascii") as file:
            file.write("1")
        os.chmod(source + "/bin/f", 0o4755)
        os.link(source + "/bin/f", source + "/bin/g")
        os.symlink(self.outside, source + "/out")
        os.mkfifo(source + "/fifo")
        self.make(source)
        tree = self.tree()
        self.assertEqual(sorted(tree), ["bin", "bin/f", "bin/g", "out"])
        self.assertEqual(tree["bin/f"].st_mode & 0o7777, 0o755)
        self.assertEqual(tree["bin/f"].st_nlink, 1)
        self.assertEqual(os.readlink(self.target + "/out"), self.outside)
        self.refuse_size(source)

    def refuse_size(self, source):
        done = self.immure("build", self.work + "/other", "--from", source, "--no-smoke", "--max-files", "2")
        self.assertEqual(done.returncode, 125)
        self.assertNotIn("other", os.listdir(self.work))
