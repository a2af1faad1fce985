// What this host lets a test do. Every question answers with the reason when it is no, and a test that cannot run
// says that reason: SKIP_UNLESS(can_be_root()).
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace immure::test {

struct Can {
  bool yes = true;
  std::string reason;  // what is missing
};

Can can_be_root();                     // runs as root
Can can_be_user();                     // does not run as root
Can can_make_user_namespaces();
Can can_make_nodes();                  // mknod of a device works here
Can can_use_controller(const char* name);   // "memory", "pids", "cpu": a limit of it can be set here, v1 or v2
Can can_have_cgroup_v2();              // a pure v2 host
Can can_have_cgroup_v1();
Can can_use_landlock(int least_abi);
Can can_map_owners(const std::string& folder);   // a folder there can be mounted with mapped ids
Can can_map_ranges();                  // newuidmap is there and grants this user a range
Can can_use_overlay();                 // a kernel with overlayfs
Can can_stack_descriptors();           // layers of an overlay that are attached nowhere
Can has_memfd_noexec();                // vm.memfd_noexec, which only root sets
Can can_run(const char* program);      // found in PATH
Can can_run_32_bit_calls();            // int 0x80 of a 64-bit program reaches the kernel
Can has_lsm(const char* name);

int landlock_abi();
bool is_root();

}  // namespace immure::test

#define SKIP_UNLESS(can)                                                     \
  do {                                                                       \
    if (::immure::test::Can skip_can = (can); !skip_can.yes) GTEST_SKIP() << skip_can.reason; \
  } while (false)
