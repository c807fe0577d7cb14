#include "runtime/store/connection.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/utf8.hpp"
#include "runtime/store/postgresql.hpp"
#include "runtime/store/sql.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <soci/sqlite3/soci-sqlite3.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace greenroom::store {

namespace {

constexpr std::string_view sqlite_prefix = "sqlite3://";
constexpr std::string_view server_prefix = "postgresql://";

// How long a store that could not be reached is not tried again: who waits for
// it meanwhile is told at once.
constexpr std::chrono::milliseconds pause{500};

// 0, or why a file that is there cannot be used; without opening it.
int fault_of(const std::filesystem::path& path) {
  std::error_code none;
  if (std::filesystem::is_directory(path, none))
    return EISDIR;
  return ::access(path.c_str(), R_OK | W_OK) == 0 ? 0 : errno;
}

// SQLite gives the files beside the database the mode of the database. One that
// is there is not opened: whoever closes it drops the locks that this process's
// other connections have on it, and the next program that looks at the store
// then takes itself for the last one, and removes the log in which they write.
void make_private_file(const std::filesystem::path& path) {
  if (path.has_parent_path())
    ensure_dir(path.parent_path());
  unique_fd fd{
    ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  auto error = fd ? 0 : errno;
  if (error == EEXIST)
    error = fault_of(path);
  if (error != 0)
    throw std::system_error(error, std::generic_category(),
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
bool may_pass(const soci::soci_error& error) {
  auto* known = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
  if (known == nullptr)
    return false;
  switch (known->result() & 0xff) { // without the extension
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

void open_file(connection::state& state, const std::filesystem::path& path,
               sync_mode sync, millis timeout) {
  make_private_file(path);
  state.name = path.string();
  // A transaction that begins by reading may find at its first write that
  // another one was quicker; ours take the lock at once.
  state.begin = "BEGIN IMMEDIATE";
  state.now = "(CAST(strftime('%s', 'now') AS INTEGER) * 1000"
              " + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER))";
  state.may_pass = may_pass;
  state.sql.open(soci::sqlite3, "dbname=\"" + path.string() + '"');
  set_up(state.sql, state.name, sync, timeout);
}

} // namespace

// -- connection ---------------------------------------------------------------

std::string store_name(const std::string& url) {
  return is_embedded(url) ? url : postgresql::place_of(url);
}

std::filesystem::path store_file(const std::string& url,
                                 const std::filesystem::path& data_dir) {
  if (!url.starts_with(sqlite_prefix) || url.size() == sqlite_prefix.size())
    throw std::runtime_error("storage.url must be sqlite3://PATH or "
                             "postgresql://USER@HOST/DATABASE");
  auto path = data_dir / url.substr(sqlite_prefix.size());
  // SOCI's connection text knows no escapes.
  if (path.string().find('"') != std::string::npos)
    throw std::runtime_error("storage.url: the path " + path.string()
                             + " must not hold a quotation mark");
  return path;
}

bool is_embedded(const std::string& url) {
  return !url.starts_with(server_prefix);
}

connection::connection(const std::string& url,
                       const std::filesystem::path& data_dir, sync_mode sync,
                       millis timeout)
  : state_(std::make_unique<state>()) {
  translated(*this, [&] {
    if (is_embedded(url)) {
      open_file(*state_, store_file(url, data_dir), sync, timeout);
    } else {
      state_->name = postgresql::place_of(url);
      postgresql::prepare(*state_, url, timeout);
      state_->open();
    }
  });
}

connection::connection(connection&&) noexcept = default;
connection& connection::operator=(connection&&) noexcept = default;
connection::~connection() = default;

void copy_to(connection& c, const std::filesystem::path& file) {
  translated(c, [&] {
    const auto path = file.string();
    c.self().sql << "VACUUM INTO :file", soci::use(path, "file");
  });
}

// -- what the folder shares ---------------------------------------------------

bool is_lost(connection::state& state) {
  return state.open && postgresql::is_lost(state);
}

void heal(connection::state& state) {
  if (!is_lost(state))
    return;
  auto now = std::chrono::steady_clock::now();
  if (now < state.closed_until)
    throw unavailable(state.name + " is still away");
  try {
    state.open();
  } catch (const soci::soci_error& e) {
    state.closed_until = std::chrono::steady_clock::now() + pause;
    throw unavailable(e.get_error_message());
  }
}

void throw_store_error(connection::state& state,
                       const soci::soci_error& error) {
  auto detail = error.get_error_message();
  if (state.is_collision != nullptr && state.is_collision(error))
    throw collided(detail);
  if (is_lost(state) || (state.may_pass != nullptr && state.may_pass(error)))
    throw unavailable(detail);
  throw std::runtime_error("the store failed: " + detail);
}

std::string as_text(std::string text) {
  if (!is_utf8(text))
    for (char& c : text)
      if (static_cast<unsigned char>(c) >= 0x80)
        c = '?';
  return text;
}

void check_text(const char* field, std::string_view text) {
  if (text.find('\0') != std::string_view::npos)
    throw refused(errc::bad_request,
                  std::string{field} + " must not hold a NUL character");
}

transaction::transaction(connection& c)
  : state_(c.self()), owns_(!state_.in_transaction) {
  if (!owns_)
    return;
  heal(state_);
  try {
    state_.sql << state_.begin;
  } catch (const soci::soci_error&) {
    if (!is_lost(state_))
      throw;
    heal(state_);
    state_.sql << state_.begin;
  }
  state_.in_transaction = true;
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
  if (state_.open && postgresql::is_spoiled(state_))
    throw std::runtime_error("the store failed: a statement of a transaction "
                             "failed, and was passed over");
  try {
    state_.sql << "COMMIT";
  } catch (const soci::soci_error& e) {
    if (is_lost(state_))
      throw uncertain(e.get_error_message());
    throw;
  }
  state_.in_transaction = false;
  owns_ = false;
}

} // namespace greenroom::store
