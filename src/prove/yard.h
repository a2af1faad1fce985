// What stands outside while the battery runs (probes/yard.h tells of each thing): made in a folder of its
// own, handed to the probes as words, looked at afterwards, and gone with the object. Nothing that was there
// before is touched.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "prove/damage.h"
#include "prove/remains.h"
#include "prove/witness.h"

namespace immure::prove {

// What probes of resources take before they say that nothing stops them.
struct Amounts {
  int64_t memory, processes, file_size, milliseconds;
};

// Above the limits that the probes' rows set; and, where nobody sets any, what a host of today can still
// spare.
inline constexpr Amounts kAboveLimits{160 << 20, 300, 16 << 20, 500}, kMuch{512 << 20, 1000, 1 << 30, 800};

// A terminal of one launcher's own: its controlling terminal, of which the program inside should see nothing.
struct Terminal {
  Terminal();
  UniqueFd master;
  std::string path;                // empty: there is none to be had
  std::vector<std::string> facts;  // for immure-probe
};

inline constexpr char kRoots[] = "/roots";  // in the yard's folder

class Yard {
 public:
  Yard() = default;
  ~Yard();
  Yard(const Yard&) = delete;
  Yard& operator=(const Yard&) = delete;

  // `probe` is the program that goes inside, a path on the host: it is copied into the planted roots.
  Status make(const std::string& probe);

  // How much is tried to be taken of everything. Call it before facts.
  void set_amounts(const Amounts& amounts);
  // KEY=VALUE for immure-probe. `planted`: it runs in a planted root, or sees that root at `top`. `careless`:
  // started by be_careless.
  std::vector<std::string> facts(bool planted, bool careless, std::string_view top = {}) const;
  const std::string& folder() const { return folder_; }
  std::string root(bool hard_links) const { return folder_ + kRoots + (hard_links ? "/links" : "/root"); }
  // Does the text hold the line that only stands outside?
  bool is_the_line(std::string_view text) const;
  const Witness& witness() const { return witness_; }
  // For probes that do real damage.
  Damage& damage() { return damage_; }
  const Damage& damage() const { return damage_; }
  // Processes of the yard's own, which live as long as it does.
  std::vector<pid_t> processes() const { return {witness_.pid(), stander_}; }
  // How often a canary file was found changed, and put right again. Jobs that run side by side share the
  // files: the first that asks must not take the change from the one that made it.
  uint32_t changes();

  // In the process that becomes a jail's launcher, after fork: leaves the descriptors open that a careless
  // one leaves open, with the environment's secret, the keyring's key, a supplementary group and a
  // controlling terminal.
  void be_careless(const Terminal& terminal) const;

 private:
  bool was_changed();
  Status make_files();
  Status make_sockets();
  Status make_ipc();
  void prepare_leaks();
  static int64_t supplementary();
  Status start_stander(const std::string& probe);
  void share_key();
  void fact(const char* key, std::string value) {
    facts_.push_back(std::string(key) + "=" + std::move(value));
  }

  Remains remains_;  // goes last
  std::string folder_, line_;
  std::vector<std::string> facts_;
  std::vector<UniqueFd> held_;
  // A canary file, by its descriptor.
  struct Kept {
    std::string path;
    unsigned mode;
    UniqueFd fd;
  };
  bool put_right(const Kept& kept) const;

  struct Leak {
    int from, number;
    int flags;  // to open it anew with, or -1: the same open file
  };
  std::vector<Leak> leaks_;
  std::vector<Kept> kept_;
  std::set<std::string> strangers_;  // names in the folder that are not the yard's own
  uint32_t changes_ = 0;
  Ears ears_;
  Damage damage_;
  Witness witness_;
  pid_t stander_ = -1;  // a process with the secret in its environment
  std::string variable_, key_;  // names that no other battery has
};

// What be_careless gives away under fixed names.
inline constexpr char kAsk[] = "/ask";  // the witness's socket that the leaked one is connected to
inline constexpr char kLauncherFact[] = "launcher=?";  // the number is put in by the process that becomes it
inline constexpr unsigned kSupplementary = 4712;       // a group that nobody has

}  // namespace immure::prove
