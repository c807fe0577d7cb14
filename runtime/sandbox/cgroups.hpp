// Control groups: how much memory, how many processes and how much time of
// processors a session may use.
//
// Below the group that the node itself is in, each session has one of its own,
// `greenroom/<session id>`, in every hierarchy that serves: cgroups v2 where
// they are delegated to us, v1 otherwise, both mixed if need be. The node is
// in none of them, so that no limit ever holds for it. Where the cpu
// controller is there, the sessions share the processor fairly.
//
// Immutable once found; any thread may use it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom::sandbox {

class control_groups {
public:
  struct limits {
    std::uint64_t memory; // bytes
    std::uint32_t processes;
    std::uint32_t processors = 0; // 0: all
  };

  /// None at all.
  control_groups() = default;

  /// Looks what this host has to offer, and tries it with a group that is gone
  /// again afterwards. With v2 the node may move itself into a group `node`
  /// below its own, since only groups without processes can be divided. What
  /// cannot be had is in missing(), and no error.
  static control_groups find(limits each);

  /// Makes the session's groups, or sets the limits of those that are there,
  /// and answers their directories. Throws std::system_error.
  std::vector<std::string> open(const std::string& session_id) const;

  /// Where open() makes them, be they there or not. A node that was started
  /// elsewhere has others for the same session: those in its plan.
  std::vector<std::string> directories(const std::string& session_id) const;

  /// A directory of the host and where programs look for it.
  struct view {
    std::filesystem::path from;
    std::filesystem::path at;
  };
  /// What a session's programs are to see of control groups, so that those that
  /// size themselves by their limits find its own: its groups, and of v1 the
  /// node's in hierarchies that it has none in, which runtimes want to be
  /// there.
  std::vector<view> views(const std::string& session_id) const;

  bool limits_memory() const noexcept;
  bool limits_processes() const noexcept;

  /// A sentence for each limit that is not in force.
  const std::vector<std::string>& missing() const noexcept {
    return missing_;
  }

private:
  struct setting {
    std::string file;
    std::string value;
    bool optional = false; // not every kernel has the file
  };
  struct hierarchy {
    std::filesystem::path top;      // sessions' groups are made in it
    std::filesystem::path shown_at; // where its mount is inside
    std::vector<std::string> controllers;
    std::vector<setting> settings;
  };

  bool has(std::string_view controller) const noexcept;
  static std::string open_in(const hierarchy& where,
                             const std::string& session_id);

  std::vector<hierarchy> hierarchies_;
  std::vector<view> others_; // the same for all sessions
  std::vector<std::string> missing_;

  friend class group_search;
};

/// Kills what is left in the groups and removes them; groups that are gone
/// already are fine. False if something in one would not die within a second.
bool remove_groups(const std::vector<std::string>& directories);

} // namespace greenroom::sandbox
