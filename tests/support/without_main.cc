// An old kernel, emulated: named system calls answer ENOSYS (or another errno) for the program and all that it starts.
//
//   without open_tree,fsopen,mount_setattr[=EPERM] COMMAND…
//
// The filter is inherited over execve. As root it is loaded without no_new_privs, so that set-id helpers still work;
// an ordinary user gets no_new_privs with it. Exit status: the command's; 2 for wrong use.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "uapi/syscalls.h"

namespace {

struct Denied {
  unsigned number;
  unsigned error;
};

bool find_call(std::string_view name, unsigned* number) {
  for (const auto& row : immure::uapi::syscalls_x86_64()) {
    if (name == row.name) {
      *number = row.number;
      return true;
    }
  }
  char* end = nullptr;
  const std::string text(name);
  *number = static_cast<unsigned>(std::strtoul(text.c_str(), &end, 10));
  return !text.empty() && *end == '\0';
}

bool find_error(std::string_view name, unsigned* error) {
  for (unsigned i = 1; i < 134; ++i) {
    const char* known = strerrorname_np(static_cast<int>(i));
    if (known != nullptr && name == known) {
      *error = i;
      return true;
    }
  }
  return false;
}

bool parse(std::string_view list, std::vector<Denied>* denied) {
  while (!list.empty()) {
    std::string_view word = list.substr(0, list.find(','));
    list.remove_prefix(word.size() < list.size() ? word.size() + 1 : word.size());
    Denied one{0, ENOSYS};
    size_t equals = word.find('=');
    if (!find_call(word.substr(0, equals), &one.number) ||
        (equals != std::string_view::npos && !find_error(word.substr(equals + 1), &one.error))) {
      std::fprintf(stderr, "without: '%.*s' is no system call\n", static_cast<int>(word.size()), word.data());
      return false;
    }
    denied->push_back(one);
  }
  return !denied->empty();
}

std::vector<sock_filter> filter_of(const std::vector<Denied>& denied) {
  constexpr auto kLoad = static_cast<uint16_t>(BPF_LD | BPF_W | BPF_ABS);
  constexpr auto kEqual = static_cast<uint16_t>(BPF_JMP | BPF_JEQ | BPF_K);
  constexpr auto kReturn = static_cast<uint16_t>(BPF_RET | BPF_K);
  std::vector<sock_filter> program = {
      {kLoad, 0, 0, offsetof(seccomp_data, arch)},
      {kEqual, 1, 0, AUDIT_ARCH_X86_64},
      {kReturn, 0, 0, SECCOMP_RET_ALLOW},
      {kLoad, 0, 0, offsetof(seccomp_data, nr)},
  };
  for (const Denied& one : denied) {
    program.push_back({kEqual, 0, 1, one.number});
    program.push_back({kReturn, 0, 0, SECCOMP_RET_ERRNO | one.error});
  }
  program.push_back({kReturn, 0, 0, SECCOMP_RET_ALLOW});
  return program;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Denied> denied;
  if (argc < 3 || !parse(argv[1], &denied)) {
    std::fprintf(stderr, "usage: without CALL[=ERRNO],CALL... COMMAND...\n");
    return 2;
  }
  std::vector<sock_filter> program = filter_of(denied);
  sock_fprog loaded{static_cast<unsigned short>(program.size()), program.data()};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &loaded) != 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &loaded) != 0) {
      std::perror("without: seccomp");
      return 2;
    }
  }
  execvp(argv[2], argv + 2);
  std::perror(argv[2]);
  return errno == ENOENT ? 127 : 126;
}
