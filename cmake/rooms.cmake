# The rooms and their arrows (docs/architecture.md): a room may include only what stands behind USES.
immure_room(uapi)
immure_room(base FULL sarif.cc junit.cc markup.cc html_page.cc markdown.cc)
immure_room(kernel USES base uapi)
immure_room(spec USES base)
immure_room(filter USES base uapi spec TABLES defaults.cc GENERATED default_filter.inc)
immure_room(input USES base kernel spec filter
  FULL toml.cc profile.cc profile_json.cc profile_schema.cc profile_files.cc trusted_file.cc policy.cc oci_seccomp.cc
  TABLES shipped_profiles.cc profile_files.cc GENERATED profiles.inc)
immure_room(plan USES base uapi kernel spec filter)
immure_room(child USES uapi)            # plus plan/step.h and kernel/sys.h, nothing else
immure_room(probes USES uapi FOLDERS MAINS main.cc)   # plus spec/layers.h
immure_room(run USES base uapi kernel spec plan child FULL systemd_scope.cc)
if(NOT IMMURE_START)
  immure_room(prove USES base kernel spec probes)
  immure_room(demo USES base probes prove)
  immure_room(rootfs USES base uapi kernel spec input
    TABLES family_files.cc GENERATED families.inc presets.inc)
  immure_room(audit USES base uapi kernel spec filter input rootfs FOLDERS)
  immure_room(watch USES base uapi kernel filter FOLDERS)
  immure_room(respond USES base kernel watch)
  immure_room(learn USES base uapi spec filter input watch FOLDERS)
endif()
immure_room(cli USES base uapi kernel spec filter input plan child probes run prove demo rootfs audit watch respond learn
  MAINS start_main.cc full_main.cc STARTS full_program.cc)

# The programs. The start binary has its own small runtime instead of the C++ library's.
if(IMMURE_START)
  add_executable(immure src/cli/start_main.cc src/base/musl/runtime.cc)
  target_link_libraries(immure PRIVATE room_cli)
  add_executable(immure-probe src/probes/main.cc)
  target_link_libraries(immure-probe PRIVATE room_probes)
else()
  add_executable(immure-full src/cli/full_main.cc)
  target_link_libraries(immure-full PRIVATE room_cli)
endif()

# What reads ELF files. The archives, so that immure-full needs no library that a small host lacks.
if(NOT IMMURE_START)
  find_library(ELF_ARCHIVE libelf.a REQUIRED)
  find_library(Z_ARCHIVE libz.a REQUIRED)
  # And what sums up the content of files: the few functions that use a processor's own instructions for it.
  find_library(CRYPTO_ARCHIVE libcrypto.a REQUIRED)
  target_link_libraries(room_rootfs_core PRIVATE ${ELF_ARCHIVE} ${Z_ARCHIVE} ${CRYPTO_ARCHIVE})
endif()

# What packs the traces of a watch.
if(NOT IMMURE_START)
  find_library(ZSTD_ARCHIVE libzstd.a REQUIRED)
  target_link_libraries(room_watch PRIVATE ${ZSTD_ARCHIVE})
endif()

# What `immure watch` puts into the kernel: compiled for it here, carried inside immure-full, loaded by libbpf.
if(NOT IMMURE_START)
  include(cmake/bpf.cmake)
endif()

# What starts a process on a stack of its own is the kernel's room's (clone_call.cc).
target_link_libraries(room_child INTERFACE room_kernel)

# The child's code must not call into libc or a runtime, so it is built without what would.
target_compile_options(room_child PRIVATE -fno-stack-protector -fno-sanitize=all -fno-exceptions -fno-rtti
  $<$<CXX_COMPILER_ID:GNU>:-fno-tree-loop-distribute-patterns>)
