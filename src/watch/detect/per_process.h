// What a detector remembers of each process: bounded, the one that was seen least recently is forgotten
// first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>
#include <utility>

namespace immure::watch {

inline constexpr size_t kMostRemembered = 4096;  // processes of which a detector remembers something

template <class T, size_t most = kMostRemembered>
class PerProcess {
 public:
  T& of(int32_t pid) {
    auto found = index_.find(pid);
    if (found != index_.end()) {
      order_.splice(order_.begin(), order_, found->second);
      return order_.front().second;
    }
    if (index_.size() >= most) {
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    order_.emplace_front(pid, T());
    index_[pid] = order_.begin();
    return order_.front().second;
  }
  T* find(int32_t pid) {
    auto found = index_.find(pid);
    return found == index_.end() ? nullptr : &found->second->second;
  }
  void forget(int32_t pid) {
    auto found = index_.find(pid);
    if (found == index_.end()) return;
    order_.erase(found->second);
    index_.erase(found);
  }
  void clear() {
    index_.clear();
    order_.clear();
  }
  size_t size() const { return index_.size(); }

 private:
  std::list<std::pair<int32_t, T>> order_;  // the latest first
  std::unordered_map<int32_t, typename std::list<std::pair<int32_t, T>>::iterator> index_;
};

}  // namespace immure::watch
