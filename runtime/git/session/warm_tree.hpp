// A work tree that was checked out ahead, for some checkout to be made of it.
//
// In a directory of its own, which no session ever sees:
//
//   tree        the files, as a fresh checkout of `commit` has them
//   index       what git notes of them
//   home, tmp   where sessions have users of their own: of the one whose the
//               files are, who is nobody else's by that
//
// make_checkout moves both of the first to the checkout and has git write what
// differs. What comes of it is what a fresh checkout would have been, times
// apart; where that is not certain it is not used.
#pragma once

#include "runtime/git/common/tree_size.hpp"
#include "runtime/sandbox/session_users.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace greenroom::git {

struct warm_tree {
  std::filesystem::path dir;
  std::string commit;
  std::optional<sandbox::session_user> owner; // nullopt: the node's user
  tree_size size;
};

/// What differs between two commits' trees, as far as it matters here.
struct tree_distance {
  std::size_t files = 0;   // added, removed or changed; counted to a bound
  std::uint64_t bytes = 0; // of what was added or changed
  // Attributes are among it, by which git may write files otherwise that do
  // not differ themselves, or submodules.
  bool special = false;
};

/// True where a tree of so many files may become the other one.
bool is_near(const tree_distance& between, std::size_t files);

/// How far it is between two commits of the mirror, counted no further than
/// is_near needs it.
tree_distance distance(const std::filesystem::path& mirror,
                       const std::string& from, const std::string& to,
                       std::size_t files);

struct warm_spec {
  std::filesystem::path dir; // is there, and has nothing but home and tmp
  std::filesystem::path mirror;
  std::string commit;
  std::optional<std::uint32_t> seen_owner; // as of checkout_spec
  std::optional<sandbox::session_user> owner = std::nullopt;
  std::shared_ptr<sandbox::session_users> users = nullptr;
  int stop_fd = -1; // borrowed: readable, git is ended, and it throws
  tree_limits limits{};
};

/// Checks a commit out ahead. What it has made by then stays where it throws.
warm_tree make_warm_tree(const warm_spec& spec);

/// Removes what is left of one.
void remove_warm_tree(const std::filesystem::path& dir,
                      const sandbox::session_users* users);

} // namespace greenroom::git
