"""Programs that are no presets: each does work in its root that needs what it loads by name."""
import os
import subprocess

import roots


class Programs(roots.Case):
    def program(self, *words, package=""):
        roots.need(words[0], package=package)
        return self.root(*words, "--no-smoke")

    def test_ffmpeg_encodes_and_decodes(self):
        root = self.program("ffmpeg", "ffprobe", "/bin/sh")
        self.both(root, "codec_name=h264", "/bin/sh", "-c", """set -e
            ffmpeg -v error -f lavfi -i testsrc=d=1:s=64x64 -f lavfi -i sine=d=1 -c:v libx264 -c:a libmp3lame -y /tmp/a.mp4
            ffmpeg -v error -i /tmp/a.mp4 -vf scale=32:32 -y /tmp/b.webm
            ffprobe -v error -show_streams /tmp/a.mp4""")

    def test_imagemagick_draws_and_converts(self):
        roots.need("convert", "identify", package="imagemagick")
        root = self.root("/usr/bin/convert", "/usr/bin/identify", "/bin/sh", "--no-smoke")
        self.both(root, "GIF 20x10", "/bin/sh", "-c", """set -e
            convert -size 40x20 gradient:red-blue -font DejaVu-Sans -annotate +0+10 text /tmp/a.png
            convert /tmp/a.png -resize 50% -quality 80 /tmp/a.jpg
            convert /tmp/a.jpg /tmp/a.gif; identify -format '%m %wx%h' /tmp/a.gif""")

    def test_perl_has_its_modules(self):
        self.both(self.program("perl"), "ok 55 é 5", "perl", "-CS", "-Mutf8", "-MJSON::PP", "-MList::Util=sum", "-MPOSIX",
                  "-MTime::Local", "-MSocket", "-MEncode", "-MDigest::SHA=sha256_hex", "-MFile::Temp", "-MStorable=dclone",
                  "-e", "my $t = encode('UTF-16LE', 'x'); my $h = dclone({a => sum(1..10)});"
                  "print 'ok ', decode_json(encode_json($h))->{a}, ' é ', POSIX::floor(5.5), qq(\\n) if 'é' =~ /^\\p{Ll}$/")

    def test_sqlite3_asks(self):
        self.both(self.program("sqlite3"), "3|1970", "sqlite3", ":memory:",
                  "create table t(a); insert into t values (1), (2);"
                  "select sum(a), strftime('%Y', 0, 'unixepoch', 'localtime') from t;")

    def test_openssl_makes_and_checks_a_certificate(self):
        self.both(self.program("openssl", "/bin/sh"), "/tmp/c.pem: OK", "/bin/sh", "-c", """set -e
            openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/k.pem -out /tmp/c.pem -subj /CN=x -days 1 2>/dev/null
            openssl verify -CAfile /tmp/c.pem /tmp/c.pem
            echo x | openssl dgst -md4 -provider legacy -provider default""")

    def test_vim_edits_by_its_own_scripts(self):
        roots.need("vim.basic", package="vim")
        self.both(self.root("vim.basic", "--no-smoke"), "filetype python", "vim.basic", "-es", "-N", "-u",
                  "/usr/share/vim/vim90/defaults.vim", "-c", "filetype on", "-c", "edit /tmp/x.py",
                  "-c", "call setline(1, 'filetype ' . &filetype)", "-c", "%print", "-c", "quit!")

    def test_tmux_shows_what_a_program_says(self):
        # In a jail only: a chroot without a mount has no terminals.
        root = self.program("tmux", "/bin/sh", "sleep", "tput")
        self.works(root.jail("/bin/sh", "-c", """
            tmux -L x -f /dev/null new-session -d -x 80 -y 24 'echo é in $TERM, $(tput colors) colours; sleep 20'
            sleep 2; tmux -L x capture-pane -p; tmux -L x kill-server"""), ", 256 colours")

    def test_ghostscript_sets_a_page(self):
        root = self.program("gs", "/bin/sh")
        self.both(root, "Page 1", "/bin/sh", "-c", """set -e
            gs -q -dNOPAUSE -dBATCH -sDEVICE=pdfwrite -sOutputFile=/tmp/a.pdf -c \
              '/Helvetica findfont 20 scalefont setfont 100 100 moveto (hello) show showpage'
            gs -dNOPAUSE -dBATCH -sDEVICE=png16m -r20 -sOutputFile=/tmp/a.png /tmp/a.pdf""")

    def test_r_fits_a_line(self):
        roots.need("Rscript", package="r-base-core")
        self.both(self.root("Rscript", "--no-smoke"), "fit 2 TRUE", "Rscript", "--vanilla", "-e",
                  "fit <- lm(y ~ x, data.frame(x = 1:4, y = 2 * 1:4 + 1)); cat('fit', round(coef(fit)[2]), "
                  "as.POSIXct('2026-07-01 12:00', tz = 'Europe/Berlin') < as.POSIXct('2026-07-01 11:00', tz = 'UTC'))")

    def test_ruby_has_its_library(self):
        self.both(self.program("ruby"), '{"a":"2d711642","e":2}', "ruby", "-rjson", "-rdigest", "-ropenssl", "-rset",
                  "-rstringio", "-e",
                  "puts JSON.dump(a: Digest::SHA256.hexdigest('x')[0, 8], e: 'é'.encode('UTF-16LE').bytes.size)")

    def test_php_has_its_extensions(self):
        self.both(self.program("php", package="php-cli"), '["CET",true,3]', "php", "-r",
                  "echo json_encode([(new DateTime('2026-01-01', new DateTimeZone('Europe/Berlin')))->format('T'),"
                  "iconv('UTF-8', 'ISO-8859-1', 'é') === chr(233), ctype_digit('12') + 2]);")

    def test_iconv_knows_every_set(self):
        root = self.root("iconv", "/bin/sh", "--no-smoke")
        self.both(root, "日本 é", "/bin/sh", "-c",
                  "printf '\\223\\372\\226{' | iconv -f SHIFT_JIS -t UTF-8; printf ' \\351' | iconv -f CP1252 -t UTF-8")

    def test_g_plus_plus_compiles(self):
        roots.need("g++")
        root = self.root("g++", "/bin/sh", "--no-smoke")
        self.both(root, "2 done", "/bin/sh", "-c", """set -e
            printf '#include <iostream>\n#include <vector>\nint main() { std::vector<int> v{1, 2}; std::cout << v.size(); }' \
              > /tmp/a.cc
            g++ -std=c++20 -O2 -Wall -o /tmp/a /tmp/a.cc; test -s /tmp/a; echo 2 done""")

    def test_files_are_told_apart(self):
        self.both(self.program("file"), "application/x-pie-executable", "file", "-b", "--mime", "/usr/bin/file")

    def test_a_font_is_found(self):
        roots.need("fc-match", package="fontconfig")
        self.both(self.root("fc-match", "--no-smoke"), ".ttf", "fc-match", "sans")

    def test_pam_lets_root_become_another(self):
        if not roots.ROOT:
            self.skipTest("needs root, who needs no password")
        root = self.root("su", "/bin/sh", "id", "--no-smoke")
        self.works(root.chroot("su", "-s", "/bin/sh", "nobody", "-c", "id -u"), "65534")
        # And nobody becomes root.
        self.assertNotEqual(root.chroot("su", "-s", "/bin/sh", "root", "-c", "id -u", user="nobody").status, 0)

    def test_names_are_found(self):
        """Users, services and hosts, by the C library."""
        root = self.program("getent", "/bin/sh")
        self.both(root, "root", "getent", "passwd", "0")
        self.both(root, "22/tcp", "getent", "services", "ssh")
        self.both(root, "localhost", "getent", "hosts", "127.0.0.1")

    def test_curl_trusts_whom_the_host_trusts(self):
        roots.need("curl")
        roots.need("openssl")
        root = self.root("curl", "--no-smoke")
        folder = os.path.join(root.home, "tls")
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder + "/key", "-out",
                        folder + "/cert", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days",
                        "1"], check=True, capture_output=True)
        os.chmod(folder + "/key", 0o644)
        script = """
import http.server, ssl, subprocess, threading
server = http.server.HTTPServer(("127.0.0.1", 8443), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/smoke/tls/cert", "/smoke/tls/key")
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "code %{http_code}", "https://localhost:8443/"],
                      capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
print("status", done.returncode, done.stdout, done.stderr)
"""
        words = [f"--ro-bind={folder}:/smoke/tls"]
        # 60: the certificate was looked at and is nobody's; 77 would be: no authorities to ask.
        self.works(root.beside(script, words), "status 60")
        store = os.path.join(root.path, "etc/ssl/certs/ca-certificates.crt")
        with open(folder + "/cert", encoding="ascii") as cert, open(store, "a", encoding="ascii") as authorities:
            authorities.write(cert.read())
        self.works(root.beside(script, words), "status 0 code 200")

    def test_a_thread_can_end_itself(self):
        """The C library loads libgcc_s for that, and ends the process where it is not."""
        self.both(self.program("python3"), "", "python3", "-c", "import ctypes; ctypes.CDLL(None).pthread_exit(0)")

    def test_python_trusts_whom_the_host_trusts(self):
        """By OpenSSL's own folder of certificates."""
        self.both(self.program("python3"), "authorities True", "python3", "-c",
                  "import os, ssl; paths = ssl.get_default_verify_paths(); "
                  "print('authorities', bool(paths.cafile) and len(os.listdir(paths.capath)) > 50)")
