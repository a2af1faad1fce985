# bpf/watch.bpf.c → an object for the kernel's virtual machine → a header that holds it (watch.skel.h, bpftool).
# Without it a watch would be much dearer, which nobody should find out afterwards: so it is left out only when that
# was said.
option(IMMURE_EBPF "build the source `ebpf` of immure watch (needs clang, bpftool, libbpf)" ON)
if(NOT IMMURE_EBPF)
  return()
endif()

find_program(BPF_CLANG NAMES clang-14 clang-15 clang-16 clang)
find_program(BPFTOOL bpftool PATHS /usr/sbin /sbin)
find_library(BPF_ARCHIVE libbpf.a)
foreach(needed BPF_CLANG BPFTOOL BPF_ARCHIVE)
  if(NOT ${needed})
    message(FATAL_ERROR "${needed} was not found: the source `ebpf` of immure watch is built with clang, bpftool and "
      "libbpf.\n  how: apt-get install clang-14 bpftool libbpf-dev, or build without it: -DIMMURE_EBPF=OFF")
  endif()
endforeach()

set(bpf_output ${IMMURE_GENERATED}/bpf)
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-multiarch OUTPUT_VARIABLE bpf_multiarch
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT bpf_multiarch)
  set(bpf_multiarch x86_64-linux-gnu)
endif()
file(GLOB bpf_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bpf/*)
add_custom_command(OUTPUT ${bpf_output}/watch.skel.h
  COMMAND ${CMAKE_COMMAND} -E make_directory ${bpf_output}
  COMMAND ${BPF_CLANG} -target bpf -mcpu=v3 -O2 -g -ffreestanding -D__TARGET_ARCH_x86
    -Wall -Wextra -Werror -Wno-unused-parameter -isystem /usr/include/${bpf_multiarch}
    -fdebug-compilation-dir=. -I ${PROJECT_SOURCE_DIR}/src -c ${PROJECT_SOURCE_DIR}/bpf/watch.bpf.c
    -o ${bpf_output}/watch.tmp.o
  COMMAND ${BPFTOOL} gen object ${bpf_output}/watch.bpf.o ${bpf_output}/watch.tmp.o
  COMMAND ${BPFTOOL} gen skeleton ${bpf_output}/watch.bpf.o name watch_bpf > ${bpf_output}/watch.skel.h
  DEPENDS ${bpf_sources} ${PROJECT_SOURCE_DIR}/src/kernel/call_record.h
    ${PROJECT_SOURCE_DIR}/src/watch/sources/ebpf_tables.h
  COMMENT "Writing bpf/watch.skel.h" VERBATIM)
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/watch/sources/ebpf.cc PROPERTIES
  OBJECT_DEPENDS ${bpf_output}/watch.skel.h COMPILE_OPTIONS "-isystem;${bpf_output}"
  COMPILE_DEFINITIONS IMMURE_EBPF)
target_link_libraries(room_watch PRIVATE ${BPF_ARCHIVE} ${ELF_ARCHIVE} ${Z_ARCHIVE})
