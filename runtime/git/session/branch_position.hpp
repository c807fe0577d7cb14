// Where a session's branch stands, read straight from its files.
//
// The server may do this itself, often and beside running commands: it only
// reads a few small files below `.git`, follows no link, and waits for nothing.
// What it finds is what the session says: the commit need not exist.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::git {

struct branch_position {
  std::optional<std::string> commit; // nullopt: no such branch, or unreadable
  bool checked_out = false;          // HEAD is on the branch
};

branch_position find_branch(const std::filesystem::path& checkout,
                            std::string_view branch);

} // namespace greenroom::git
