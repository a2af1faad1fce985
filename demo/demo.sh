#!/bin/sh
# Shows immure at work, in under half a minute: a real program in the default jail, its report, and ten classic escapes,
# each tried under plain chroot and in the jail. Nothing outside a temporary folder is touched.
#
#   demo/demo.sh [IMMURE]     IMMURE: the binary, default build/bin/immure
#
# Started by root it shows root's and a user's jail; started by a user, the user's. Exit status 0 when every escape
# that can be tried works without the jail and none works in it.
# shellcheck disable=SC2086,SC2016  # lists of words are split on purpose; inner scripts expand inside
set -u
here=$(cd "$(dirname "$0")" && pwd)
immure=${1:-${IMMURE:-$here/../build/bin/immure}}
build=${IMMURE_BUILD:-$here/../build}/demo

if [ -n "${NO_COLOR:-}" ] || [ "${TERM:-dumb}" = dumb ] || { [ ! -t 1 ] && [ -z "${CLICOLOR_FORCE:-}" ]; }; then
  bold='' red='' green='' plain=''
else
  esc=$(printf '\033')
  bold="${esc}[1m" red="${esc}[31m" green="${esc}[32m" plain="${esc}[0m"
fi
title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
fail() {
  echo "demo: $*" >&2
  exit 1
}

