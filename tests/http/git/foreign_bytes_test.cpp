// What strangers send in place of git's own.
#include "http/git/first_request.hpp"
#include "http/git/pkt_line.hpp"
#include "http/git/push_answer.hpp"
#include "http/git/push_request.hpp"
#include "http/git/ref_list.hpp"
#include "messages/errors.hpp"
#include "tests/support/fuzz_effort.hpp"
#include "tests/support/mutations.hpp"

#include <catch2/catch.hpp>

#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace greenroom;
using namespace greenroom::http::git_http;

namespace {

const std::string alphabet = "0123456789abcdef \0\n/~^:.\x01\x02\x03\xff\x7f";

std::string push_of(const std::string& ref, const std::string& capabilities) {
  auto command = std::string(40, '0') + ' ' + std::string(40, 'a') + ' ' + ref;
  return make_packet(command + '\0' + capabilities) + make_packet(command)
         + std::string{flush_packet} + "PACK and more";
}

} // namespace

TEST_CASE("no bytes make the reader of pushes do more than refuse") {
  test::fuzz_effort effort{5'000};
  std::mt19937 random{effort.seed()};
  const std::vector<std::string> seeds{
    push_of("refs/heads/work", " report-status side-band-64k agent=git/2"),
    push_of("refs/tags/v1", "report-status-v2"),
    make_packet("shallow " + std::string(40, 'b'))
      + push_of("refs/heads/a/b", "push-options"),
    std::string{"0001"} + "0002" + "0004" + "fff0",
  };
  int read = 0;
  while (effort.next()) {
    auto bytes = test::mutated(seeds[random() % seeds.size()], random,
                               {alphabet.data(), alphabet.size()});
    try {
      auto push = read_push(bytes);
      if (!push)
        continue;
      ++read;
      REQUIRE(push->size <= bytes.size());
      // What follows the commands is the pack's, and changes nothing.
      auto again = read_push(bytes.substr(0, push->size));
      REQUIRE(again);
      REQUIRE(again->commands.size() == push->commands.size());
      for (auto& command : push->commands) {
        REQUIRE(command.old_id.size() == command.new_id.size());
        REQUIRE(command.ref.find('\0') == std::string::npos);
      }
      static_cast<void>(push->side_band());
      if (auto fault = fault_of(*push, "work"))
        REQUIRE(!refusal_of(*push, *fault).empty());
    } catch (const http::wire::bad_message& e) {
      REQUIRE(e.status() == 400);
    } catch (const refused& e) {
      REQUIRE(e.code() == errc::bad_request);
    }
  }
  CHECK(read > 0);
}

TEST_CASE("no bytes in place of a push's answer do any harm") {
  test::fuzz_effort effort{2'000};
  std::mt19937 random{effort.seed()};
  const auto report = make_packet("unpack ok\n")
                      + make_packet("ok refs/heads/work\n")
                      + std::string{flush_packet};
  const std::vector<std::string> seeds{
    report,
    make_packet('\x01' + report) + make_packet("\x02words\n")
      + std::string{flush_packet},
    make_packet("unpack ok\n")
      + make_packet("ng refs/heads/work Working directory has unstaged changes")
      + std::string{flush_packet}};
  int moved = 0;
  while (effort.next()) {
    auto side_band = random() % 2 == 0;
    auto bytes = test::mutated(seeds[random() % seeds.size()], random,
                               {alphabet.data(), alphabet.size()});
    push_answer whole{"refs/heads/work", side_band};
    auto all = whole.pass(bytes);
    all += whole.rest();
    push_answer pieces{"refs/heads/work", side_band};
    std::string joined;
    const auto step = 1 + random() % 20;
    for (std::size_t at = 0; at < bytes.size(); at += step)
      joined += pieces.pass(std::string_view{bytes}.substr(at, step));
    joined += pieces.rest();
    REQUIRE(joined == all);
    REQUIRE(pieces.moved() == whole.moved());
    moved += whole.moved();
  }
  CHECK(moved > 0);
}

TEST_CASE("no bytes in place of a request for references do any harm") {
  test::fuzz_effort effort{5'000};
  std::mt19937 random{effort.seed()};
  const auto prefix = [](const char* name) {
    return make_packet("ref-prefix " + std::string{name} + '\n');
  };
  const std::vector<std::string> seeds{
    make_packet("command=ls-refs\n") + "0001" + prefix("refs/pull/7/head")
      + prefix("refs/notes/") + std::string{flush_packet},
    make_packet("command=fetch\n") + "0001" + make_packet("done\n")
      + std::string{flush_packet},
    std::string{"0001"} + "fff0" + "0004"};
  int whole = 0;
  while (effort.next()) {
    auto bytes = test::mutated(seeds[random() % seeds.size()], random,
                               {alphabet.data(), alphabet.size()});
    static_cast<void>(asks_for_list(bytes));
    static_cast<void>(may_be_part_of_list(bytes));
    static_cast<void>(prefixes_of(bytes));
    try {
      auto size = request_size(bytes);
      if (!size)
        continue;
      REQUIRE(*size <= bytes.size());
      for (auto& name : unusual_refs(bytes.substr(0, *size))) {
        REQUIRE(name.starts_with("refs/"));
        REQUIRE(name.find("..") == std::string::npos);
      }
      ++whole;
    } catch (const http::wire::bad_message& e) {
      REQUIRE(e.status() == 400);
    }
  }
  CHECK(whole > 0);
}

TEST_CASE("no bytes in place of a list of references do any harm") {
  test::fuzz_effort effort{2'000};
  std::mt19937 random{effort.seed()};
  const auto id = std::string(40, 'a');
  const std::vector<std::string> seeds{
    make_packet(id + " HEAD" + '\0' + " side-band-64k\n")
      + make_packet(id + " refs/heads/work\n") + make_packet("shallow " + id)
      + std::string{flush_packet},
    make_packet(id + " refs/heads/main symref-target:x\n")
      + std::string{flush_packet} + "PACK"};
  const string_map more{{"refs/heads/main", id}, {"refs/heads/other", id}};
  while (effort.next()) {
    auto bytes = test::mutated(seeds[random() % seeds.size()], random,
                               {alphabet.data(), alphabet.size()});
    ref_list list{more, {}};
    auto all = list.pass(bytes);
    all += list.rest();
    ref_list pieces{more, {}};
    std::string joined;
    const auto step = 1 + random() % 20;
    for (std::size_t at = 0; at < bytes.size(); at += step)
      joined += pieces.pass(std::string_view{bytes}.substr(at, step));
    joined += pieces.rest();
    REQUIRE(joined == all);
    REQUIRE(all.size() >= bytes.size());
  }
}
