#include "runtime/store/connection.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "runtime/store/sql.hpp"

#include <fcntl.h>

#include <soci/sqlite3/soci-sqlite3.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace greenroom::store {

namespace {

constexpr std::string_view sqlite_prefix = "sqlite3://";

std::filesystem::path database_path(const std::string& url,
                                    const std::filesystem::path& data_dir) {
  if (url.starts_with("postgresql://"))
    throw std::runtime_error("storage.url: this version keeps its data in "
                             "SQLite only; give sqlite3://PATH");
  if (!url.starts_with(sqlite_prefix) || url.size() == sqlite_prefix.size())
    throw std::runtime_error("storage.url must be sqlite3://PATH");
  auto path = data_dir / url.substr(sqlite_prefix.size());
  // SOCI's connection text knows no escapes.
  if (path.string().find('"') != std::string::npos)
    throw std::runtime_error("storage.url: the path " + path.string()
                             + " must not hold a quotation mark");
  return path;
}

// SQLite gives the files beside the database the mode of the database.
void make_private_file(const std::filesystem::path& path) {
  if (path.has_parent_path())
    ensure_dir(path.parent_path());
  unique_fd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  if (!fd)
    throw std::system_error(errno, std::generic_category(),
                            "cannot open the store " + path.string());
}

void set_up(soci::session& sql, const std::string& name, sync_mode sync,
            millis timeout) {
  sql << "PRAGMA busy_timeout = " << timeout;
  std::string mode;
  sql << "PRAGMA journal_mode = WAL", soci::into(mode);
  if (mode != "wal")
    throw std::runtime_error("the store " + name
                             + " cannot keep a write-ahead log; put it on a "
                               "local file system");
  sql << "PRAGMA synchronous = "
      << (sync == sync_mode::full ? "FULL" : "NORMAL");
  sql << "PRAGMA foreign_keys = ON";
}

// Conditions that may pass, as opposed to bugs and broken files.
bool may_pass(int result) {
  switch (result & 0xff) { // without the extension
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
      return true;
    default:
      return false;
  }
}

} // namespace

// -- connection ---------------------------------------------------------------

connection::connection(const std::string& url,
                       const std::filesystem::path& data_dir, sync_mode sync,
                       millis timeout)
  : state_(std::make_unique<state>()) {
  auto path = database_path(url, data_dir);
  make_private_file(path);
  state_->name = path.string();
  // A transaction that begins by reading may find at its first write that
  // another one was quicker; ours take the lock at once.
  state_->begin = "BEGIN IMMEDIATE";
  translated([&] {
    state_->sql.open(soci::sqlite3, "dbname=\"" + path.string() + '"');
    set_up(state_->sql, state_->name, sync, timeout);
  });
}

connection::connection(connection&&) noexcept = default;
connection& connection::operator=(connection&&) noexcept = default;
connection::~connection() = default;

// -- what the folder shares ---------------------------------------------------

void throw_store_error(const soci::soci_error& error) {
  auto detail = error.get_error_message();
  auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
  if (sqlite != nullptr && may_pass(sqlite->result()))
    throw unavailable(detail);
  throw std::runtime_error("the store failed: " + detail);
}

void check_text(const char* field, std::string_view text) {
  if (text.find('\0') != std::string_view::npos)
    throw refused(errc::bad_request,
                  std::string{field} + " must not hold a NUL character");
}

transaction::transaction(connection& c)
  : state_(c.self()), owns_(!state_.in_transaction) {
  if (owns_) {
    state_.sql << state_.begin;
    state_.in_transaction = true;
  }
}

transaction::~transaction() {
  if (!owns_)
    return;
  state_.in_transaction = false;
  try {
    state_.sql << "ROLLBACK";
  } catch (const soci::soci_error&) {
    // The database has rolled back by itself; that is what it could not do.
  }
}

void transaction::commit() {
  if (!owns_)
    return;
  state_.sql << "COMMIT";
  state_.in_transaction = false;
  owns_ = false;
}

} // namespace greenroom::store
