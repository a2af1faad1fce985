"""The servers of the presets, asked by a client: in one jail with them, over its loopback.

The client is Python of the host's, shown in the jail for the test alone; the server runs on what its root holds."""
import os
import subprocess
import tempfile

import roots

WAIT = """
import socket, subprocess, sys, time
def start(*words):
    return subprocess.Popen(words, stdin=subprocess.DEVNULL)
def connect(server, port, seconds=15):
    end = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError:
            if server.poll() is not None or time.monotonic() > end:
                sys.exit("the server cannot be reached, its status: %s" % server.poll())
            time.sleep(0.05)
def stop(server):
    server.terminate()
    server.wait(20)
"""


class Services(roots.Case):
    def asked(self, name, script, expected, more=()):
        roots.need_preset(name)
        root = self.root("--preset", name, "--no-smoke")
        said = root.beside(WAIT + script, words=[*roots.preset(name).get("run", []), *more])
        self.works(said, expected)
        return said

    def test_nginx_serves_a_page(self):
        self.asked("nginx", """
server = start("nginx")
connect(server, 8080).close()
import urllib.request, urllib.error
answer = urllib.request.urlopen("http://127.0.0.1:8080/")
print(answer.status, answer.headers["Content-Type"], answer.read())
try:
    urllib.request.urlopen("http://127.0.0.1:8080/../etc/passwd")
except urllib.error.HTTPError as error:
    print("refused", error.code)
stop(server)
""", "200 text/html b'<!doctype html><title>nginx</title><p>It works.\\n'")

    def test_bind9_answers(self):
        self.asked("bind9", """
import struct
server = start("named", "-f", "-g", "-c", "/etc/bind/named.conf")
connect(server, 53).close()
def ask(name, kind):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(20)
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    sock.sendto(struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\\0" + struct.pack(">HH", kind, 1),
                ("127.0.0.1", 53))
    return sock.recv(4096)
for attempt in range(100):  # it listens before its zones are read
    answer = ask("localhost", 1)
    if answer[3] & 15 == 0:
        break
    time.sleep(0.1)
print("code", answer[3] & 15, "answers", struct.unpack(">H", answer[6:8])[0], "address", list(answer[-4:]),
      flush=True)
stop(server)
""", "code 0 answers 1 address [127, 0, 0, 1]")

    def test_redis_stores_and_keeps(self):
        self.asked("redis", """
def run():
    server = start("redis-server", "/etc/redis/redis.conf")
    connect(server, 6379).close()
    return server
def cli(*words):
    return subprocess.run(["redis-cli", *words], capture_output=True, text=True).stdout.strip()
server = run()
print(cli("set", "name", "value"), cli("eval", "return redis.call('incrby', 'n', 41)", "0"))
stop(server)
server = run()
print("after a restart:", cli("get", "name"), cli("incr", "n"), flush=True)
stop(server)
""", "after a restart: value 42")

    def test_vsftpd_gives_files_away_and_takes_none(self):
        roots.need_preset("vsftpd")
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            with open(os.path.join(folder, "file"), "w", encoding="ascii") as file:
                file.write("for everybody")
            os.chmod(os.path.join(folder, "file"), 0o644)
            self.asked("vsftpd", """
import ftplib, io
server = start("vsftpd", "-olisten=YES", "-obackground=NO", "-olisten_port=2121", "-orun_as_launching_user=YES",
               "-oanonymous_enable=YES", "-oanon_root=/srv/ftp", "-osecure_chroot_dir=/run/empty")
connect(server, 2121).close()
ftp = ftplib.FTP()
ftp.connect("127.0.0.1", 2121)
ftp.login()
lines = []
ftp.retrlines("RETR file", lines.append)
try:
    ftp.storbinary("STOR other", io.BytesIO(b"x"))
except ftplib.error_perm as error:
    lines.append(str(error))
print(ftp.nlst(), lines, flush=True)
stop(server)
""", "['file'] ['for everybody', '550 Permission denied.']", [f"--ro-bind={folder}:/srv/ftp"])

    def test_php_fpm_runs_a_script(self):
        self.asked("php-fpm", """
import glob, struct
open("/srv/www/x.php", "w").write("<?php header('X-A: b'); echo 'sum ', array_sum(range(1, 10)), getenv('SECRET');")
server = start(sorted(glob.glob("/usr/sbin/php-fpm*"))[-1], "-y", "/etc/php-fpm.conf")
sock = connect(server, 9000)
def record(kind, content):
    return struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content
def pair(name, value):
    return bytes([len(name), len(value)]) + name.encode() + value.encode()
names = {"SCRIPT_FILENAME": "/srv/www/x.php", "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/x.php"}
sock.sendall(record(1, struct.pack(">HB5x", 1, 0)) + record(4, b"".join(pair(*each) for each in names.items())) +
             record(4, b"") + record(5, b""))
answer = b""
while piece := sock.recv(4096):
    answer += piece
print(answer[8:].split(b"\\0")[0].decode(), flush=True)
stop(server)
""", "sum 55\x01", ["--tmpfs=/srv/www", "--env=SECRET=told"])

    def test_sftp_takes_and_gives_files(self):
        roots.need_preset("sftp")
        roots.need("sftp", "ssh-keygen", package="openssh-client")
        root = self.root("--preset", "sftp", "--no-smoke")
        folder = os.path.join(root.home, "service")
        for name in ("keys", "files"):
            os.makedirs(os.path.join(folder, name))
        for name in ("keys/host_ed25519", "mine"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(folder, name)], check=True)
        os.rename(os.path.join(folder, "mine.pub"), os.path.join(folder, "keys/authorized_keys"))
        server = [roots.IMMURE, "run", "--quiet", "--root", root.path, "--tmpfs=/run",
                  f"--bind={folder}/keys:/etc/ssh/keys", f"--bind={folder}/files:/srv/sftp", "--", "/usr/sbin/sshd",
                  "-i", "-f", "/etc/ssh/sshd_config"]
        said = roots.run(["sftp", "-F", "/dev/null", "-i", os.path.join(folder, "mine"), "-b", "-",
                          "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                          "-o", "ProxyCommand=" + " ".join(server), "jail@jail"],
                         text=f"put {folder}/keys/authorized_keys there\nls -l\nget there {folder}/back\n")
        self.works(said, "there")
        with open(os.path.join(folder, "back"), encoding="ascii") as back:
            self.assertIn("ssh-ed25519", back.read())
        self.assertEqual(os.listdir(os.path.join(folder, "files")), ["there"])

    def test_postgres_is_asked_over_the_network(self):
        self.asked("postgres", """
import glob, os
tools = glob.glob("/usr/lib/postgresql/*/bin")[-1] + "/"
data = "/var/lib/postgresql/data"
subprocess.run([tools + "initdb", "-A", "trust", "-U", "postgres", "--no-sync", "-D", data], check=True,
               stdout=subprocess.DEVNULL)
server = start(tools + "postgres", "-D", data, "-k", "/tmp")
connect(server, 5432).close()
for text in ("create extension pgcrypto", "select 'zone ' || ('2026-07-01 12:00 UTC'::timestamptz at time zone 'Europe/Berlin')"):
    print(subprocess.run([tools + "psql", "-h", "127.0.0.1", "-U", "postgres", "-Atc", text], capture_output=True,
                         text=True).stdout, flush=True)
stop(server)
""", "zone 2026-07-01 14:00:00")
