// A PostgreSQL server of the tests' own: Debian's program on a directory and a
// Unix socket that are gone when this is.
//
// Not durable if not told so, which makes it quick: that commits survive a
// power cut is PostgreSQL's business. As root it runs as the user `postgres`.
#pragma once

#include "tests/support/temp_dir.hpp"

#include <sys/types.h>

#include <string>

namespace greenroom::test {

class postgres_server {
public:
  /// Makes a cluster, starts it, and waits until it answers. Throws
  /// std::runtime_error, with the server's log, where that fails.
  explicit postgres_server(bool durable = false);
  postgres_server(const postgres_server&) = delete;
  postgres_server& operator=(const postgres_server&) = delete;
  ~postgres_server();

  /// One server for a whole test program.
  static postgres_server& shared();

  /// Ends it at once and cuts all connections, as a crash does.
  void stop();
  void start();
  /// It stands still between the two.
  void pause();
  void resume();

  /// Makes an empty database, or a copy of one that nobody is connected to;
  /// returns its URL.
  std::string make_database(const std::string& copy_of = {});
  void drop_database(const std::string& url);

  /// Runs SQL as the administrator, in the database `postgres` where none is
  /// given.
  void execute(const std::string& sql, const std::string& url = {});

private:
  void signal_all(int number);
  std::string url_of(const std::string& database) const;
  static std::string name_in(const std::string& url);
  std::string log() const;

  temp_dir dir_;
  const bool durable_;
  pid_t pid_ = -1;
  int made_ = 0; // databases
};

/// A database of the shared server, empty or a copy, for as long as this lives.
class postgres_database {
public:
  explicit postgres_database(const std::string& copy_of = {})
    : url_(postgres_server::shared().make_database(copy_of)) {}
  postgres_database(const postgres_database&) = delete;
  postgres_database& operator=(const postgres_database&) = delete;
  ~postgres_database() {
    postgres_server::shared().drop_database(url_);
  }

  const std::string& url() const noexcept {
    return url_;
  }

private:
  std::string url_;
};

} // namespace greenroom::test
