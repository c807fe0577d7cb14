// Keeps a checkout ready for the next session of each large project, and the
// packs of each project's mirror indexed, which its clones gain by.
//
// One for a node; any thread may use it. It makes one at a time, by a thread
// that leaves processor and disk to everybody else, of where the project's
// default branch stands by then. Nobody waits for it: a session gets what is
// ready, or a checkout as usual. One is made after a session of the project
// was; it stays until a session takes it, the branch has gone too far from it,
// or the project is gone. Those that were used least recently go when
// there are more projects than `projects`, when nobody took them for a day, and
// all of them where the disk has little room. Nothing of it outlives the node:
// what a node finds at its start is removed.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/git/mirror/mirror.hpp"
#include "runtime/git/session/warm_tree.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace greenroom::git {

struct warm_limits {
  std::size_t projects = 0; // 0: nothing is kept
  // A checkout of fewer files takes less than 0.2 s (bench/README.md).
  std::size_t min_files = 5000;
  // False where the mirror of that name is no project's any more. Asked now and
  // then by the keeper's thread; where it throws, or is not set, it is.
  std::function<bool(const std::string& mirror)> is_wanted{};
};

/// Whose they are and where; as in checkout_spec.
struct warm_place {
  std::filesystem::path sessions; // they lie in here, as warm.1, warm.2, …
  std::optional<std::uint32_t> seen_owner = std::nullopt;
  std::shared_ptr<sandbox::session_users> users = nullptr;
  tree_limits limits{};
};

class warm_checkouts {
public:
  warm_checkouts(warm_limits limits, warm_place where);
  warm_checkouts(const warm_checkouts&) = delete;
  warm_checkouts& operator=(const warm_checkouts&) = delete;

  /// Ends what is being made. Nobody may have a tree of it any more.
  ~warm_checkouts();

  using tree_ptr = std::shared_ptr<const warm_tree>;

  /// The one of a project, where it is ready and its tree near that of
  /// `commit`: the caller's alone, and what is left of it goes with the last
  /// pointer to it. nullptr: there is none.
  tree_ptr take(const mirror& of, const std::string& commit);

  /// A session of the project was made, of so many files: another may follow,
  /// beginning with this branch, and clones of it.
  void want(const mirror& of, const std::string& branch, const tree_size& size);

  /// Its project is gone, the mirror is nobody's.
  void forget(const std::filesystem::path& mirror);

  /// Drops what is nobody's, too old, or in the way of those who need the disk.
  /// It does so itself once a minute.
  void look_after();

  /// Returns when all that was wanted is there, or cannot be. For tests.
  void wait_until_done();

private:
  using clock = std::chrono::steady_clock;

  struct wish {
    git::mirror of;
    std::string branch;
    tree_size size;
  };

  struct kept {
    std::filesystem::path mirror;
    tree_ptr tree;
    clock::time_point since;
  };

  std::list<kept>::iterator find(const std::filesystem::path& mirror);
  void work();
  void aside(std::unique_lock<std::mutex>& lock,
             const std::function<void()>& what);
  void remove(const std::filesystem::path& dir);
  void fulfil(const wish& what);
  void index(const std::filesystem::path& mirror);
  bool is_wanted(const std::filesystem::path& mirror) const;
  bool is_kept(const wish& what, const std::string& tip);
  tree_ptr make(const wish& what, const std::string& tip);
  tree_ptr owned(warm_tree tree);
  void doom(const std::filesystem::path& dir);
  void keep(const wish& what, tree_ptr tree);
  bool has_room(std::uint64_t bytes) const;

  const warm_limits limits_;
  const warm_place where_;
  unique_fd stop_; // an eventfd, readable when it is time to stop
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool busy_ = false;    // with something that left the lists below
  std::list<kept> kept_; // used least recently first
  std::list<wish> wishes_;
  std::optional<std::filesystem::path> making_; // the mirror; reset: forgotten
  std::vector<std::filesystem::path> doomed_;   // directories that are to go
  std::uint64_t made_ = 0;                      // the thread's
  // When packs were last indexed, or could not be; the thread's.
  std::map<std::filesystem::path, clock::time_point> indexed_;
  std::thread thread_;
};

} // namespace greenroom::git
