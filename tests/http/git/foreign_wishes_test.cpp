// What is asked of a session's origin, and of its contents of Git LFS, as
// strangers may send it.
#include "http/git/fetch_relay.hpp"
#include "http/git/first_request.hpp"
#include "http/git/lfs_batch.hpp"
#include "http/git/list_relay.hpp"
#include "http/git/origin_peer.hpp"
#include "http/git/origin_wish.hpp"
#include "http/git/pkt_line.hpp"
#include "http/git/push_request.hpp"
#include "http/git/route.hpp"
#include "messages/errors.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fuzz_effort.hpp"
#include "tests/support/mutations.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace greenroom;
using namespace greenroom::http::git_http;
using namespace std::string_literals;

namespace {

const std::string some_oid(64, 'a');

std::pair<unique_fd, unique_fd> stream_pair() {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

// What the reader of a socket makes of bytes after which nothing comes.
std::optional<std::string> packet_of(std::string_view bytes) {
  auto [there, here] = stream_pair();
  const auto end = origin_peer::clock::now() + test::timeout;
  origin_peer{there.get(), end}.write(bytes);
  there.reset();
  try {
    return origin_peer{here.get(), end}.read_packet();
  } catch (const origin_peer::gone&) {
    return std::nullopt;
  }
}

// What comes to git of bytes after which nothing comes; `asked`: the first
// requests that were looked at.
std::string relayed(std::string_view bytes, std::vector<std::string>& asked) {
  auto [there, here] = stream_pair();
  origin_peer{there.get(), origin_peer::clock::now() + test::timeout}.write(
    bytes);
  there.reset();
  std::string result;
  fetch_relay relay{here.get(), max_first_request,
                    [&](const std::string& request) {
                      asked.push_back(request);
                      return std::optional<std::string>{};
                    }};
  std::array<char, 4096> buffer;
  for (;;) {
    auto got = ::read(relay.reader(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return result;
    result.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

void check_wish(const origin_wish& wish) {
  REQUIRE(wish.path.size() <= max_origin_path);
  REQUIRE(wish.path.find('\0') == std::string::npos);
  REQUIRE(sane_protocol(wish.protocol) == wish.protocol);
  if (auto object = read_lfs_wish(wish.path)) {
    REQUIRE(git::is_lfs_oid(object->oid));
    REQUIRE(wish.path.starts_with(object->oid + ' '));
  }
}

} // namespace

TEST_CASE("wishes of git and git-lfs at origin are read") {
  auto fetch =
    read_origin_wish("git-upload-pack /up.git\0host=greenroom\0\0version=2\0"s);
  REQUIRE(fetch);
  CHECK(fetch->what == origin_verb::fetch);
  CHECK(fetch->path == "/up.git");
  CHECK(fetch->protocol == "version=2");
  auto push = read_origin_wish("git-receive-pack /up.git\n");
  REQUIRE(push);
  CHECK(push->what == origin_verb::push);
  CHECK(push->path == "/up.git");
  CHECK(push->protocol.empty());
  auto get = read_origin_wish("lfs-download " + some_oid + " 7\0host=x\0"s);
  REQUIRE(get);
  CHECK(get->what == origin_verb::get_contents);
  auto object = read_lfs_wish(get->path);
  REQUIRE(object);
  CHECK(object->oid == some_oid);
  CHECK(object->size == 7);
}

TEST_CASE("what no git asks of origin is no wish") {
  for (const auto& text : {""s, "git-upload-pack"s + std::string(5000, 'x'),
                           "git-upload-archive /up.git"s,
                           "git-upload-pack " + std::string(5000, 'x')})
    CHECK_FALSE(read_origin_wish(text));
  for (const auto& text :
       {""s, some_oid, some_oid + ' ', some_oid + " -1", some_oid + " 7 ",
        some_oid + " 99999999999999999999", "../x 7"s, "A" + some_oid + " 7"})
    CHECK_FALSE(read_lfs_wish(text));
}

TEST_CASE("no bytes make the reader of wishes do more than hang up") {
  test::fuzz_effort effort{3'000};
  std::mt19937 random{effort.seed()};
  const std::vector<std::string> seeds{
    make_packet("git-upload-pack /up.git\0host=greenroom\0\0version=2\0"s),
    make_packet("git-receive-pack /up.git\0host=greenroom\0"s) + "0000PACK",
    make_packet("lfs-download " + some_oid + " 7\0host=greenroom\0"s),
    make_packet("lfs-upload " + some_oid + " 18446744073709551615\n"),
    "0000"s + "0001" + "fff0"};
  const auto letters = "0123456789abcdef \0\n/=:-+x\x01\xff"s;
  int read = 0;
  while (effort.next()) {
    auto bytes = test::mutated(seeds[random() % seeds.size()], random, letters);
    auto packet = packet_of(bytes);
    if (!packet)
      continue;
    // What follows may be for git.
    REQUIRE(bytes.starts_with(*packet));
    auto framed = first_packet(*packet);
    REQUIRE(framed);
    REQUIRE(framed->size == packet->size());
    if (auto wish = read_origin_wish(framed->payload)) {
      check_wish(*wish);
      ++read;
    }
  }
  CHECK(read > 0);
}

TEST_CASE("no bytes make the relay of fetches change what git gets") {
  test::fuzz_effort effort{300};
  std::mt19937 random{effort.seed()};
  const auto prefix = [](const char* name) {
    return make_packet("ref-prefix "s + name + '\n');
  };
  const std::vector<std::string> seeds{
    make_packet("command=ls-refs\n") + "0001" + prefix("refs/pull/7/head")
      + prefix("refs/notes/") + "0000" + make_packet("command=fetch\n") + "0001"
      + make_packet("want " + std::string(40, 'a') + '\n')
      + make_packet("have " + std::string(40, 'b') + '\n')
      + make_packet("done\n") + "0000",
    make_packet("command=fetch\n") + "0001" + make_packet("done\n") + "0000"};
  const auto letters = "0123456789abcdef \0\n/=-.\x01\xff"s;
  int passed = 0;
  while (effort.next()) {
    const auto bytes =
      test::mutated(seeds[random() % seeds.size()], random, letters);
    std::vector<std::string> asked;
    const auto got = relayed(bytes, asked);
    std::optional<std::size_t> first;
    try {
      first = request_size(bytes);
    } catch (const http::wire::bad_message&) {
    }
    // What is no request, or not all of one, git does not see.
    REQUIRE(got == (first ? bytes : std::string{}));
    if (first)
      REQUIRE(asked == std::vector{bytes.substr(0, *first)});
    else
      REQUIRE(asked.empty());
    passed += first.has_value();
  }
  CHECK(passed > 0);
}

TEST_CASE("a refusal of a push has room for what it repeats") {
  const auto command = [](const std::string& ref) {
    return make_packet(std::string(40, '0') + ' ' + std::string(40, 'a') + ' '
                       + ref)
           + std::string{flush_packet};
  };
  CHECK_THROWS_AS(read_push(command("refs/" + std::string(60'000, 'x'))),
                  refused);
  auto push = read_push(command("refs/heads/" + std::string(4'000, 'x')));
  REQUIRE(push);
  CHECK_FALSE(refusal_of(*push, std::string(100'000, 'y')).empty());
}

TEST_CASE("a list is changed on its way, and what follows it is not") {
  auto [there, here] = stream_pair();
  const auto end = origin_peer::clock::now() + test::timeout;
  const auto list = make_packet("a list\n").append(flush_packet);
  const auto more = make_packet("more\n");
  const auto breaks = GENERATE(false, true);
  std::string seen;
  {
    list_relay relay{{here.get(), end}, 1000, [&](const std::string& listed) {
                       seen = listed;
                       if (breaks)
                         throw bad_packet{};
                       return more + listed;
                     }};
    const auto text = list + more;
    REQUIRE(::write(relay.writer(), text.data(), text.size())
            == static_cast<ssize_t>(text.size()));
  }
  CHECK(seen == list);
  here.reset();
  const origin_peer client{there.get(), end};
  const auto expected = (breaks ? std::string{} : more) + list + more;
  CHECK(client.read(expected.size()) == expected);
  CHECK_THROWS_AS(client.read(1), origin_peer::gone);
}

TEST_CASE("an answer of any bytes goes on to a client") {
  auto [there, here] = stream_pair();
  const auto end = origin_peer::clock::now() + test::timeout;
  const auto text =
    GENERATE(as<std::string>{}, "", "xxxx", "0009a", std::string(2000, '0'));
  {
    list_relay relay{{here.get(), end}, 1000, [](const std::string& listed) {
                       return listed;
                     }};
    REQUIRE(::write(relay.writer(), text.data(), text.size())
            == static_cast<ssize_t>(text.size()));
  }
  here.reset();
  const origin_peer client{there.get(), end};
  CHECK(client.read(text.size()) == text);
  CHECK_THROWS_AS(client.read(1), origin_peer::gone);
}

TEST_CASE("a first request can be answered instead of git, which gets the "
          "next") {
  auto [there, here] = stream_pair();
  const auto list = make_packet("command=ls-refs\n").append(flush_packet);
  const auto fetch = make_packet("command=fetch\n").append(flush_packet);
  fetch_relay relay{
    here.get(), max_first_request, [&](const std::string& request) {
      return request == list ? std::optional{fetch} : std::nullopt;
    }};
  const auto end = origin_peer::clock::now() + test::timeout;
  const origin_peer client{there.get(), end};
  client.write(list);
  CHECK(client.read(fetch.size()) == fetch);
  client.write(fetch);
  std::string got(fetch.size(), '\0');
  for (std::size_t done = 0; done < got.size();) {
    auto size = ::read(relay.reader(), got.data() + done, got.size() - done);
    REQUIRE(size > 0);
    done += static_cast<std::size_t>(size);
  }
  CHECK(got == fetch);
}

TEST_CASE("no bytes make the reader of batches of Git LFS do more than "
          "refuse") {
  test::fuzz_effort effort{5'000};
  std::mt19937 random{effort.seed()};
  const std::vector<std::string> seeds{
    R"({"operation":"download","transfers":["basic"],"ref":{"name":"x"},)"
    R"("objects":[{"oid":")"
      + some_oid + R"(","size":7}],"hash_algo":"sha256"})",
    R"({"operation":"upload","objects":[]})",
    R"({"objects":[{"size":18446744073709551615,"oid":")" + some_oid
      + R"("},{"size":0,"oid":")" + std::string(64, '0')
      + R"("}],"operation":"upload"})",
    R"({"operation":"upload","objects":)" + std::string(100'000, '[')};
  const auto letters = "{}[]\",:0123456789abcdef-.e\\u \x01\xff"s;
  const auto place_of = [](const git::lfs_object& what) {
    return "/objects/" + what.oid + "?size=" + std::to_string(what.size);
  };
  int read = 0;
  while (effort.next()) {
    auto bytes = test::mutated(seeds[random() % seeds.size()], random, letters);
    try {
      auto batch = read_lfs_batch(bytes);
      ++read;
      auto told = nlohmann::json::parse(
        lfs_batch_answer(batch, "secret", place_of))["objects"];
      REQUIRE(told.size() == batch.objects.size());
      for (std::size_t i = 0; i < told.size(); ++i) {
        REQUIRE(git::is_lfs_oid(batch.objects[i].oid));
        std::string href = told[i]["actions"][batch.verb]["href"];
        REQUIRE(lfs_size_in(href) == batch.objects[i].size);
      }
    } catch (const refused& e) {
      REQUIRE(e.code() == errc::bad_request);
      REQUIRE(std::string_view{e.what()}.size() < 500);
    }
  }
  CHECK(read > 0);
}

TEST_CASE("no place in Git LFS makes more than a size or a refusal") {
  test::fuzz_effort effort{2'000};
  std::mt19937 random{effort.seed()};
  const auto place = "/git/p/s/info/lfs/objects/" + some_oid + "?size=1234567";
  int read = 0;
  while (effort.next()) {
    auto target = test::mutated(place, random, "0123456789?=sizeX-+ \xff");
    try {
      auto size = lfs_size_in(target);
      REQUIRE(target.find("?size=") != std::string::npos);
      static_cast<void>(size);
      ++read;
    } catch (const refused& e) {
      REQUIRE(e.code() == errc::bad_request);
    }
  }
  CHECK(read > 0);
}
