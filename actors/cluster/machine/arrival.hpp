// What a node that has come waits for before it says that it can serve: that
// what is to be its own is taken up, and that it reaches the others.
//
// Only then are its answers as good as theirs. Once is enough: what is lost
// later is for requests to say. Nor is it waited for longer than a lease, after
// which a node that is not reached is no reason against this one.
#pragma once

#include "messages/cluster.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace greenroom::cluster {

/// Sentences; empty: nothing is missing. `nodes` are all, `reached` those with
/// a link, by name; `to_take_up` the projects that are to be this node's.
std::vector<std::string> missing_for(const std::string& node,
                                     const std::vector<node_record>& nodes,
                                     const std::map<std::string, bool>& reached,
                                     const std::set<std::string>& to_take_up);

/// What is missing yet, for any thread; one tells.
class arrival {
public:
  std::vector<std::string> missing() const;
  bool is_over() const noexcept {
    return over_;
  }
  void wait_for(std::vector<std::string> missing);
  /// For good.
  void end();

private:
  mutable std::mutex mutex_;
  std::vector<std::string> missing_{
    "the store has not said yet which nodes there are"};
  std::atomic<bool> over_{false};
};

} // namespace greenroom::cluster
