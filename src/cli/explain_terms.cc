// What `immure explain WORD` says of error codes and of terms. Tables only.
#include <algorithm>

#include "base/text.h"
#include "cli/explain.h"
#include "cli/page.h"

namespace immure::cli {
namespace {

struct CodeRow {
  Code code;
  const char* means;
  const char* how;
};
constexpr CodeRow kCodes[] = {
    {Code::kUsage, "The command line does not have the shape that the verb expects: an unknown option, a missing value, two words that contradict.",
     "Read the line \"at\": it names the argument. immure help VERB and immure run --help show the shape."},
    {Code::kBadValue, "A value is not what its option takes: no size, no duration, no path, no name.",
     "Sizes are 512M or 2G, durations 500ms, 30s or 5m, and \"none\" takes a limit away. A ':' that belongs to a path is written \"\\:\"."},
    {Code::kBadProfile, "A profile, or a filter in JSON, cannot be read: its syntax, a key that does not exist, a file that others can write.",
     "The line \"at\" names file, line and column. immure policy show FILE reads a profile without running anything."},
    {Code::kLoosens, "A file that may only tighten asks for more than the command line and its profiles give: ./immure.toml comes with a project, and so from somebody else.",
     "Take the line out, or trust the file by naming it: immure run --profile ./immure.toml."},
    {Code::kMissingSource, "Something outside that the jail was to be given does not exist.",
     "Create it, mend the path, or write :try behind it to go on without it."},
    {Code::kBadRoot, "The directory of --root cannot be a root: it is none, it is the host's own, or it shares files with the outside through hard links.",
     "Leave --root out to see the host's programs and nothing of its users; copy shared files; --weaken hard-links when you trust the tree."},
    {Code::kBadTarget, "A place inside the jail cannot be what was asked for: it would lie over /proc, below a file, or twice at one path.",
     "Choose another target; immure explain shows what is mounted where."},
    {Code::kIds, "This host does not grant the user or group ids that the jail needs.",
     "For --uid-range without root: install uidmap, and give the user a range in /etc/subuid and /etc/subgid. immure doctor says what is there."},
    {Code::kFilter, "The system call filter cannot be built, or would stop the launch itself.",
     "Do not deny what starts a program (execve, mmap, close …); immure explain --syscall NAME shows what a filter does."},
    {Code::kLayer, "A layer of protection that is required cannot be had here. immure starts nothing rather than a jail that lacks it.",
     "immure doctor names the cause and what mends it. --need LAYER=prefer goes on without it, and every report says so."},
    {Code::kStep, "The kernel refused a step of the set-up. Nothing ran.",
     "The message names the call and the object; immure explain shows all steps in their order."},
    {Code::kVerify, "The jail stood, and the kernel showed something else than was planned: the program was not started.",
     "This should not happen. Please report it with the output of immure doctor --json and immure explain --json."},
    {Code::kSystem, "The host is out of something: memory, processes, descriptors, disk.",
     "The line \"why\" has the kernel's own word for it."},
    {Code::kNotFound, "The program does not exist in the jail (status 127). What exists outside need not exist inside.",
     "The host's /usr is there by default, /home and /opt are not: --ro-bind shows more. Names without '/' are looked up in the jail's PATH."},
    {Code::kNotExecutable, "The program is there and cannot be run (status 126): no x bit, a directory, another machine's program, a missing loader or interpreter.",
     "The message says which. What the program may write is mounted noexec, unless the grant ends in :exec."},
    {Code::kNoJail, "There is no running jail of that name for this user, or it has just ended.",
     "immure ps lists those that run. Root's jails and each user's are apart."},
    {Code::kState, "The directory where immure remembers running jails, or a file in it, cannot be used: it would have to be this user's alone.",
     "Remove it, or set XDG_RUNTIME_DIR to a directory of your own with mode 0700."},
};

struct Term {
  std::string_view word;
  const char* text;
};
constexpr Term kTerms[] = {
    {"chroot", "Three things have this name. The call chroot(2) changes where a process's look-ups of \"/\" begin; that place is part of what the kernel keeps for a process, and its children inherit it. The program chroot(8) makes that call and runs another program. And the concept, a \"chroot jail\", is the hope that nobody gets out: but the call only moves the beginning of paths. A directory that is still open, a second chroot, a process outside that can be traced, a device node or privilege lead around it. immure does not use it: see pivot_root."},
    {"pivot_root", "A call that makes another mount the root of a mount namespace and puts the old root somewhere below, from where it is unmounted. Afterwards no path, and no walk upwards, leads to the old files: they are not in the namespace any more."},
    {"namespace", "A kind of thing of which a process sees an own set: mounts, processes, users, network, queues, host name, control groups, clocks. A namespace hides and separates; it does not take rights away by itself. The jail gets one of each."},
    {"user namespace", "Own user and group ids: an id inside stands for another one outside. Root in it has privilege over what belongs to it and over nothing else. It lets an ordinary user make the other namespaces, and opens kernel code to that user, which is why the jailed program may not make one."},
    {"mount namespace", "An own table of mounts. What is mounted in it is not seen outside, and with private propagation nothing from outside arrives in it."},
    {"pid namespace", "Own process numbers: the jail sees its own processes only. When its pid 1 ends, the kernel kills all others in it, so that nothing outlives the jail."},
    {"bind mount", "A directory or file that is mounted at a second place. It has flags of its own (read-only, nosuid, nodev, noexec), which say what can be done through this place. It is the same file, not a copy."},
    {"overlay", "A mount that shows several directories on top of each other. immure presents a prepared root through one, so that planted FIFOs, sockets and links in it are dead ends, and what is written can be thrown away."},
    {"capabilities", "Root's power in some forty parts, such as binding low ports or mounting. A process has five sets of them; the jailed program's are all empty, and the bounding set, which is the most that can ever come back, is empty, too."},
    {"no_new_privs", "A bit of a process that cannot be taken back: no program that it starts gains anything by set-user-id bits or file capabilities."},
    {"securebits", "Switches that say whether user id 0 means privilege. In the jail it does not, and the switches are locked."},
    {"seccomp", "A filter that the kernel asks about every system call of a process and its children. It sees the call's number and its arguments as numbers, not the memory that they point to. immure's is a list of what is allowed; what it denies gives EPERM or ENOSYS."},
    {"landlock", "Rules that a process puts on itself and its children: which directories they may read, write or run, which TCP ports they may use, whom they may signal. It needs no privilege and stays when mounts change. immure puts it on top of the others."},
    {"cgroup", "A control group: processes whose memory, processor time and number are counted and limited together. There are two versions of the interface, and hosts that have both at once. The jail's group is made before the first process is in it."},
    {"rlimit", "A resource limit of one process: size of a file, open files, processes of one user id. It is inherited. immure sets these beside the control group, which counts the whole jail."},
    {"devpts", "The file system of pseudo terminals. The jail has its own, and a program at your terminal gets a terminal of the jail's: what it puts into its input or its modes stays inside."},
    {"pid 1", "The first process of a pid namespace. In a jail it is immure's own: it sets the jail up, starts the program, passes signals on, and reaps. It runs under a filter of its own that leaves it a dozen calls."},
    {"gate", "The moment when the jail stands and the program has not started. The process outside compares what the kernel shows of pid 1, in /proc and in the control group, with the plan. Only then the program may start."},
    {"layer", "One of the protections that make up a jail. Each has a need (require, prefer, off) and, in every report, a state: in force, weaker, missing, off. A required layer that cannot be had is a refusal."},
    {"rootless", "Started by an ordinary user. The user namespace stands in for root's privilege; the jailed program then has the same user id as its user for the host, so that files are held by mounts and Landlock rather than by ids."},
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// "IMM-E010", "imm-e10", "E010"; -1: no code at all.
int code_number(std::string_view word) {
  std::string text = lower(word);
  std::string_view rest = text;
  if (rest.starts_with("imm-")) rest.remove_prefix(4);
  if (rest.size() < 2 || rest[0] != 'e') return -1;
  auto number = parse_u64(rest.substr(1));
  return number && *number < 1000 ? static_cast<int>(*number) : -1;
}

std::string code_name(int number) {
  std::string digits = num(static_cast<uint64_t>(number));
  return "IMM-E" + std::string(3 - digits.size(), '0') + digits;
}

std::string code_page(int number) {
  for (const CodeRow& row : kCodes) {
    if (static_cast<int>(row.code) != number) continue;
    Page page(false);
    page.heading(code_name(number) + ", exit status " + num(static_cast<uint64_t>(exit_status(row.code))));
    page.line(row.means);
    page.line(row.how);
    return page.str();
  }
  std::string known;
  for (const CodeRow& row : kCodes) known += " " + code_name(static_cast<int>(row.code));
  Page page(false);
  page.line("There is no code " + code_name(number) + ". The codes are:" + known);
  return page.str();
}

}  // namespace

std::vector<std::string_view> glossary_terms() {
  std::vector<std::string_view> words;
  for (const Term& term : kTerms) words.push_back(term.word);
  return words;
}

std::string explain_term(std::string_view word) {
  if (int number = code_number(word); number >= 0) return code_page(number);
  std::string wanted = lower(word);
  Page page(false);
  for (const Term& term : kTerms) {
    std::string dashed(term.word);
    std::replace(dashed.begin(), dashed.end(), ' ', '-');
    if (wanted != term.word && wanted != dashed) continue;
    page.heading(term.word);
    page.line(term.text);
    return page.str();
  }
  if (auto weaken = weaken_from_key(wanted)) {
    page.heading("--weaken " + wanted);
    page.line(std::string("Without it, this is closed. With it: ") + sentence(*weaken) + ".");
    return page.str();
  }
  return {};
}

}  // namespace immure::cli
