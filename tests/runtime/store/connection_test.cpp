#include "tests/runtime/store/fixture.hpp"

#include "runtime/base/files.hpp"
#include "runtime/store/api_keys.hpp"
#include "runtime/store/batch.hpp"
#include "runtime/store/outbox.hpp"
#include "runtime/store/sql.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

using namespace greenroom;
using namespace greenroom::store;
using namespace greenroom::test;
using Catch::Contains;

namespace {

constexpr const char* store_url = "sqlite3://greenroom.db";

std::string open_error(const std::string& url,
                       const std::filesystem::path& dir) {
  try {
    connection{url, dir, sync_mode::full};
  } catch (const std::exception& e) {
    return e.what();
  }
  return "no error";
}

template <class T>
T pragma(connection& c, const std::string& name) {
  T result{};
  c.self().sql << "PRAGMA " + name, soci::into(result);
  return result;
}

} // namespace

TEST_CASE("a store is made where the URL says, for its owner only") {
  temp_dir dir;
  auto data_dir = dir.path() / "a directory" / "data";
  connection relative{"sqlite3://sub/x.db", data_dir, sync_mode::full};
  migrate(relative);
  for (const char* name : {"x.db", "x.db-wal"}) {
    struct stat info;
    REQUIRE(::stat((data_dir / "sub" / name).c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
  auto path = dir.path() / "absolute.db";
  connection absolute{"sqlite3://" + path.string(), data_dir, sync_mode::full};
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("a store that is open stays locked when it is opened again") {
  temp_dir dir;
  connection first{store_url, dir.path(), sync_mode::full};
  migrate(first);
  connection second{store_url, dir.path(), sync_mode::full};
  // Another process, for one's own locks are never in one's own way.
  auto child = ::fork();
  if (child == 0) {
    auto fd = ::open((dir.path() / "greenroom.db").c_str(), O_RDWR);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    ::_exit(::fcntl(fd, F_GETLK, &whole) == 0 ? whole.l_type : -1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == F_RDLCK);
}

TEST_CASE("writes are as durable as the configuration says") {
  temp_dir dir;
  connection c{store_url, dir.path(), sync_mode::normal};
  CHECK(pragma<std::string>(c, "journal_mode") == "wal");
  CHECK(pragma<int>(c, "synchronous") == 1);
  CHECK(pragma<int>(c, "foreign_keys") == 1);
  CHECK(pragma<int>(c, "busy_timeout") == 5000);
  connection full{store_url, dir.path(), sync_mode::full};
  CHECK(pragma<int>(full, "synchronous") == 2);
}

TEST_CASE("a store that cannot be opened says why") {
  temp_dir dir;
  CHECK_THAT(open_error("mysql://h/db", dir.path()),
             Contains("storage.url must be"));
  CHECK_THAT(open_error("sqlite3://", dir.path()),
             Contains("storage.url must be"));
  CHECK_THAT(open_error("sqlite3://a\"b", dir.path()),
             Contains("quotation mark"));
  CHECK_THAT(open_error("sqlite3://" + dir.path().string(), "/"),
             Contains("cannot open the store " + dir.path().string()));
  write_file_atomic(dir.path() / "text.db", std::string(5000, 'x'), 0600,
                    false);
  CHECK_THAT(open_error("sqlite3://text.db", dir.path()),
             Contains("not a database"));
}

TEST_CASE_METHOD(store_place,
                 "migrations run once, however often they are asked for") {
  auto c = open();
  migrate(c);
  auto version = schema_version(c);
  CHECK(version > 0);
  put_project(c, some_project());
  migrate(c);
  auto again = open();
  migrate(again);
  CHECK(schema_version(again) == version);
  CHECK(projects(again).size() == 1);
}

TEST_CASE_METHOD(store_place,
                 "what version 1 had written is read by later ones") {
  auto c = open();
  migrate(c);
  put_project(c, some_project());
  auto session = some_session("a");
  REQUIRE(insert_session(c, session, 1) == insert_result::ok);
  key_record key{"k", "old", "", std::string(64, 'a'), {"admin"}, {}, 5, 0};
  put_key(c, key);
  const auto latest = schema_version(c);
  // Back to what version 1 was.
  for (const char* undo : {"ALTER TABLE sessions DROP COLUMN lost_node",
                           "DROP TABLE project_events",
                           "DROP TABLE project_event_number",
                           "DROP TABLE session_previews",
                           "ALTER TABLE sessions DROP COLUMN home_epoch",
                           "DROP TABLE session_execs",
                           "DROP TABLE webhook_deliveries",
                           "DROP TABLE webhooks",
                           "DROP TABLE former_projects",
                           "ALTER TABLE projects DROP COLUMN incarnation",
                           "DROP TABLE audit", // with its later columns
                           "DROP INDEX sessions_key",
                           "DROP TABLE outbox",
                           "ALTER TABLE sessions ADD COLUMN last_event"
                           " TEXT NOT NULL DEFAULT 'session.created'",
                           "ALTER TABLE sessions ADD COLUMN last_event_data"
                           " TEXT NOT NULL DEFAULT '[{\"type\":"
                           "\"session.created\",\"time\":7,\"data\":"
                           "{\"setup_exec_id\":\"setup\"}}]'",
                           "DROP TABLE reviews",
                           "DROP TABLE requests",
                           "DROP INDEX sessions_ended",
                           "ALTER TABLE sessions DROP COLUMN token_hash",
                           "ALTER TABLE sessions DROP COLUMN commit_id",
                           "ALTER TABLE sessions DROP COLUMN review_id",
                           "ALTER TABLE sessions DROP COLUMN rescue_refs",
                           "ALTER TABLE sessions DROP COLUMN rescue_note",
                           "ALTER TABLE sessions DROP COLUMN author",
                           "ALTER TABLE keys DROP COLUMN author",
                           "ALTER TABLE projects DROP COLUMN created_at",
                           "ALTER TABLE projects DROP COLUMN owner",
                           "ALTER TABLE projects DROP COLUMN epoch",
                           "DROP TABLE nodes",
                           "DELETE FROM schema_version WHERE version > 1"})
    c.self().sql << undo;
  REQUIRE(schema_version(c) == 1);
  migrate(c);
  CHECK(schema_version(c) == latest);
  CHECK(find_session(c, session.id) == session);
  auto announced = outbox_of(c, session.id);
  REQUIRE(announced.size() == 1);
  CHECK(announced[0].kind == event_kind::session_created);
  CHECK(announced[0].version == session.version);
  CHECK(announced[0].time == 7);
  REQUIRE(announced[0].fields.size() == 1);
  CHECK(announced[0].fields[0].text == "setup");
  CHECK(keys(c) == std::vector{key});
  CHECK(projects(c) == std::vector{some_project()});
}

TEST_CASE_METHOD(store_place, "programs that start together migrate once") {
  auto first = open();
  auto second = open();
  std::thread other([&] { migrate(second); });
  migrate(first);
  other.join();
  CHECK(schema_version(first) == schema_version(second));
}

TEST_CASE_METHOD(store_place, "the store of a newer program is left alone") {
  auto c = open();
  migrate(c);
  c.self().sql << "INSERT INTO schema_version VALUES (1000, 0)";
  CHECK_THROWS_WITH(
    migrate(c), Contains("has version 1000")
                  && Contains(is_server() ? "database \"test_" : "greenroom.db")
                  && Contains("newer program"));
}

TEST_CASE_METHOD(store_place,
                 "what was committed survives the death of the program") {
  auto kept = some_session("kept");
  auto lost = some_session("lost");
  auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto c = open();
    migrate(c);
    put_project(c, some_project());
    insert_session(c, kept, 9);
    const std::vector<operation> unfinished{[&](connection& inner) {
      insert_session(inner, lost, 9);
      ::raise(SIGKILL);
    }};
    run_batch(c, unfinished);
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  auto c = open();
  migrate(c);
  CHECK(find_session(c, kept.id) == kept);
  CHECK_FALSE(find_session(c, lost.id));
  CHECK(insert_session(c, lost, 9) == insert_result::ok);
}

TEST_CASE_METHOD(store_fixture, "projects come back as they were put in") {
  auto project = some_project("full");
  project.default_branch = "trunk";
  project.protected_branches = {"trunk", "release/1"};
  project.max_active_sessions = 7;
  project.env = {{"A", "x\ny"}, {"B", ""}};
  project.setup = "make deps";
  project.review = {"make check", 61'001, true};
  project.stopped = true;
  put_project(c, project);
  CHECK(projects(c) == std::vector{some_project(), project});
  project.stopped = false;
  project.protected_branches.clear();
  put_project(c, project);
  CHECK(projects(c) == std::vector{some_project(), project});
}

TEST_CASE_METHOD(store_fixture, "a configured project stays stopped") {
  auto project = some_project();
  project.stopped = true;
  put_project(c, project);
  project.stopped = false;
  project.max_active_sessions = 5;
  configure_project(c, project);
  project.stopped = true;
  CHECK(projects(c) == std::vector{project});
  configure_project(c, some_project("fresh"));
  CHECK_FALSE(projects(c).at(1).stopped);
}

TEST_CASE_METHOD(store_fixture, "a project that could not be read is refused") {
  auto project = some_project("bad");
  project.max_active_sessions = 0;
  auto what = refusal_of([&] { put_project(c, project); });
  CHECK(what.code == errc::bad_request);
  CHECK_THAT(what.message, Contains("max_active_sessions"));
  CHECK(projects(c).size() == 1);
}

TEST_CASE_METHOD(store_fixture, "a project goes once its sessions are over") {
  auto session = insert(some_session("a"));
  auto what = refusal_of([&] { delete_project(c, "demo"); });
  CHECK(what
        == refusal{errc::conflict,
                   "project \"demo\" has live sessions; end them first"});
  end(session);
  CHECK(delete_project(c, "demo"));
  CHECK_FALSE(delete_project(c, "demo"));
  CHECK(projects(c).empty());
  CHECK(find_session(c, session.id));
}

TEST_CASE_METHOD(store_fixture, "keys come back as they were put in") {
  key_record first{"k1",
                   "ci \"x\"",
                   "Ada <ada@example.org>",
                   std::string(64, 'a'),
                   {"sessions:read", "admin"},
                   {"demo"},
                   1'795'392'707'123,
                   1'795'392'807'123};
  key_record second{"k0",      "other", "", std::string(64, 'b'),
                    {"admin"}, {},      5,  0};
  put_key(c, first);
  put_key(c, second);
  CHECK(keys(c) == std::vector{second, first});
  first.name = "renamed";
  first.projects.clear();
  put_key(c, first);
  CHECK(keys(c) == std::vector{second, first});
  CHECK(delete_key(c, "k0"));
  CHECK_FALSE(delete_key(c, "k0"));
  CHECK(keys(c) == std::vector{first});
  second.name = std::string("a\0b", 3);
  CHECK(refusal_of([&] { put_key(c, second); })
        == refusal{errc::bad_request, "name must not hold a NUL character"});
}
