// Which projects' owners have lately said nothing: what the shared store can
// tell as well is not asked of them again at once, so that a node that hangs
// costs one request its patience and not each.
//
// Without I/O; belongs to one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <unordered_map>

namespace greenroom::http {

class silent_owners {
public:
  using clock = std::chrono::steady_clock;

  /// After it one question is put to the owner again, to see whether it speaks.
  static constexpr std::chrono::seconds pause{5};

  /// Projects; beyond that any one is forgotten, and asked again.
  static constexpr std::size_t limit = 8192;

  /// Whether to put a question to the project's owner. Who is told so after a
  /// pause is the only one until the next.
  bool may_ask(const std::string& project_id, clock::time_point now) {
    auto found = until_.find(project_id);
    if (found == until_.end())
      return true;
    if (now < found->second)
      return false;
    found->second = now + pause;
    return true;
  }

  /// It did not answer in time.
  void said_nothing(const std::string& project_id, clock::time_point now) {
    if (until_.size() >= limit && !until_.contains(project_id))
      until_.erase(until_.begin());
    until_[project_id] = now + pause;
  }

  /// It has answered, or it is known why it cannot.
  void spoke(const std::string& project_id) {
    until_.erase(project_id);
  }

private:
  std::unordered_map<std::string, clock::time_point> until_; // by project
};

} // namespace greenroom::http
