"""Archives and images that are made to do harm, or are damaged; and what they are unpacked with."""
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import unittest

IMMURE = os.environ.get("IMMURE", "immure")
BUSYBOX = "/bin/busybox"
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def entry(name, kind=tarfile.REGTYPE, content=b"", mode=0o644, link="", **more):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = mode
    info.linkname = link
    info.size = len(content)
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


def folder(name, mode=0o755):
    return entry(name, tarfile.DIRTYPE, mode=mode)


def symlink(name, target):
    return entry(name, tarfile.SYMTYPE, link=target)


def hardlink(name, target):
    return entry(name, tarfile.LNKTYPE, link=target)


def tar_bytes(entries, how="", form=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:" + how, format=form) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def busybox():
    with open(BUSYBOX, "rb") as file:
        return [folder("bin"), entry("bin/busybox", content=file.read(), mode=0o755), symlink("bin/sh", "busybox")]


class Layout:
    """An OCI image layout in a folder."""

    def __init__(self, path):
        self.path = path
        os.makedirs(path + "/blobs/sha256")
        self.write("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')

    def write(self, name, content):
        with open(os.path.join(self.path, name), "wb") as file:
            file.write(content)

    def blob(self, media_type, content, **more):
        digest = hashlib.sha256(content).hexdigest()
        self.write("blobs/sha256/" + digest, content)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(content), **more}

    def image(self, layers, media_type=LAYER, **more):
        config = self.blob(CONFIG, json.dumps({
            "os": "linux", "architecture": "amd64", "config": {"Cmd": ["/bin/sh"], "User": "www"},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64] * len(layers)}}).encode())
        blobs = [self.blob(media_type, layer) for layer in layers]
        manifest = {"schemaVersion": 2, "config": config, "layers": blobs}
        self.layers = blobs
        return self.blob(MANIFEST, json.dumps(manifest).encode(), **more)

    def index(self, *images):
        self.write("index.json", json.dumps({"schemaVersion": 2, "manifests": list(images)}).encode())
        return self


class ArchiveTest(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="immure-archives-")
        os.chmod(self.top, 0o755)
        self.addCleanup(shutil.rmtree, self.top, True)
        self.work = os.path.join(self.top, "work")
        os.mkdir(self.work)
        self.target = os.path.join(self.work, "root")
        self.outside = os.path.join(self.top, "outside")
        os.mkdir(self.outside)
        with open(self.outside + "/victim", "w", encoding="ascii") as file:
            file.write("untouched")

    def tearDown(self):
        self.assertEqual(os.listdir(self.outside), ["victim"])
        with open(self.outside + "/victim", encoding="ascii") as file:
            self.assertEqual(file.read(), "untouched")

    def file(self, name, content):
        path = os.path.join(self.top, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def tar(self, entries, how="", form=tarfile.PAX_FORMAT):
        return self.file("archive.tar", tar_bytes(entries, how, form))

    def layout(self, *layers, **more):
        layout = Layout(tempfile.mkdtemp(dir=self.top) + "/layout")
        return layout.index(layout.image(list(layers), **more))

    def immure(self, *words, seconds=120):
        return subprocess.run([IMMURE, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=seconds, check=False)

    def build(self, source, *words):
        return self.immure("build", self.target, "--from", source, "--no-smoke", *words)

    def make(self, source, *words):
        done = self.build(source, *words)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return done

    def refuse(self, source, word, *words):
        """It is refused, says why in plain letters, and leaves nothing behind."""
        done = self.build(source, *words)
        said = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, 125, said)
        self.assertIn(word, said)
        self.assertEqual(os.listdir(self.work), [], said)
        self.assertNotIn("\x1b", said)
        return said

    def tree(self):
        """{path: type and mode} of all that was made."""
        found = {}
        for where, folders, files in os.walk(self.target):
            for name in folders + files:
                path = os.path.join(where, name)
                found[os.path.relpath(path, self.target)] = os.lstat(path)
        return found

    def text(self, name):
        with open(os.path.join(self.target, name), "rb") as file:
            return file.read()
