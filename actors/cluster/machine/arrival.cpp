#include "actors/cluster/machine/arrival.hpp"

#include <utility>

namespace greenroom::cluster {

namespace {

void add(std::string& list, const std::string& name) {
  list += list.empty() ? name : ", " + name;
}

} // namespace

std::vector<std::string> missing_for(const std::string& node,
                                     const std::vector<node_record>& nodes,
                                     const std::map<std::string, bool>& reached,
                                     const std::set<std::string>& to_take_up) {
  std::string unreached;
  for (auto& other : nodes) {
    auto link = reached.find(other.name);
    if (other.name != node && other.lease_left > 0
        && (link == reached.end() || !link->second))
      add(unreached, other.name);
  }
  std::string projects;
  for (auto& id : to_take_up)
    add(projects, id);
  std::vector<std::string> result;
  if (!unreached.empty())
    result.push_back("the node has come just now, and is not linked yet with: "
                     + unreached);
  if (!projects.empty())
    result.push_back("the node has come just now, and does not serve yet what "
                     "is its own of the projects: "
                     + projects);
  return result;
}

std::vector<std::string> arrival::missing() const {
  std::lock_guard guard{mutex_};
  return missing_;
}

void arrival::wait_for(std::vector<std::string> missing) {
  std::lock_guard guard{mutex_};
  missing_ = std::move(missing);
}

void arrival::end() {
  wait_for({});
  over_ = true;
}

} // namespace greenroom::cluster
