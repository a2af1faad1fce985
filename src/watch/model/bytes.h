// Numbers as little-endian bytes, and back. For the files of a model and of a baseline.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace immure::watch {

template <class T>
void put(std::string& out, T value) {
  for (size_t i = 0; i < sizeof value; ++i)
    out += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i) & 0xff);
}

inline void put_number(std::string& out, double value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  put(out, bits);
}

template <class T>
void put_all(std::string& out, const std::vector<T>& all) {
  put(out, static_cast<uint32_t>(all.size()));
  for (T one : all) put(out, one);
}

// Takes numbers off the beginning of bytes; once they are not there, it gives zeros and is not good().
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : rest_(bytes) {}
  bool good() const { return good_; }
  bool done() const { return good_ && rest_.empty(); }

  template <class T>
  T take() {
    if (rest_.size() < sizeof(T)) {
      good_ = false;
      rest_ = {};
      return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i)
      value |= static_cast<uint64_t>(static_cast<uint8_t>(rest_[i])) << (8 * i);
    rest_.remove_prefix(sizeof(T));
    return static_cast<T>(value);
  }
  double take_number() {
    auto bits = take<uint64_t>();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  // `size` bytes as they are, views into what was given; "" when they are not there.
  std::string_view take_text(size_t size) {
    if (rest_.size() < size) {
      good_ = false;
      rest_ = {};
    }
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(text.size());
    return good_ ? text : std::string_view();
  }
  // How many things of `size` bytes follow; no more than there are bytes for.
  uint32_t count(size_t size) {
    auto many = take<uint32_t>();
    if (many > rest_.size() / size) {
      good_ = false;
      rest_ = {};
      return 0;
    }
    return many;
  }
  template <class T>
  void take_all(std::vector<T>& all) {
    all.resize(count(sizeof(T)));
    for (T& one : all) one = take<T>();
  }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace immure::watch
