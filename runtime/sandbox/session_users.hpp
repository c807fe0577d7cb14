// Which user of the host a session's files and programs belong to.
//
// Where the host grants the node a range of users, each session has one of its
// own (runner/outer/user_namespaces.hpp): what the kernel limits by user is
// then counted for that session alone. The owner of its home tells which one,
// so that it outlives the node, and a backup of it. A user is given to another
// session when none of its files are left. Sessions that were made without one
// go on so.
//
// One for a node, made at its start; any thread may use it. Users are numbers
// of the host.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom::sandbox {

/// As many users as groups, from a first one on.
struct user_range {
  uid_t first_user = 0;
  gid_t first_group = 0;
  std::uint32_t count = 0;
  // Where to begin: nodes of one user on a machine have the same range, and are
  // not to give the same of it first.
  std::uint32_t start = 0;
};

/// Whose files a session's are.
struct session_user {
  uid_t user = 0;
  gid_t group = 0;
  friend bool operator==(const session_user&, const session_user&) = default;
};

/// The range of a user, named or by number, in the text of /etc/subuid or
/// subgid: first and count of its longest line. nullopt where it has none.
std::optional<std::pair<std::uint32_t, std::uint32_t>>
granted(std::string_view text, std::string_view name, uid_t number);

using furnish_home = std::function<void(const std::filesystem::path& home)>;

class session_users {
public:
  /// By /etc/subuid and /etc/subgid. Root needs no entry there: it takes a
  /// range that nobody else is given by convention. Nothing where the node has
  /// none, and then why not. `runner` is greenroom-runner.
  static std::shared_ptr<session_users> find(std::filesystem::path sessions,
                                             std::filesystem::path runner,
                                             std::string& why_not);

  /// A node that is no root reaches the files of others by `runner`.
  session_users(user_range range, std::filesystem::path sessions,
                std::filesystem::path runner);

  /// Makes the session's home and /tmp where they are missing, of a user of its
  /// own; those that are there decide, and a checkout without them does.
  /// `furnish` puts into a new home what belongs there. `kept` is a user whom
  /// the caller has for the session, if it has none yet. nullopt: the session's
  /// files are the node's. Throws std::runtime_error when there are more
  /// sessions than users.
  std::optional<session_user>
  settle(const std::filesystem::path& session, const furnish_home& furnish = {},
         const std::optional<session_user>& kept = std::nullopt);

  /// How many sessions may have users of their own.
  std::uint32_t count() const noexcept {
    return range_.count;
  }

  /// Makes what lies there the user's, directories with all that is in them;
  /// nobody may write there meanwhile. Throws std::system_error or
  /// std::runtime_error.
  void give(const std::vector<std::filesystem::path>& paths,
            const session_user& whose) const;

  /// The same of a checkout, whose `.git` has a last word in between, after the
  /// files and before itself: what is written of the files in there.
  void give_checkout(const std::filesystem::path& top,
                     const session_user& whose,
                     const std::function<void()>& in_between) const;

  /// Of that the last part, where the files are the user's already: `.git` and
  /// the directory itself.
  void give_top(const std::filesystem::path& top,
                const session_user& whose) const;

  /// Makes what lies there the node's, so that it can be removed: nothing to do
  /// for root, nor where it is so. Throws as give().
  void take_back(const std::vector<std::filesystem::path>& paths) const;

  /// What a program has to be run with so that it may do with all sessions'
  /// files what their owners may, and sees the node's user as 0 and the range
  /// from 1 on.
  std::vector<std::string> reaching_all() const;

private:
  session_user next();
  void look_for_free();
  void change_owner(const std::vector<std::filesystem::path>& paths, uid_t user,
                    gid_t group, bool deep) const;
  void make_directories(const std::filesystem::path& session,
                        const session_user& whose,
                        const furnish_home& furnish) const;

  const user_range range_;
  const std::filesystem::path sessions_;
  const std::filesystem::path runner_;
  std::mutex mutex_;
  std::vector<std::uint32_t> free_; // offsets in the range, the next one last
};

/// Makes the session's home and /tmp. The user whose they are, unless it is the
/// node's own.
std::optional<session_user>
settle(session_users* users, const std::filesystem::path& session,
       const furnish_home& furnish = {},
       const std::optional<session_user>& kept = std::nullopt);

/// As session_users::take_back, where there are any.
void take_back(const session_users* users,
               const std::vector<std::filesystem::path>& paths);

} // namespace greenroom::sandbox
