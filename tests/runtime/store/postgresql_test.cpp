// What only a store on a server can meet: it goes away, it gives a transaction
// up for another's sake, it takes no bytes that are no text.
#include "tests/runtime/store/fixture.hpp"

#include "runtime/store/api_keys.hpp"
#include "runtime/store/batch.hpp"
#include "runtime/store/sql.hpp"
#include "tests/support/eventually.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <barrier>
#include <thread>
#include <utility>

using namespace greenroom;
using namespace greenroom::store;
using namespace greenroom::test;
using Catch::Contains;

namespace {

std::string name_or_error(const std::string& url) {
  try {
    return store_name(url);
  } catch (const std::exception& e) {
    return e.what();
  }
}

std::string open_error(const std::string& url) {
  try {
    connection{url, "/", sync_mode::full};
  } catch (const unavailable& e) {
    return e.detail();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "no error";
}

errc code_of(const std::exception_ptr& error) {
  return refusal_of([&] {
           if (error)
             std::rethrow_exception(error);
         })
    .code;
}

operation put(std::string id) {
  return
    [id = std::move(id)](connection& c) { put_project(c, some_project(id)); };
}

// Cuts all connections to all databases, as a fail-over does.
void cut_connections() {
  postgres_server::shared().execute(
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
    " WHERE datname LIKE 'test%' AND pid <> pg_backend_pid()");
}

} // namespace

TEST_CASE("a store's name holds no secret") {
  CHECK(store_name("postgresql://ann:s3cret@db.example:5433/green?sslmode=x")
        == "PostgreSQL database \"green\" at db.example:5433");
  CHECK(store_name("sqlite3://x.db") == "sqlite3://x.db");
  // As a password is written by those who do not know how.
  for (const char* bad :
       {"postgresql://ann:s3cret/x@db/green", "postgresql://ann:s3cret#@db/g",
        "postgresql://ann:s3cr%zzet@db/g", "postgresql://h/d?password=s3cret&x",
        "postgresql://ann@h/d?passward=s3cret"}) {
    CAPTURE(bad);
    CHECK_THAT(name_or_error(bad), !Contains("s3c"));
    CHECK_THAT(open_error(bad), !Contains("s3c"));
  }
}

TEST_CASE("a URL may hold what a connection text cannot") {
  auto& server = postgres_server::shared();
  auto url = server.make_database();
  server.execute("CREATE ROLE \"it's \\a b\" SUPERUSER LOGIN");
  auto other = url;
  other.replace(other.find("greenroom@"), 9, "it%27s%20%5Ca%20b");
  CHECK(open_error(other) == "no error");
  CHECK_THAT(open_error(other + "&application_name=a%22b"),
             Contains("quotation mark"));
  CHECK_THAT(open_error(url + "&connect_timeout=2&dbname=nowhere"),
             Contains("nowhere") && Contains("does not exist"));
  server.drop_database(url);
  server.execute("DROP ROLE \"it's \\a b\"");
}

TEST_CASE("a server that takes no writes is not made do with") {
  auto& server = postgres_server::shared();
  auto url = server.make_database();
  auto name = url.substr(0, url.find('?'));
  name = name.substr(name.rfind('/') + 1);
  // For connections it is what a standby is.
  server.execute("ALTER DATABASE " + name
                 + " SET default_transaction_read_only = on");
  CHECK_THAT(open_error(url), Contains("read-only"));
  CHECK(open_error(url + "&target_session_attrs=any") == "no error");
  server.drop_database(url);
}

TEST_CASE_METHOD(postgresql_fixture, "a failure that was passed over fails the "
                                     "commit") {
  auto spoiled = [&] {
    in_transaction(c, [&](soci::session& sql) {
      put_project(c, some_project("a"));
      try {
        sql << "SELECT nothing";
      } catch (const soci::soci_error&) {
      }
    });
  };
  CHECK_THROWS_WITH(spoiled(), Contains("passed over"));
  CHECK(projects(c).size() == 1);
  put_project(c, some_project("b"));
  CHECK(projects(c).size() == 2);
}

TEST_CASE_METHOD(postgresql_fixture, "batches that need each other's rows all "
                                     "go in") {
  for (const char* id : {"a", "b"})
    put_project(c, some_project(id));
  constexpr int rounds = 20;
  std::barrier together{2};
  std::array<std::size_t, 2> failed{};
  auto run = [&](std::size_t side) {
    auto mine = place.open();
    mine.self().sql << "SET deadlock_timeout = '10ms'";
    for (int round = 0; round < rounds; ++round) {
      bool waited = false;
      const std::vector<operation> operations{
        put(side == 0 ? "a" : "b"),
        [&](connection&) {
          if (!std::exchange(waited, true))
            together.arrive_and_wait();
        },
        put(side == 0 ? "b" : "a")};
      for (auto& error : run_batch(mine, operations))
        failed[side] += error ? 1 : 0;
      together.arrive_and_wait(); // neither begins while the other is at it
    }
  };
  std::thread other{run, 1};
  run(0);
  other.join();
  CHECK(failed == std::array<std::size_t, 2>{});
}

TEST_CASE_METHOD(postgresql_fixture, "a connection that was cut is made anew") {
  cut_connections();
  SECTION("by a write") {
    CHECK_NOTHROW(put_project(c, some_project("a")));
  }
  SECTION("by a read") {
    CHECK(projects(c).size() == 1);
  }
  SECTION("by a batch") {
    const std::vector<operation> operations{put("a"), put("b")};
    CHECK(run_batch(c, operations) == std::vector<std::exception_ptr>(2));
  }
}

TEST_CASE_METHOD(postgresql_fixture, "a batch that is cut has not happened") {
  const std::vector<operation> operations{
    put("a"), [](connection&) { cut_connections(); }, put("b")};
  for (auto& error : run_batch(c, operations))
    CHECK(code_of(error) == errc::unavailable);
  CHECK(projects(c).size() == 1);
  const std::vector<operation> again{put("a"), put("b")};
  CHECK(run_batch(c, again) == std::vector<std::exception_ptr>(2));
}

TEST_CASE_METHOD(postgresql_fixture, "a commit that is cut may have happened") {
  // The server's process ends at the very commit.
  c.self().sql << "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS '"
                  "BEGIN PERFORM pg_terminate_backend(pg_backend_pid());"
                  " PERFORM pg_sleep(10); RETURN NULL; END'";
  c.self().sql << "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON keys DEFERRABLE"
                  " INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()";
  const std::vector<operation> operations{
    put("a"), [](connection& inner) { put_key(inner, key_record{}); }};
  for (auto& error : run_batch(c, operations))
    CHECK(code_of(error) == errc::timeout);
  CHECK(projects(c).size() == 1);
}

TEST_CASE_METHOD(postgresql_fixture, "a server that is away is unavailable, "
                                     "then not") {
  auto& server = postgres_server::shared();
  server.stop();
  for (int i = 0; i < 3; ++i) {
    auto write = [&] { put_project(c, some_project("a")); };
    CHECK(refusal_of(write).code == errc::unavailable);
    CHECK(refusal_of([&] { projects(c); }).code == errc::unavailable);
  }
  server.start();
  CHECK(eventually([&] {
    const std::vector<operation> operations{put("a")};
    return !run_batch(c, operations)[0];
  }));
  CHECK(projects(c).size() == 2);
}

TEST_CASE_METHOD(store_fixture, "bytes that are no text are kept as text") {
  auto session = insert(some_session("a"));
  session.status_reason = "caf\xe9 au lait";
  ++session.version;
  CHECK(update_session(c, session));
  CHECK(find_session(c, session.id)->status_reason == "caf? au lait");
  CHECK(update_session(c, session)); // it is there already
}
