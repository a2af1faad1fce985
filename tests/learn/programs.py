"""Programs that are learned: what each does in its smoke test, and how many calls a careful list by hand needs.

A smoke test is a script for /bin/sh. It runs in a folder with the files of its row, may write below /tmp, and is right
when it ends with 0. `broad` is what the number by hand was taken from: the smoke test and more of what the program can do,
seen by strace(1) in the default jail, with the calls that `immure learn` adds to every list because the C library makes
them when something fails. `python3 programs.py` measures the numbers anew."""
import os
import re
import subprocess
import sys
import tempfile

WAIT = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do %s >/dev/null 2>&1 && break; sleep 0.1; done; "


class Program:
    def __init__(self, name, hand, needs, smoke, more="", files=None, options=()):
        self.name, self.hand, self.needs, self.smoke, self.files = name, hand, needs, "set -e; " + smoke, files or {}
        self.options = list(options)
        self.broad = self.smoke + "; " + more if more else self.smoke


NGINX = """daemon off; pid /tmp/nginx.pid; error_log /tmp/error.log;
events { worker_connections 64; }
http { access_log /tmp/access.log; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f;
  uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
  server { listen 127.0.0.1:8080; root HERE; location /up { proxy_pass http://127.0.0.1:8080/; } } }
"""
SSHD = """Port 2222
ListenAddress 127.0.0.1
HostKey /tmp/host
AuthorizedKeysFile /tmp/user.pub
StrictModes no
UsePAM no
PidFile /tmp/sshd.pid
"""
VSFTPD = """listen=YES
listen_port=2121
run_as_launching_user=YES
anonymous_enable=YES
no_anon_password=YES
anon_root=HERE
ftp_username=jail
background=NO
seccomp_sandbox=NO
"""
NAMED = """options { directory "/tmp"; pid-file "/tmp/named.pid"; listen-on port 5353 { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; session-keyfile "/tmp/session.key"; };
controls { };
zone "example.test" { type master; file "HERE/zone"; };
"""
ZONE = """$TTL 60
@ IN SOA ns.example.test. root.example.test. 1 60 60 60 60
@ IN NS ns
ns IN A 127.0.0.1
www IN A 192.0.2.7
"""

