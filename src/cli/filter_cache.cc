#include "cli/filter_cache.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/digest.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/private_folder.h"
#include "filter/filter.h"
#include "input/oci_seccomp.h"
#include "run/state.h"

namespace immure::cli {
namespace {

constexpr size_t kLongestJson = 4u << 20;
constexpr size_t kDigestLine = 65;  // 64 digits and a newline

// Compiled filters of another layout must not be found: raise it when pack_filter or the compiler's input changes.
constexpr std::string_view kLayout = "immure filter 1 " IMMURE_VERSION;

Result<std::string> compile_json(std::string_view json, const std::string& path, uint64_t capabilities) {
  auto policy = read_oci_seccomp(json, path, capabilities);
  if (!policy) return tl::unexpected<Error>(std::move(policy.error()));
  auto program = filter::compile(*policy);
  if (!program) return tl::unexpected<Error>(std::move(program.error()));
  return std::string(reinterpret_cast<const char*>(program->data()), program->size() * sizeof(sock_filter));
}

}  // namespace

std::string filter_cache_folder() {
  auto state = run::state_dir();
  return state ? *state + "/filters" : std::string();
}

std::string filter_cache_key(std::string_view json, uint64_t capabilities, std::string_view kernel_release) {
  std::string text(kLayout);
  text += '\n' + hex(capabilities) + '\n' + std::string(kernel_release) + '\n' + hex_text(sha256(json));
  return hex_text(sha256(text));
}

std::string pack_filter(std::string_view program) {
  return hex_text(sha256(program)) + "\n" + std::string(program);
}

std::string unpack_filter(std::string_view packed) {
  if (packed.size() <= kDigestLine || (packed.size() - kDigestLine) % sizeof(sock_filter) != 0) return {};
  std::string_view program = packed.substr(kDigestLine);
  if (program.size() > BPF_MAXINSNS * sizeof(sock_filter)) return {};
  if (packed.substr(0, kDigestLine) != hex_text(sha256(program)) + "\n") return {};
  return std::string(program);
}

std::string read_cached_filter(const std::string& file) {
  UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  struct stat st {};
  if (!fd || fstat(fd.get(), &st) != 0) return {};
  if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0 || st.st_nlink != 1) return {};
  auto text = read_fd(fd.get(), kDigestLine + BPF_MAXINSNS * sizeof(sock_filter), file);
  return text ? unpack_filter(*text) : std::string();
}

Result<std::string> compiled_filter(const std::string& path, uint64_t capabilities, const std::string& folder) {
  auto json = read_file(path, kLongestJson);
  if (!json)
    return fail(Code::kMissingSource, "the filter file " + quoted(path) + " cannot be read", {}, "check --seccomp", {},
                json.error().sys_errno);
  struct utsname kernel {};
  uname(&kernel);
  bool usable = open_private_folder(folder);
  std::string file = folder + "/" + filter_cache_key(*json, capabilities, kernel.release) + ".bpf";
  if (usable) {
    std::string cached = read_cached_filter(file);
    if (!cached.empty()) return cached;
  }
  auto program = compile_json(*json, path, capabilities);
  if (!program) return program;
  if (usable) (void)write_file_atomic(file, pack_filter(*program), 0600);
  return program;
}

}  // namespace immure::cli
