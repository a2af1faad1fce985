// Readers of configurations that describe a jail. The functions with a text are pure but for what their
// comment says; the others read files, and look at the folders that are named as roots, below `prefix` ("":
// this host). Nothing is started or changed. What stands there and has no meaning for a jail is a note;
// errors have the file and the line. Files are bounded (1 MiB each, 64 of them for one description).
// Sources: bwrap(1); runtime-spec config.md and config-linux.md; systemd.exec(5),
// systemd.resource-control(5), systemd.unit(5); sshd_config(5); vsftpd.conf(5).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/facts/described.h"
#include "base/result.h"

namespace immure::audit {

inline constexpr size_t kLongestDescription = 1u << 20;
inline constexpr size_t kMostDescriptionFiles = 64;
// More of them are an error, or in a unit a note: what covers what is asked of each pair.
inline constexpr size_t kMostMounts = 2000;

// A bwrap command as it would be typed into a shell: quotes and backslashes are understood, what the shell
// would have put in ($HOME, `id -u`) is not known. Words from a descriptor (--args) blur all that was not
// said. Pure. kBadValue: no bwrap command, an unknown option, a missing value.
Result<Described> describe_bwrap(std::string_view command);

// The folder with config.json, or that file. kBadProfile with a JSON pointer.
Result<Described> describe_oci(const std::string& bundle, const std::string& prefix = {});
Result<Described> describe_oci_text(std::string_view json, const std::string& shown_as);  // pure

// The name of a unit, or a file (a word with '/'), with its drop-ins, from the folders that systemd reads.
Result<Described> describe_unit(const std::string& name, const std::string& prefix = {});
struct ReadText {
  std::string shown_as, text;
};
Described describe_unit_texts(const std::vector<ReadText>& texts);  // pure; in the order in which they count

Result<Described> describe_sshd(const std::string& file, const std::string& prefix = {});
// Pure; `include` gives the files of a pattern, in order.
using Including = std::function<std::vector<ReadText>(std::string_view pattern)>;
Result<Described> describe_sshd_text(const ReadText& text, const Including& include);

Result<Described> describe_vsftpd(const std::string& file, const std::string& prefix = {});
Result<Described> describe_vsftpd_text(const ReadText& text);  // pure

// A profile of immure's, by name or file, with what it extends; and what it loosens against no profile at
// all. Errors as in input/profile_files.h.
Result<Described> describe_profile(const std::string& name_or_file);

// Looks at the roots of logins, hooks and programs that a text names: the only part that asks the file
// system.
void look_at_described(Described& jail, const std::string& prefix);

}  // namespace immure::audit
