// What sessions of a node hold of the machine: to be compared before and after.
#pragma once

#include "tests/support/node_process.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <set>
#include <string>

namespace greenroom::test {

struct left_behind {
  std::size_t processes = 0;      // runners and what they started
  std::size_t control_groups = 0; // in all hierarchies
  std::size_t directories = 0;    // and files that live as sessions do
  friend bool operator==(const left_behind&, const left_behind&) = default;
  friend std::ostream& operator<<(std::ostream& out, const left_behind& of) {
    return out << of.processes << " processes, " << of.control_groups
               << " control groups, " << of.directories << " directories";
  }
};

/// All sessions that the node has ever had: they keep their timelines.
inline std::set<std::string> session_ids(const node_process& node) {
  std::set<std::string> result;
  for (auto& entry :
       std::filesystem::directory_iterator{node.data_dir() / "sessions"})
    result.insert(entry.path().filename().string());
  return result;
}

inline std::size_t processes_of(const std::set<std::string>& ids) {
  const std::string mark = "GREENROOM_SESSION_ID=";
  std::size_t count = 0;
  for (auto& entry : std::filesystem::directory_iterator{"/proc"}) {
    auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos)
      continue;
    std::ifstream file{entry.path() / "environ", std::ios::binary};
    std::string text{std::istreambuf_iterator<char>{file}, {}};
    auto at = text.find(mark);
    if (at != std::string::npos
        && ids.contains(text.substr(at + mark.size(), 20)))
      ++count;
  }
  return count;
}

inline std::size_t control_groups_of(const std::set<std::string>& ids) {
  const std::filesystem::path root = "/sys/fs/cgroup";
  if (!std::filesystem::exists(root))
    return 0;
  std::size_t count = 0;
  std::error_code gone;
  do { // groups come and go, and a look ends at one that goes
    count = 0;
    gone.clear();
    std::filesystem::recursive_directory_iterator at{
      root, std::filesystem::directory_options::skip_permission_denied, gone};
    for (; !gone && at != std::filesystem::recursive_directory_iterator{};
         at.increment(gone))
      if (ids.contains(at->path().filename().string()))
        ++count;
  } while (gone);
  return count;
}

/// Of these sessions, whether the node knows them still or not.
inline left_behind left_by(const node_process& node,
                           const std::set<std::string>& ids) {
  left_behind result{processes_of(ids), control_groups_of(ids), 0};
  for (auto& id : ids)
    for (auto name : {"checkout", "checkout.partial", "checkout.removed",
                      "home", "tmp", "origin", "runner.json", "runner.sock"})
      if (std::filesystem::exists(std::filesystem::symlink_status(
            node.data_dir() / "sessions" / id / name)))
        ++result.directories;
  return result;
}

inline left_behind left_by_sessions(const node_process& node) {
  return left_by(node, session_ids(node));
}

} // namespace greenroom::test