PROGRAMS = [
    Program("nginx", 82, ["nginx", "curl"],
            "nginx -c $PWD/nginx.conf & " + WAIT % "curl -sf http://127.0.0.1:8080/hello.txt" +
            "curl -sf http://127.0.0.1:8080/hello.txt | grep -q hello; kill $!; wait",
            "nginx -c $PWD/nginx.conf & " + WAIT % "curl -sf http://127.0.0.1:8080/hello.txt" +
            "curl -s http://127.0.0.1:8080/up/hello.txt; curl -s http://127.0.0.1:8080/none; "
            "curl -s -r 1-2 http://127.0.0.1:8080/hello.txt; kill -HUP $!; sleep 0.3; kill -QUIT $!; wait",
            {"nginx.conf": NGINX, "hello.txt": "hello\n"}),
    Program("redis", 83, ["redis-server"],
            "redis-server --port 0 --unixsocket /tmp/r.sock --dir /tmp --save '' >/dev/null & " +
            WAIT % "redis-cli -s /tmp/r.sock ping" +
            "redis-cli -s /tmp/r.sock set a b; test $(redis-cli -s /tmp/r.sock get a) = b; "
            "redis-cli -s /tmp/r.sock save; redis-cli -s /tmp/r.sock shutdown nosave; wait",
            "redis-server --port 6399 --dir /tmp --appendonly yes >/dev/null & " + WAIT % "redis-cli -p 6399 ping" +
            "redis-cli -p 6399 set a b; redis-cli -p 6399 bgsave; redis-cli -p 6399 bgrewriteaof; sleep 0.5; "
            "redis-cli -p 6399 info >/dev/null; redis-cli -p 6399 flushall async; redis-cli -p 6399 shutdown; wait"),
    Program("postgres", 99, ["postgres"],
            "B=$(dirname $(readlink -f $(which postgres || ls /usr/lib/postgresql/*/bin/postgres))); "
            "$B/initdb -D /tmp/pg -U jail >/dev/null; $B/postgres -D /tmp/pg -k /tmp -h '' >/tmp/log 2>&1 & " +
            WAIT.replace("20; do", "20 21 22 23 24 25 26 27 28 29 30; do") % "psql -h /tmp -U jail -d postgres -c 'select 1'" +
            "test $(psql -h /tmp -U jail -d postgres -Atc 'select 20+22') = 42; kill -INT $!; wait",
            "$B/postgres -D /tmp/pg -k /tmp -h 127.0.0.1 -p 5499 >/tmp/log 2>&1 & sleep 1.5; psql -h 127.0.0.1 -p 5499 -U jail "
            "-d postgres -c 'create table t(a int); insert into t select generate_series(1,20000); vacuum t; checkpoint; "
            "select count(*) from t'; kill -INT $!; wait"),
    Program("python", 71, ["python3"],
            "/usr/bin/python3 -c \"import json, sqlite3, tempfile, subprocess, threading, socket; "
            "f = tempfile.NamedTemporaryFile(dir='/tmp'); f.write(b'x'); f.flush(); "
            "t = threading.Thread(target=print); t.start(); t.join(); "
            "assert subprocess.run(['/bin/true']).returncode == 0; a, b = socket.socketpair(); a.send(b'1'); "
            "sqlite3.connect('/tmp/x.db').execute('create table t(a)'); print(json.dumps([1]))\"",
            "/usr/bin/python3 -c \"import os, asyncio, multiprocessing, shutil, glob; os.makedirs('/tmp/a/b'); "
            "shutil.rmtree('/tmp/a'); os.fork() or os._exit(0); os.wait(); asyncio.run(asyncio.sleep(0.01)); "
            "print(glob.glob('*'), os.getloadavg(), os.uname())\""),
    Program("node", 75, ["node"],
            "node -e \"const fs = require('fs'); fs.writeFileSync('/tmp/x', 'y'); "
            "if (fs.readFileSync('/tmp/x') != 'y') process.exit(1); require('http').createServer((q, s) => s.end('ok'))"
            ".listen(8080, '127.0.0.1', function () { require('http').get('http://127.0.0.1:8080/', r => { r.resume(); "
            "r.on('end', () => process.exit(0)); }); });\"",
            "node -e \"const c = require('child_process'); c.execSync('true'); require('fs').promises.readdir('.')"
            ".then(() => new (require('worker_threads').Worker)('1', { eval: true }));\""),
    Program("git", 69, ["git"],
            "cd /tmp; git init -q r; cd r; git config user.email a@b; git config user.name n; echo 1 > f; git add f; "
            "git commit -qm one; test $(git log --oneline | wc -l) = 1; git clone -q /tmp/r /tmp/c",
            "git checkout -qb x; echo 2 > f; git commit -qam two; git rebase -q master 2>/dev/null || git rebase -q main; "
            "git gc -q; git stash list; git diff HEAD^ >/dev/null; git fsck >/dev/null 2>&1; git tag t; git archive HEAD >/dev/null"),
    Program("gcc", 65, ["gcc"], "cp hello.c /tmp; cd /tmp; gcc -O2 -o hello hello.c; test -s hello",
            "gcc -c -g -o h.o hello.c; ar rc libh.a h.o; gcc -shared -fPIC -o libh.so hello.c; objdump -d h.o >/dev/null; "
            "gcc -E hello.c >/dev/null", {"hello.c": "#include <stdio.h>\nint main() { puts(\"hi\"); return 0; }\n"}),
    Program("curl", 73, ["curl"],
            "/usr/bin/python3 -m http.server --bind 127.0.0.1 8080 >/dev/null 2>&1 & " +
            WAIT % "curl -sf http://127.0.0.1:8080/hello.txt" +
            "curl -sf -o /tmp/o http://127.0.0.1:8080/hello.txt; grep -q hello /tmp/o; kill $!",
            "curl -s file:///etc/passwd >/dev/null; curl -s http://localhost:1/ || true; curl -s https://127.0.0.1:1/ || true; "
            "curl -sI http://127.0.0.1:8080/ || true", {"hello.txt": "hello\n"}),
    Program("ffmpeg", 61, ["ffmpeg"],
            "ffmpeg -loglevel error -f lavfi -i testsrc=duration=1:size=64x64:rate=5 -y /tmp/o.mkv </dev/null; test -s /tmp/o.mkv",
            "ffmpeg -loglevel error -i /tmp/o.mkv -y /tmp/o.gif </dev/null; ffprobe /tmp/o.mkv 2>/dev/null; "
            "ffmpeg -loglevel error -f lavfi -i sine=duration=1 -y /tmp/o.wav </dev/null"),
    Program("sqlite", 59, ["sqlite3"],
            "sqlite3 /tmp/db 'create table t(a); insert into t values(42);'; test $(sqlite3 /tmp/db 'select a from t') = 42",
            "sqlite3 /tmp/db 'pragma journal_mode=wal; insert into t values(1); vacuum;' '.backup /tmp/db2' '.dump' >/dev/null"),
    Program("openssh", 80, ["sshd", "ssh"],
            "ssh-keygen -q -t ed25519 -N '' -f /tmp/host; ssh-keygen -q -t ed25519 -N '' -f /tmp/user; "
            "/usr/sbin/sshd -D -e -f $PWD/sshd_config 2>/tmp/sshd.log & sleep 0.5; "
            "test \"$(ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i /tmp/user -p 2222 jail@127.0.0.1 "
            "'echo inside' 2>/dev/null)\" = inside; kill $!",
            "/usr/sbin/sshd -D -e -f $PWD/sshd_config 2>/tmp/sshd.log & sleep 0.5; echo x > /tmp/f; "
            "scp -q -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i /tmp/user -P 2222 /tmp/f "
            "jail@127.0.0.1:/tmp/g || true; kill $!", {"sshd_config": SSHD}),
    Program("vsftpd", 82, ["vsftpd", "curl"],
            "cp vsftpd.conf /tmp; /usr/sbin/vsftpd /tmp/vsftpd.conf & " + WAIT % "curl -sf ftp://127.0.0.1:2121/hello.txt" +
            "curl -sf ftp://127.0.0.1:2121/hello.txt | grep -q hello; kill $!",
            "/usr/sbin/vsftpd /tmp/vsftpd.conf & sleep 0.3; curl -s ftp://127.0.0.1:2121/ || true; "
            "curl -s -P - ftp://127.0.0.1:2121/hello.txt || true; kill $!",
            {"vsftpd.conf": VSFTPD, "hello.txt": "hello\n"}),
    Program("bind9", 85, ["named", "dig"],
            "/usr/sbin/named -g -n 1 -c $PWD/named.conf >/tmp/named.log 2>&1 & " +
            WAIT % "dig +short +time=1 +tries=1 @127.0.0.1 -p 5353 www.example.test | grep -q 192" +
            "test $(dig +short @127.0.0.1 -p 5353 www.example.test) = 192.0.2.7; kill $!; wait",
            "/usr/sbin/named -g -n 1 -c $PWD/named.conf >/tmp/named.log 2>&1 & sleep 1; dig +tcp +time=1 @127.0.0.1 -p 5353 "
            "example.test axfr; dig +time=1 +tries=1 @127.0.0.1 -p 5353 none.test; kill -HUP $!; sleep 0.3; kill $!; wait",
            {"named.conf": NAMED, "zone": ZONE},
            ["--need", "securebits=off"]),
    Program("perl", 69, ["perl"],
            "perl -e 'use Socket; use File::Temp; my $t = File::Temp->new(DIR => \"/tmp\"); print $t \"x\"; close $t; "
            "my $p = fork; exit 0 unless $p; waitpid $p, 0; socketpair(A, B, AF_UNIX, SOCK_STREAM, 0) or die; "
            "open F, \"-|\", \"echo hi\" or die; <F> =~ /hi/ or die; opendir D, \".\"; my @a = readdir D;'",
            "perl -e 'mkdir \"/tmp/d\"; rename \"/tmp/d\", \"/tmp/e\"; rmdir \"/tmp/e\"; alarm 1; select undef, undef, undef, 0.01; "
            "utime 1, 1, \"/tmp\"; symlink \"a\", \"/tmp/s\"; readlink \"/tmp/s\"; unlink \"/tmp/s\"; print getpwuid($<), times;'"),
    Program("bash", 68, ["bash"],
            "bash -c 'set -e; x=$(echo a | tr a b); test $x = b; for i in 1 2; do echo $i; done > /tmp/l; read y < /tmp/l; "
            "(exit 0) & wait; cat <<< here | grep -q here; trap \"true\" USR1; kill -USR1 $$; [ -f /tmp/l ]; cd /tmp; ls >/dev/null'",
            "bash -c 'ulimit -a >/dev/null; umask 022; echo /usr/*/env >/dev/null; cat <(echo x); time true; read -t 0.1 z || true; "
            "set -m; sleep 0.1 & fg; printf %s ${BASH_VERSION}; exec 5>/tmp/q; echo >&5'"),
]


