// What comes out of a session's sandbox in place of greenroom-git's answers.
#include "runtime/git/session/git_answers.hpp"

#include "messages/errors.hpp"
#include "tests/support/fuzz_effort.hpp"
#include "tests/support/mutations.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace greenroom;
using namespace greenroom::git;

namespace {

const std::string any_commit(40, 'a');

const std::string state_text =
  R"({"head":")" + any_commit
  + R"(","branch":"work","dirty_files":3,"ahead":1,)"
    R"("behind":2})";
const std::string forecast_text =
  R"({"dirty_files":0,"commit":")" + any_commit
  + R"(","kind":2,"conflicts":["a.txt"],"reason":"why"})";
const std::string saved_text =
  R"({"named":[{"name":"heads/side","id":")" + any_commit
  + R"(","holds":"branch side"},{"name":"stash-1","id":")" + any_commit
  + R"(","holds":"a stash"}],"note":"a note","complete":false,"tip":null})";

constexpr std::string_view answer_alphabet =
  "0123456789-+.eE{}[]\",:abctrue\\/\x01\xff~^";

bool is_clean_text(std::string_view text) {
  return text.size() <= max_sentence
         && std::ranges::none_of(
           text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

void check_saved(const saved_work& read) {
  for (const auto& one : read.named) {
    REQUIRE(one.name.find("..") == std::string::npos);
    REQUIRE(is_clean_text(one.name));
    REQUIRE(is_clean_text(one.holds));
  }
  if (read.note)
    REQUIRE(is_clean_text(*read.note));
}

} // namespace

TEST_CASE("answers from inside are read") {
  CHECK(read_state(state_text).dirty_files == 3);
  CHECK(read_state(state_text).behind == 2);
  CHECK_FALSE(read_state(state_text).operation);
  CHECK_FALSE(read_state(state_text).named);
  auto more = state_text;
  more.insert(1, R"("operation":"a merge\nis under way","named":[{"name":)"
                 R"("stash","id":")"
                   + any_commit + R"(","holds":"stash@{0}"}],)");
  CHECK(read_state(more).operation == "a merge is under way");
  CHECK(read_state(more).named->size() == 1);
  CHECK(read_forecast(forecast_text).files
        == std::vector<std::string>{"a.txt"});
  auto read = read_saved_work(saved_text, true);
  CHECK(read.named.size() == 2);
  CHECK_FALSE(read.tip);
  CHECK_FALSE(read.complete);
}

TEST_CASE("what names a file with a line break is not cut there") {
  auto text = saved_text;
  text.replace(text.find("a note"), 6, "of a\\nb; and c");
  text.replace(text.find("branch side"), 11, "branch of a\\nb");
  auto read = read_saved_work(text, true);
  CHECK(read.note == "of a b; and c");
  CHECK(read.named.front().holds == "branch of a b");
}

TEST_CASE("no answer from inside is more than refused") {
  test::fuzz_effort effort{5'000};
  std::mt19937 random{effort.seed()};
  const std::vector<std::string> seeds{state_text, forecast_text, saved_text,
                                       std::string(3'000, '[')};
  int good = 0;
  while (effort.next()) {
    auto text =
      test::mutated(seeds[random() % seeds.size()], random, answer_alphabet);
    INFO(text);
    try {
      switch (random() % 3) {
        case 0:
          read_state(text);
          break;
        case 1:
          read_forecast(text);
          break;
        default:
          check_saved(read_saved_work(text, random() % 2 == 0));
      }
      ++good;
    } catch (const refused&) {
      SUCCEED();
    } catch (const std::runtime_error& e) {
      REQUIRE_FALSE(std::string_view{e.what()}.empty());
    }
  }
  CHECK(good > 0);
}

TEST_CASE("names and numbers that greenroom-git never gives are refused") {
  auto bad = [](std::string text, std::string_view old, std::string_view by) {
    text.replace(text.find(old), old.size(), by);
    return text;
  };
  for (auto by : {"\"heads/../main\"", "\"refs/heads/x\"", "\"stash-x\"", "7"})
    CHECK_THROWS_AS(read_saved_work(bad(saved_text, "\"stash-1\"", by), true),
                    std::runtime_error);
  for (auto by : {":-1", ":1e300", ":\"3\"", ":null"})
    CHECK_THROWS_AS(read_state(bad(state_text, ":3", by)), std::runtime_error);
  CHECK_THROWS_AS(read_forecast(bad(forecast_text, ":2,", ":77,")),
                  std::runtime_error);
}
