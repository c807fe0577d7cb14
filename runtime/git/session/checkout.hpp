// Makes clean checkouts: a session's clone, and the one that a review looks at.
//
// A checkout is a repository of its own that borrows the mirror's objects. It
// is made by the server itself, beside its place: nobody else can write there.
// Once it is whole, and survives a power cut where it is to, it is put into its
// place, and from then on the server only looks at it through sandboxed_git.
// What is made but not in place can be made again at any time.
#pragma once

#include "runtime/git/inside/repo.hpp"
#include "runtime/git/session/other_work.hpp"
#include "runtime/git/session/warm_tree.hpp"
#include "runtime/sandbox/session_users.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace greenroom::git {

/// What the checkout calls `origin`.
struct origin_spec {
  std::string url;
  std::string proxy;          // value of core.gitProxy; empty: none
  std::string default_branch; // where refs/remotes/origin/HEAD leads
};

struct checkout_spec {
  checkout_paths paths;
  std::string branch;
  std::string commit; // empty: the branch has no commit yet
  // The upstream's branches and tags as mirror::upstream_refs gives them; they
  // become refs/remotes/origin/* and refs/tags/*.
  std::map<std::string, std::string> upstream_refs;
  // Who the files will belong to in the eyes of those who work there, user and
  // group alike, where that is not who they belong to here: git would read
  // all files again to find that none has changed.
  std::optional<std::uint32_t> seen_owner = std::nullopt;
  origin_spec origin{};
  // Of one that is made again from a checkpoint: the commit whose tree lies
  // there, nothing of which is committed (empty: the branch's own), and what
  // there is besides the branch.
  std::string work_tree{};
  other_work others{};
  // Whose the files will be here, where that is not the node's user, and who
  // gives them away then.
  std::optional<sandbox::session_user> owner = std::nullopt;
  std::shared_ptr<sandbox::session_users> users = nullptr;
  // A work tree to begin with, of a commit with a near tree (warm_tree.hpp);
  // it is used up. Of no use, the checkout is made without it.
  std::shared_ptr<const warm_tree> warm = nullptr;
  tree_limits limits{};
};

/// Makes the clone, whole or not at all, with the branch checked out; it is not
/// in its place yet. Where a checkout is in place already and stands on the
/// branch, nothing is done; throws refused(conflict) if it stands elsewhere, or
/// for more files than `limits`.
/// Answers how much it has made.
tree_size make_checkout(const checkout_spec& spec);

/// Puts what make_checkout has made into its place; nothing is done where that
/// has been done. With `durable` all of it is on disk before.
void install_checkout(const std::filesystem::path& checkout, bool durable);

/// Removes what was made for a checkout and is not in its place, and waits for
/// whoever makes or places it.
void discard_unplaced(const std::filesystem::path& checkout);

/// Where a checkout lies until it is in its place.
std::filesystem::path unplaced(const std::filesystem::path& checkout);

} // namespace greenroom::git
