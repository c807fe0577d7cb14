// A fresh store, on each of the databases in turn, and records to put in.
#pragma once

#include "messages/ids.hpp"
#include "runtime/store/connection.hpp"
#include "runtime/store/migrations.hpp"
#include "runtime/store/projects.hpp"
#include "runtime/store/sessions.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <optional>
#include <string>

namespace greenroom::test {

enum class backend { sqlite, postgresql };

/// Where an empty store is; gone when this is.
class store_place {
public:
  /// A test that has one so is run for each kind.
  store_place() : store_place(GENERATE(backend::sqlite, backend::postgresql)) {}
  explicit store_place(backend kind) {
    if (kind == backend::postgresql)
      database_.emplace();
  }

  store::connection open(millis timeout = 5000) const {
    try {
      return {url(), dir_.path(), sync_mode::normal, timeout};
    } catch (const store::unavailable& e) {
      throw std::runtime_error(e.detail());
    }
  }
  std::string url() const {
    return database_ ? database_->url() : "sqlite3://greenroom.db";
  }
  bool is_server() const noexcept {
    return database_.has_value();
  }

private:
  temp_dir dir_;
  std::optional<postgres_database> database_;
};

inline project_record some_project(std::string id = "demo") {
  project_record project;
  project.id = std::move(id);
  project.repo = "/srv/demo.git";
  project.protected_branches = {"main"};
  return project;
}

inline session_record some_session(std::string branch,
                                   std::string project = "demo") {
  session_record session;
  session.id = make_id();
  session.project_id = std::move(project);
  session.node = "here";
  session.branch = std::move(branch);
  session.created_by = "admin";
  session.created_at = 1'000;
  session.expires_at = 2'000;
  session.epoch = 1;
  session.version = 1;
  return session;
}

/// A store with the project `demo` in it.
struct store_fixture {
  store_place place;
  store::connection c = place.open();

  store_fixture() {
    fill();
  }
  explicit store_fixture(backend kind) : place(kind) {
    fill();
  }

  void fill() {
    store::migrate(c);
    store::put_project(c, some_project());
  }

  session_record insert(session_record session, std::uint32_t max = 100) {
    auto result = store::insert_session(c, session, max);
    if (result != store::insert_result::ok)
      throw std::runtime_error("the test's session was not inserted");
    return session;
  }

  session_record end(session_record session) {
    session.status = session_status::ended;
    ++session.version;
    if (!store::update_session(c, session))
      throw std::runtime_error("the test's session was not ended");
    return session;
  }
};

/// For what is SQLite's own.
struct sqlite_fixture : store_fixture {
  sqlite_fixture() : store_fixture(backend::sqlite) {}
};

/// For what is PostgreSQL's own.
struct postgresql_fixture : store_fixture {
  postgresql_fixture() : store_fixture(backend::postgresql) {}
};

/// What a refusal said; fails the test by its text if there was none.
template <class F>
refusal refusal_of(F&& f) {
  try {
    f();
  } catch (const refused& e) {
    return {e.code(), e.what()};
  }
  return {errc::internal, "nothing was refused"};
}

} // namespace greenroom::test
