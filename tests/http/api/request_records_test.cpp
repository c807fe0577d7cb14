#include "http/api/request_records.hpp"

#include <catch2/catch.hpp>

using namespace greenroom::http;

TEST_CASE("an answer says what it has made, or why not") {
  CHECK(made_id(R"({"data":{"id":"abc","status":"x"},"meta":{}})") == "abc");
  CHECK(made_id(R"({"data":{"exec_id":"e-1"},"meta":{}})") == "e-1");
  CHECK(made_id(R"({"data":{"status":"x","id":"abc"}})").empty());
  CHECK(made_id(R"({"data":{"id":"cut off)").empty());
  CHECK(made_id("").empty());
  CHECK(greenroom::http::error_code(
          R"({"error":{"code":"NOT_FOUND","message":"x"}})")
        == "NOT_FOUND");
  CHECK(greenroom::http::error_code(R"({"data":{}})").empty());
}

TEST_CASE("requests are counted by route, status and time") {
  using namespace std::chrono_literals;
  request_counts counts{2};
  counts.add(0, 200, 0ms);
  counts.add(0, 200, 7ms);
  counts.add(1, 599, 10min);
  auto at = [](int status) {
    std::size_t i = 0;
    while (request_counts::statuses[i] != status)
      ++i;
    return i;
  };
  CHECK(counts[0].by_status[at(200)] == 2);
  CHECK(counts[1].by_status[at(200)] == 0);
  // A status that is none of ours is counted all the same.
  CHECK(counts[1].by_status[at(0)] == 1);
  CHECK(counts[0].by_duration[0] == 1);
  CHECK(counts[0].by_duration[3] == 1);
  CHECK(counts[0].nanoseconds == 7'000'000);
  CHECK(counts[1].by_duration.back() == 1);
}
