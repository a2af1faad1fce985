// glibc tells libstdc++ here whether there are threads. The start binary never has any.
#ifndef IMMURE_MUSL_SINGLE_THREADED
#define IMMURE_MUSL_SINGLE_THREADED
inline constexpr bool __libc_single_threaded = true;
#endif
