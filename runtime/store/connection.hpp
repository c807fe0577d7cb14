// One connection to the store: what everything durable but files lies in.
//
// The other headers of this folder say what can be asked of it: migrate once
// at start, then sessions, projects, keys, and many writes at once by
// run_batch. Whoever makes a connection owns it; one thread at a time uses it,
// and several connections may work on one store at the same time.
//
// Every function that writes is atomic, and when it returns outside a batch
// the change is committed. All throw:
//   store::unavailable   the store is locked, full or gone; nothing happened,
//                        and trying again may help
//   store::uncertain     the store was lost while it committed: the change is
//                        there or not, and only a look can tell
//   refused              what was asked cannot be done
//   std::runtime_error   the store is not what this program can work with
#pragma once

#include "messages/errors.hpp"
#include "messages/time.hpp"
#include "runtime/config/sync_mode.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

namespace greenroom::store {

class unavailable : public refused {
public:
  explicit unavailable(std::string detail)
    : refused(errc::unavailable, "the store cannot be reached, try again"),
      detail_(std::move(detail)) {}

  /// What the database said: for the log, not for clients.
  const std::string& detail() const noexcept {
    return detail_;
  }

private:
  std::string detail_;
};

class uncertain : public refused {
public:
  explicit uncertain(std::string detail)
    : refused(errc::timeout, "the store was lost while it made the change: it "
                             "is made or not, look before you try again"),
      detail_(std::move(detail)) {}

  const std::string& detail() const noexcept {
    return detail_;
  }

private:
  std::string detail_;
};

/// What a store's URL names, for messages: without user and password.
std::string store_name(const std::string& url);

/// The store is a file of this node's alone, and not a server's.
bool is_embedded(const std::string& url);

/// The file of an embedded store; a relative path is below `data_dir`.
std::filesystem::path store_file(const std::string& url,
                                 const std::filesystem::path& data_dir);

class connection {
public:
  /// `url` is sqlite3://PATH, where a relative path is below `data_dir`; the
  /// file and its directory are made where they do not exist. Or it is what
  /// PostgreSQL's library takes, postgresql://USER@HOST/DATABASE; then how
  /// durable a commit is, is for the server's settings to say, and a connection
  /// that is lost is made anew when it is next used. A statement waits up to
  /// `timeout` for other connections' locks.
  connection(const std::string& url, const std::filesystem::path& data_dir,
             sync_mode sync, millis timeout = 5000);
  connection(connection&&) noexcept;
  connection& operator=(connection&&) noexcept;
  ~connection();

  struct state;

  /// For this folder's own sources (runtime/store/sql.hpp).
  state& self() noexcept {
    return *state_;
  }

private:
  std::unique_ptr<state> state_;
};

/// Writes an embedded store as it is at this moment to a file that is not there
/// yet, while others work on it.
void copy_to(connection& c, const std::filesystem::path& file);

} // namespace greenroom::store
