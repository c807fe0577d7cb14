// A fresh store in a directory of its own, and records to put in.
#pragma once

#include "messages/ids.hpp"
#include "runtime/store/connection.hpp"
#include "runtime/store/migrations.hpp"
#include "runtime/store/projects.hpp"
#include "runtime/store/sessions.hpp"
#include "tests/support/temp_dir.hpp"

#include <string>

namespace greenroom::test {

inline constexpr const char* store_url = "sqlite3://greenroom.db";

inline store::connection open_store(const temp_dir& dir,
                                    millis timeout = 5000) {
  return store::connection{store_url, dir.path(), sync_mode::normal, timeout};
}

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
  temp_dir dir;
  store::connection c = open_store(dir);

  store_fixture() {
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
