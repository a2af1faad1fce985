// The part of the C++ runtime that the start binary needs: allocation, and "cannot happen" ends in abort().
// Only linked with musl; every other build uses libstdc++.
#include <cstddef>
#include <cstdlib>
#include <new>

// A start allocates a few hundred small things and ends. They come from one static arena, without a system call
// and without bookkeeping; what is freed last can be taken again. Beyond the arena, and for what is large, malloc.
namespace {

constexpr size_t kKiB = 1024, kArenaSize = 192 * kKiB, kLarge = 24 * kKiB, kAlign = 16;
alignas(kAlign) char arena[kArenaSize];
size_t used = 0;
void* newest = nullptr;

void* take(size_t n) {
  size_t size = (n + kAlign - 1) & ~(kAlign - 1);
  if (size == 0) size = kAlign;
  if (n > kLarge || size > kArenaSize - used) return std::malloc(size);
  newest = arena + used;
  used += size;
  return newest;
}

void give_back(void* p) {
  char* at = static_cast<char*>(p);
  if (at < arena || at >= arena + kArenaSize) {
    std::free(p);
  } else if (p == newest) {
    used = static_cast<size_t>(at - arena);
    newest = nullptr;
  }
}

}  // namespace

void* operator new(size_t n) {
  void* p = take(n);
  if (p == nullptr) std::abort();
  return p;
}
void* operator new[](size_t n) { return operator new(n); }
void* operator new(size_t n, const std::nothrow_t&) noexcept { return take(n); }
void operator delete(void* p, const std::nothrow_t&) noexcept { give_back(p); }
void operator delete(void* p) noexcept { give_back(p); }
void operator delete(void* p, size_t) noexcept { give_back(p); }
void operator delete[](void* p) noexcept { give_back(p); }
void operator delete[](void* p, size_t) noexcept { give_back(p); }

// What libstdc++ declares has to be defined where and as it is declared.
// NOLINTBEGIN(cert-dcl58-cpp, cert-dcl50-cpp)
namespace std {
const nothrow_t nothrow{};
void __throw_length_error(const char*) { abort(); }
void __throw_logic_error(const char*) { abort(); }
void __throw_out_of_range(const char*) { abort(); }
void __throw_out_of_range_fmt(const char*, ...) { abort(); }
void __throw_invalid_argument(const char*) { abort(); }
void __throw_bad_alloc() { abort(); }
void __throw_bad_array_new_length() { abort(); }
void __throw_bad_function_call() { abort(); }
void terminate() noexcept { abort(); }
void __glibcxx_assert_fail(const char*, int, const char*, const char*) noexcept { abort(); }
}  // namespace std
// NOLINTEND(cert-dcl58-cpp, cert-dcl50-cpp)