def prepare(program, folder):
    """Puts the files of a row into a folder that every user may use."""
    os.chmod(folder, 0o777)
    for name, text in program.files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text.replace("HERE", folder))
        os.chmod(os.path.join(folder, name), 0o644)


def calls_by_hand(immure, program, constant):
    """The calls of the broad test, by strace, with the constant ones."""
    with tempfile.TemporaryDirectory(prefix="immure-learn-", dir="/tmp") as folder:
        prepare(program, folder)
        done = subprocess.run([immure, "run", "--quiet", "--no-tty", "--weaken", "ptrace", "--overlay", folder, "--cwd", folder,
                               "--tmpfs", "/run", "--wall-time", "60s", *program.options, "--", "strace", "-f", "-qq", "sh", "-c",
                               program.broad.replace("set -e; ", "", 1)],
                              check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        text = done.stderr.decode(errors="replace")
    seen = set(re.findall(r"^(?:\[pid +\d+\] )?([a-z_0-9]+)\(", text, re.M))
    seen |= set(re.findall(r"<\.\.\. ([a-z_0-9]+) resumed", text))
    return seen | constant


if __name__ == "__main__":
    own = sys.argv[1] if len(sys.argv) > 1 else "immure"
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/learn/rights_calls.cc")
    with open(source, encoding="utf-8") as file:
        table = file.read().split("kConstant[] = {")[1].split("}")[0]
    always = set(re.findall(r'"([a-z_0-9]+)"', table))
    for one in PROGRAMS:
        print(one.name, len(calls_by_hand(own, one, always)), flush=True)
