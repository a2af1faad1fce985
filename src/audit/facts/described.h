// A jail as somebody's configuration describes it: a bwrap command, a systemd unit, an OCI bundle, sshd's
// ChrootDirectory, vsftpd, a profile of immure's. One model for all, so that one rule serves for all. The
// readers are in described_readers.h.
//
// What was not said is told from what is not: a Value knows whether a word stands behind it, and which.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace immure::audit {

enum class Word : uint8_t {
  Silent,   // this kind of configuration has no word for it, and nothing follows from that: no rule applies
  Default,  // it could have been said and was not: `value` is what then holds
  Said,     // `origin` says where
  Unclear,  // something was said whose meaning is not known here: `origin` says what and why
};

template <class T>
struct Value {
  T value{};
  Word word = Word::Silent;
  std::string origin;  // "nginx.service:12 (ProtectSystem=)", "word 7 (--bind)"

  bool known() const { return word == Word::Default || word == Word::Said; }
  bool is(const T& wanted) const { return known() && value == wanted; }
  void say(T wanted, std::string from) { *this = {std::move(wanted), Word::Said, std::move(from)}; }
  void by_default(T wanted, std::string what) { *this = {std::move(wanted), Word::Default, std::move(what)}; }
  void unclear(std::string why) {
    word = Word::Unclear;
    origin = std::move(why);
  }
};

enum class WhoseRoot : uint8_t { Host, Own };
enum class Share : uint8_t { Host, Own, Joined };  // Joined: another one, by its path
enum class Space : uint8_t { User, Mount, Pid, Net, Ipc, Uts, Cgroup };
inline constexpr size_t kSpaceCount = 7;
const char* name(Space space);  // "user"

struct DescribedMount {
  enum class Kind : uint8_t { Bind, Proc, Sys, Dev, Tmpfs, Groups, Other } kind = Kind::Bind;
  std::string source, target;  // of Bind: `source` on the host, normalised
  bool writable = true, devices = true, set_ids = true;
  bool unclear = false;  // the source is not known here: "$HOME", "%h", a descriptor
  std::string origin;
};

struct DescribedDevice {
  std::string path;
  char kind = 'c';                 // c, b, or a for all
  int64_t major = -1, minor = -1;  // -1: any
  bool writable = true;
  std::string origin;
};

struct DescribedProgram {
  std::string path, origin;
  bool there = true;
  std::string changeable, changeable_why;  // as in KernelHelper: who but root may change it
  bool unbounded = false;  // it runs with all rights though the jail is for the others: systemd's "+"
  bool main = false;       // the service itself
};

struct DescribedVariable {
  std::string name, origin;
  bool empty = false;
};

// Those whom a server of logins locks into a folder.
struct DescribedLogin {
  std::string who;          // "everybody", "Match group sftp", "local users", "anonymous"
  Value<std::string> root;  // the folder; "": none
  bool tokens = false;      // "%h" is in it: only the folders before it could be looked at
  // A folder that is or leads to the root and that somebody but root may change; empty: none. As sshd looks.
  std::string changeable, changeable_why;
  bool sticky = false;  // `changeable` is a folder where everybody has names of their own, as /tmp
  bool looked_at = false;
  std::string not_looked;                        // why it was not
  Value<bool> shell;                             // anything but file transfer can be started
  Value<bool> tcp, sockets, agent, x11, tunnel;  // forwarded from outside of the folder
  Value<bool> environment, own_rc;               // the user's files decide what the server starts
  Value<bool> writable_root;                     // a root that its user may write is accepted
  Value<bool> root_of_passwd;                    // the home folder of the accounts decides
  Value<bool> writes;                            // of anonymous: files can be made
};

struct Described {
  std::string kind;                // "bwrap", "oci", "unit", "sshd", "vsftpd", "profile"
  std::string name;                // what was read, as the user said it
  std::vector<std::string> notes;  // what has no meaning here, a line each

  Value<WhoseRoot> root;
  std::array<Value<Share>, kSpaceCount> spaces;
  Value<Share>& space(Space which) { return spaces[static_cast<size_t>(which)]; }
  const Value<Share>& space(Space which) const { return spaces[static_cast<size_t>(which)]; }
  std::array<std::string, kSpaceCount> joined;  // of Joined: the path

  Value<bool> root_outside;                                 // its user is root of the host
  std::vector<std::pair<std::string, std::string>> groups;  // name or number, origin
  Value<uint64_t> capabilities;  // what the program has, or gets back by executing as root
  Value<uint64_t> ambient;
  Value<bool> no_new_privs;
  Value<bool> filter;                          // there is a filter of system calls
  Value<std::vector<std::string>> open_calls;  // of dangerous_calls(), those that the filter lets through
  Value<std::string> label;                    // of a security module; "": none; "unconfined"

  std::vector<DescribedMount> mounts;
  Value<bool> root_writable;                 // the tree that the program sees as its root
  Value<bool> homes_visible;                 // the users' home folders
  Value<bool> propagation;                   // mounts made outside or inside appear on the other side
  Value<bool> settings_writable;             // /proc/sys and the like
  Value<std::vector<std::string>> unmasked;  // places of /proc and /sys that should be masked and are not
  std::vector<DescribedDevice> devices;
  Value<bool> all_devices;  // no list of devices is in force

  Value<bool> callers_terminal;
  Value<bool> ends_with_caller;
  Value<bool> memory_limit, process_limit, processor_limit;
  Value<bool> whole_environment;
  Value<bool> first_environment;    // the launcher stays as the first process, with its caller's environment
  Value<bool> callers_descriptors;  // what its caller left open comes along
  Value<bool> callers_keyring;      // the session keyring is the caller's
  Value<bool> callers_powers;       // of a caller that is root: its capabilities stay, and are the host's
  std::vector<DescribedVariable> variables;
  std::vector<DescribedProgram> programs;  // that are started outside of the jail, or as root, for it
  std::vector<std::pair<std::string, std::string>> loosened;  // immure's own words: a sentence, its origin

  std::vector<DescribedLogin> logins;
  Value<std::string> empty_folder;  // vsftpd's secure_chroot_dir
  std::string empty_folder_fault;   // "mode 0777, owner 0:0", "it is not empty"
  bool empty_folder_there = true;
  Value<bool> clear_passwords;
};

// System calls that have led out of jails, or that no program in one needs.
struct DangerousCall {
  const char* name;
  bool strong;        // by itself, or with one capability, a way to the host
  uint64_t argument;  // the first one, where the call is harmless without it
  const char* sets;   // systemd's sets that have it, between blanks
};
std::vector<DangerousCall> dangerous_calls();

// Everything that was not said is not known: more words come from where they cannot be read.
void blur_defaults(Described& jail, const std::string& why);

// "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY": the name of a secret.
bool is_secret_name(std::string_view name);

}  // namespace immure::audit
