# The tool chain of the start binary: gcc with musl's specs, C++20 headers of libstdc++ that need no runtime.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_CXX_COMPILER musl-gcc)
execute_process(COMMAND gcc -dumpversion OUTPUT_VARIABLE gcc_version OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REGEX MATCH "^[0-9]+" gcc_major "${gcc_version}")
execute_process(COMMAND gcc -print-multiarch OUTPUT_VARIABLE multiarch OUTPUT_STRIP_TRAILING_WHITESPACE)
string(JOIN " " CMAKE_CXX_FLAGS_INIT
  -isystem ${CMAKE_CURRENT_LIST_DIR}/../src/base/musl
  -isystem /usr/include/c++/${gcc_major}
  -isystem /usr/include/${multiarch}/c++/${gcc_major}
  -idirafter /usr/include -idirafter /usr/include/${multiarch}
  -Os -fno-exceptions -fno-rtti -fno-threadsafe-statics -D_GLIBCXX_EXTERN_TEMPLATE=0
  -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables
  -fstack-protector-strong -flto)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -no-pie -flto -Wl,--gc-sections -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -s")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_AR gcc-ar)
set(CMAKE_RANLIB gcc-ranlib)