case $immure in /*) ;; *) immure=$PWD/$immure ;; esac
[ -x "$immure" ] || fail "no program at $immure: run ./dev build first"
mkdir -p "$build" || fail "cannot make $build"
if [ -z "$(find "$build/escapes" -newer "$here/escapes.cc" 2>/dev/null)" ]; then
  c++ -std=c++20 -Os -static -s -D_GNU_SOURCE -fno-exceptions -o "$build/escapes" "$here/escapes.cc" ||
    fail "the escapes do not compile"
fi

# --- the place: a root of three files, and a number outside it -------------------------------------------------------
place=$(mktemp -d /tmp/immure-demo.XXXXXX) || exit 1
canaries=''
cleanup() {
  exec 7>&- 8>&-                # their standard inputs end, and so they end
  [ -z "$canaries" ] || wait $canaries 2>/dev/null
  rm -rf --one-file-system "$place"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP PIPE   # a reader that leaves is no reason to leave things behind
chmod 755 "$place"
root=$place/root
mkdir -p "$root/tmp" "$root/proc" "$root/dev" "$root/etc"
cp "$build/escapes" "$place/escapes"
cp "$build/escapes" "$root/escapes"
number=$(($(od -An -N4 -tu4 /dev/urandom) % 900000000 + 100000000))
secret=$place/outside
echo "$number" >"$secret"
chmod 644 "$secret"
(umask 077 && echo "$number" >"$root/root-only")

if [ "$(id -u)" = 0 ]; then
  am_root=yes
  uid=${SUDO_UID:-0} gid=${SUDO_GID:-0}
  [ "$uid" != 0 ] || uid=61234 gid=61234   # nobody's: no account has to be made, none is left behind
else
  am_root='' uid=$(id -u) gid=$(id -g)
  chmod 000 "$root/root-only"              # the nearest thing to a file of root's that a user can make
fi
cd / || exit 1                             # the caller's folder may be closed to the user
mkdir -m 700 "$place/home"
[ -z "$am_root" ] || chown "$uid:$gid" "$place/home"

# A command's prefix; the words have no spaces in them, so it is split on purpose.
as_user="env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin TERM=${TERM:-dumb} HOME=$place/home XDG_RUNTIME_DIR=$place/home"
[ -z "$am_root" ] || as_user="setpriv --reuid=$uid --regid=$gid --clear-groups -- $as_user"
# a build below a home folder that lets nobody in
if [ -n "$am_root" ] && ! $as_user test -x "$immure"; then
  mkdir "$place/bin" && cp "$(dirname "$immure")"/immure* "$place/bin/" && immure=$place/bin/$(basename "$immure")
fi

# --- 1. a real program -----------------------------------------------------------------------------------------------
if [ -x /usr/bin/python3 ]; then
  set -- /usr/bin/python3 -c '
import os, socket, sys
def attempt(what, action):
    try: print(f"  {what:32}", action())
    except OSError as error: print(f"  {what:32}", error.strerror)
print("  Python", sys.version.split()[0], "- sum of squares below a million:", sum(i * i for i in range(10**6)))
attempt("user, groups", lambda: f"{os.getuid()}, {os.getgroups()}")
attempt("processes it can see", lambda: len([p for p in os.listdir("/proc") if p.isdigit()]))
attempt("names in /", lambda: " ".join(sorted(os.listdir("/"))))
attempt("network interfaces", lambda: " ".join(name for _, name in socket.if_nameindex()))
attempt("read /etc/shadow", lambda: open("/etc/shadow").read())
attempt("write /usr/bin/python3", lambda: open("/usr/bin/python3", "w"))
attempt("reach 192.0.2.1:80", lambda: socket.create_connection(("192.0.2.1", 80), 1))
attempt("write /tmp/note", lambda: open("/tmp/note", "w").write("hello") and "works: its own /tmp")'
  shown='python3 -c …'
else
  set -- /bin/sh -c 'exec 2>&1; id; echo /*; cat /etc/shadow; echo >/usr/bin/sh
    grep -E "^(Cap|NoNew|Sec)" /proc/self/status'
  shown='sh -c …'
fi
if [ -n "$am_root" ]; then
  title "root:  immure run -- $shown"
  "$immure" run -- "$@" </dev/null || fail "the program did not run in the default jail (status $?)"
fi
title "user $uid:  immure run -v -- $shown"
$as_user "$immure" run -v -- "$@" </dev/null 2>"$place/report" || {
  cat "$place/report" >&2
  fail "the program did not run in the user's jail"
}
title "the layers of that jail, read back from the kernel before the program began"
cat "$place/report"
if [ -n "$am_root" ]; then
  title "and of root's"
  "$immure" run -v -- /bin/true </dev/null || fail "root's jail does not start"
fi

# --- 2. ten escapes --------------------------------------------------------------------------------------------------
# A canary outside for each kind of user, so that no permission but the jail's stands between; they end with us.
mkfifo "$place/in7" "$place/in8"
canary() { # canary FIFO OUTPUT COMMAND…
  fifo=$1 output=$2
  shift 2
  "$@" "$place/escapes" canary "$number" <"$fifo" >"$output" &
  canaries="$canaries $!"
}
canary "$place/in7" "$place/canary-root"
exec 7>"$place/in7"
canary "$place/in8" "$place/canary-user" $as_user
exec 8>"$place/in8"
for _ in 1 2 3 4 5 6 7 8 9 10; do
  [ -s "$place/canary-root" ] && [ -s "$place/canary-user" ] && break
  sleep 0.1
done
{ read -r root_pid root_segment <"$place/canary-root"; } || fail "no canary"
{ read -r user_pid user_segment <"$place/canary-user"; } || fail "no canary of the user's"

# Descriptor 9 is the one left open by mistake; 7 and 8 are the script's own.
try() { timeout 10 "$@" 9</ 7>&- 8>&- </dev/null 2>"$place/errors"; }
with_chroot() {
  attempt_of_root="/escapes try $1 $secret $root_pid $root_segment"
  attempt_of_user="/escapes try $1 $secret $user_pid $user_segment"
  case ${am_root:-no}-$1 in
  no-S60 | no-S67 | no-S28) echo "- needs root" ;;
  *-S76 | no-*) try $as_user unshare -r chroot "$root" $attempt_of_user ;;
  yes-S67 | yes-S28)  # in a copy of the mount table, so that the host's stays as it is
    try unshare -m --propagation private \
      sh -c 'mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"' "$root" $attempt_of_root ;;
  *) try chroot "$root" $attempt_of_root ;;
  esac
}
in_jail_of_root() {
  try "$immure" run --root "$root" -- /escapes try "$1" "$secret" "$root_pid" "$root_segment"
}
in_jail_of_user() {
  try $as_user "$immure" run --root "$root" -- /escapes try "$1" "$secret" "$user_pid" "$user_segment"
}

failures=0
# cell RESULT WANTED: prints the result in 22 columns; counts what is not as wanted
cell() {
  word=${1%% *} rest=${1#* } colour=$red
  case $word in
  escaped)
    text='ESCAPED, has proof'
    [ "$rest" = "$number" ] || word=unclear text="wrong number $rest"
    ;;
  held) colour=$green text="held: $rest" ;;
  -) colour='' text=$rest ;;
  *) word=unclear text="no answer (status $status)" ;;
  esac
  [ "$word" = "$2" ] || [ "$word" = - ] || failures=$((failures + 1))
  printf '%s%-23.23s%s' "$colour" "$text" "$plain"
}

title "ten escapes, each started the same way; the proof is a number that stands only outside"
if [ -n "$am_root" ]; then without='plain chroot'; else without='unshare -r chroot'; fi
printf '%s%-4s %-33s%-23s' "$bold" '' '' "$without"
[ -z "$am_root" ] || printf '%-23s' 'immure run (root)'
printf '%s%s\n' 'immure run (user)' "$plain"
"$build/escapes" list >"$place/list"
while IFS="$(printf '\t')" read -r id what; do
  printf '%-4s %-33s' "$id" "$what"
  result=$(with_chroot "$id")
  status=$?
  cell "$result" escaped
  if [ -n "$am_root" ]; then
    result=$(in_jail_of_root "$id")
    status=$?
    cell "$result" held
  fi
  result=$(in_jail_of_user "$id")
  status=$?
  cell "$result" held
  echo
done <"$place/list"

if [ "$failures" = 0 ]; then
  title "Every escape worked without the jail; none of them worked in it."
else
  title "$failures results are not as they should be."
  exit 1
fi
