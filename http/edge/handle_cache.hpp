// Handles of actors by the id that clients use.
//
// Bounded by forgetting: a handle that is gone is asked for again. Belongs to
// one thread.
#pragma once

#include <caf/actor_addr.hpp>

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace greenroom::http {

template <class Handle>
class handle_cache {
public:
  static constexpr std::size_t limit = 8192;

  struct entry {
    std::string project_id; // under which the handle was looked up
    Handle handle;
  };

  /// Null: not known.
  const entry* find(std::string_view id) const {
    auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &found->second;
  }

  void put(const std::string& id, std::string project_id, Handle handle) {
    erase(id);
    if (by_id_.size() >= limit)
      erase(std::string{by_id_.begin()->first});
    by_address_[handle.address()] = id;
    by_id_.emplace(id, entry{std::move(project_id), std::move(handle)});
  }

  void erase(std::string_view id) {
    auto found = by_id_.find(id);
    if (found == by_id_.end())
      return;
    by_address_.erase(found->second.handle.address());
    by_id_.erase(found);
  }

  void erase(const caf::actor_addr& address) {
    auto found = by_address_.find(address);
    if (found == by_address_.end())
      return;
    by_id_.erase(found->second);
    by_address_.erase(found);
  }

private:
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };

  std::unordered_map<std::string, entry, hash, std::equal_to<>> by_id_;
  std::unordered_map<caf::actor_addr, std::string> by_address_;
};

} // namespace greenroom::http
