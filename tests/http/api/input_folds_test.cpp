#include "http/api/input_folds.hpp"

#include "http/api/request_records.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::http;

namespace {

/// What is written to the input of `exec` at a time.
audit_entry written(unix_ms time, const std::string& exec = "e1",
                    const std::string& key = "k1") {
  audit_entry entry;
  entry.id = "a" + std::to_string(time);
  entry.time = time;
  entry.key_id = key;
  entry.address = "192.0.2.1";
  entry.project_id = "demo";
  entry.session_id = "s1";
  entry.object = exec;
  entry.status = 200;
  return entry;
}

} // namespace

TEST_CASE("of a command's input the audit has its beginning and its end") {
  input_folds folds;
  auto first = folds.add(written(1), 10, false);
  REQUIRE(first.size() == 1);
  CHECK(first[0].id == "a1");
  CHECK(first[0].requests == 1);
  CHECK(first[0].bytes == 10);
  for (unix_ms time = 2; time < 1000; ++time)
    CHECK(folds.add(written(time), 10, false).empty());
  auto last = folds.add(written(1000), 0, true);
  REQUIRE(last.size() == 1);
  CHECK(last[0].id == "a1000");
  CHECK(last[0].requests == 999);
  CHECK(last[0].bytes == 9980);
  CHECK(folds.empty());
  // What is whole in one request is one entry.
  CHECK(folds.add(written(1001), 5, true).size() == 1);
  CHECK(folds.empty());
}

TEST_CASE("inputs of others, and by others, are told apart in the audit") {
  input_folds folds;
  CHECK(folds.add(written(1), 1, false).size() == 1);
  CHECK(folds.add(written(2, "e2"), 1, false).size() == 1);
  CHECK(folds.add(written(3, "e1", "k2"), 1, false).size() == 1);
  auto elsewhere = written(4);
  elsewhere.address = "192.0.2.2";
  CHECK(folds.add(elsewhere, 1, false).size() == 1);
  CHECK(folds.add(written(5), 1, false).empty());
  auto all = folds.take_waiting();
  REQUIRE(all.size() == 1);
  CHECK(all[0].id == "a5");
}

TEST_CASE("an input that goes on is in the audit now and then") {
  input_folds folds;
  folds.add(written(0), 1, false);
  folds.add(written(1), 1, false);
  folds.add(written(2), 1, false);
  auto waiting = folds.take_waiting();
  REQUIRE(waiting.size() == 1);
  CHECK(waiting[0].id == "a2");
  CHECK(waiting[0].requests == 2);
  CHECK(waiting[0].bytes == 2);
  CHECK(folds.add(written(3), 1, false).empty());
  waiting = folds.take_waiting();
  REQUIRE(waiting.size() == 1);
  CHECK(waiting[0].requests == 1);
  CHECK_FALSE(folds.empty());
  // Nothing came since: it is forgotten.
  CHECK(folds.take_waiting().empty());
  CHECK(folds.empty());
}

TEST_CASE("more inputs than are remembered lose no entry of the audit") {
  input_folds folds;
  std::size_t requests = 0;
  std::uint64_t told = 0;
  auto count = [&](const std::vector<audit_entry>& entries) {
    for (auto& one : entries)
      told += one.requests;
  };
  for (std::size_t i = 0; i < input_folds::max_open + 10; ++i)
    for (int piece = 0; piece < 3; ++piece, ++requests)
      count(folds.add(written(1, "e" + std::to_string(i)), 1, false));
  count(folds.take_waiting());
  CHECK(told == requests);
}

TEST_CASE("an answer says whether an input has ended") {
  CHECK(ends_input(R"({"data":{"written":0,"eof":true},"meta":{}})"));
  CHECK_FALSE(ends_input(
    R"({"data":{"written":0,"eof":false},"meta":{"request_id":"\"eof\":true"}})"));
  CHECK_FALSE(ends_input(""));
}
