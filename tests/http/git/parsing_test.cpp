// What strangers send to the git listener, taken apart: no sockets here.
#include "http/base/options.hpp"
#include "http/git/clone_url.hpp"
#include "http/git/first_request.hpp"
#include "http/git/gunzip.hpp"
#include "http/git/pkt_line.hpp"
#include "http/git/push_answer.hpp"
#include "http/git/push_request.hpp"
#include "http/git/ref_list.hpp"
#include "http/git/refusal_limit.hpp"
#include "http/git/route.hpp"
#include "http/git/whole_list.hpp"
#include "messages/errors.hpp"
#include "tests/http/git/gzipped.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <random>

using namespace greenroom;
using namespace greenroom::http;
using namespace greenroom::http::git_http;

namespace {

const std::string some_id(40, 'a');
const std::string other_id(40, 'b');
const std::string null_id(40, '0');
const std::string sid = "aaaaaaaaaaaaaaaaaaaa";

std::string command_packet(const std::string& old_id, const std::string& new_id,
                           const std::string& ref,
                           const std::string& capabilities = {}) {
  auto text = old_id + ' ' + new_id + ' ' + ref;
  if (!capabilities.empty())
    text += '\0' + capabilities;
  return make_packet(text + '\n');
}

push_request read_whole(const std::string& body) {
  auto push = read_push(body);
  REQUIRE(push);
  return *push;
}

} // namespace

TEST_CASE("packets are cut where their length says") {
  auto bytes = make_packet("hello\n") + "0000" + "0001" + make_packet("");
  auto one = first_packet(bytes);
  REQUIRE(one);
  CHECK(one->payload == "hello\n");
  CHECK(one->size == 10);
  CHECK_FALSE(one->special);
  CHECK(first_packet("0000rest")->special);
  CHECK(first_packet("0001")->special);
  CHECK(first_packet("0004")->payload.empty());
  CHECK_FALSE(first_packet("0004")->special);
}

TEST_CASE("a packet that has not come whole is waited for") {
  CHECK_FALSE(first_packet(""));
  CHECK_FALSE(first_packet("000"));
  CHECK_FALSE(first_packet("000ahell"));
}

TEST_CASE("what is no packet is refused") {
  for (auto bytes : {"0003", "fffff", "zzzz", "-001", "+004", "0x10", " 00a"})
    CHECK_THROWS_AS(first_packet(bytes), bad_packet);
}

TEST_CASE("the commands of a push are read up to their end") {
  auto head = command_packet(some_id, other_id, "refs/heads/work",
                             " report-status side-band-64k agent=git/2")
              + "0000";
  auto push = read_whole(head + "PACK and more");
  REQUIRE(push.commands.size() == 1);
  CHECK(push.commands[0].old_id == some_id);
  CHECK(push.commands[0].new_id == other_id);
  CHECK(push.commands[0].ref == "refs/heads/work");
  CHECK(push.has("report-status"));
  CHECK_FALSE(push.has("report-status-v2"));
  CHECK(push.side_band() == max_packet - 5);
  CHECK(push.size == head.size());
  CHECK_FALSE(fault_of(push, "work"));

  for (std::size_t size = 0; size < head.size(); ++size)
    CHECK_FALSE(read_push(head.substr(0, size)));
}

TEST_CASE("only the session's branch may be moved") {
  using commands = std::vector<std::array<std::string, 3>>;
  auto fault = [](const commands& all) {
    std::string body;
    for (auto& [old_id, new_id, ref] : all)
      body += command_packet(old_id, new_id, ref, "report-status");
    return fault_of(read_whole(body + "0000"), "work").value_or("");
  };
  const std::string only = "only the branch \"work\" of this session can be "
                           "pushed";
  CHECK(fault({{some_id, other_id, "refs/heads/work"}}).empty());
  CHECK(fault({{null_id, other_id, "refs/heads/work"}}).empty());
  CHECK(fault({{some_id, other_id, "refs/heads/work2"}}) == only);
  CHECK(fault({{some_id, other_id, "refs/heads/work/2"}}) == only);
  CHECK(fault({{some_id, other_id, "refs/heads/Work"}}) == only);
  CHECK(fault({{some_id, other_id, "refs/tags/work"}}) == only);
  CHECK(fault({{some_id, null_id, "refs/heads/main"}}) == only);
  CHECK(fault({{some_id, other_id, "refs/heads/work"},
               {some_id, other_id, "refs/heads/main"}})
        == only);
  CHECK(fault({{some_id, other_id, "refs/heads/work"},
               {some_id, other_id, "refs/heads/work"}})
        == only);
  CHECK(fault({{some_id, null_id, "refs/heads/work"}})
        == "the branch \"work\" of this session cannot be deleted");
}

TEST_CASE("a push from a shallow clone names its boundary first") {
  auto push = read_whole(
    make_packet("shallow " + some_id + '\n')
    + command_packet(some_id, other_id, "refs/heads/work", "report-status")
    + "0000");
  CHECK_FALSE(fault_of(push, "work"));
}

TEST_CASE("what git does not send is no push") {
  for (auto& text : {std::string{"push-cert"}, "push-cert" + std::string{'\0'},
                     some_id + ' ' + other_id, std::string{"shallow nothing"},
                     some_id + ' ' + other_id + " HEAD",
                     "x" + some_id.substr(1) + ' ' + other_id + " refs/x",
                     // One of SHA-1, one of SHA-256.
                     some_id + ' ' + std::string(64, 'a') + " refs/x"})
    CHECK_THROWS_AS(read_push(make_packet(text) + "0000"), refused);
  CHECK_THROWS_AS(read_push("PACK"), bad_packet);
}

TEST_CASE("a push with endless commands is refused, not kept") {
  std::string body;
  while (body.size() <= max_push_head)
    body += command_packet(some_id, other_id, "refs/heads/work");
  CHECK_THROWS_AS(read_push(body), refused);
}

TEST_CASE("a refused push is reported for each of its refs") {
  auto body = command_packet(some_id, other_id, "refs/heads/a", "report-status")
              + command_packet(some_id, other_id, "refs/heads/b") + "0000";
  CHECK(refusal_of(read_whole(body), "no")
        == make_packet("unpack ok\n")
             + make_packet("ng refs/heads/a greenroom: no\n")
             + make_packet("ng refs/heads/b greenroom: no\n") + "0000");
}

TEST_CASE("git's report is heard however it is cut") {
  const auto ref = std::string{"refs/heads/work"};
  const auto report =
    make_packet("unpack ok\n") + make_packet("ok " + ref) + "0000";
  const auto banded = make_packet("\2progress\n")
                      + make_packet('\1' + report.substr(0, 9))
                      + make_packet('\1' + report.substr(9)) + "0000";
  for (auto& [text, side_band] :
       {std::pair{report, false}, std::pair{banded, true}})
    for (std::size_t step = 1; step <= text.size(); ++step) {
      push_answer answer{ref, side_band};
      std::string passed;
      for (std::size_t at = 0; at < text.size(); at += step)
        passed += answer.pass(text.substr(at, step));
      REQUIRE(passed + answer.rest() == text);
      REQUIRE(answer.moved());
    }
}

TEST_CASE("progress that looks like a report is none") {
  push_answer answer{"refs/heads/work", true};
  answer.pass(make_packet("\2" + make_packet("ok refs/heads/work\n")));
  answer.pass(make_packet("\1" + make_packet("ok refs/heads/other\n")));
  CHECK_FALSE(answer.moved());
}

TEST_CASE("a push to a dirty checkout is told what to do") {
  push_answer answer{"refs/heads/work", true};
  auto report = make_packet("unpack ok\n")
                + make_packet("ng refs/heads/work Working directory has "
                              "unstaged changes\n")
                + "0000";
  auto passed = answer.pass(make_packet('\1' + report) + "0000");
  CHECK(passed.find("commit, stash or undo them in the session")
        != std::string::npos);
  CHECK(passed.ends_with("0000"));
  CHECK_FALSE(answer.moved());
}

TEST_CASE("an answer that is not framed is passed on as it is") {
  push_answer answer{"refs/heads/work", true};
  auto first = answer.pass("no frame");
  auto second = answer.pass("s");
  CHECK(first + second + answer.rest() == "no frames");
}

TEST_CASE("gzip is unpacked in pieces of any size") {
  std::string text;
  for (int i = 0; i < 10'000; ++i)
    text += "line " + std::to_string(i) + '\n';
  auto packed = gzipped(text);
  for (std::size_t step : {1u, 100u, 100'000u})
    for (std::size_t room : {64u, 100'000u}) {
      gunzip unpacker;
      std::string result;
      std::string buffer(room, '\0');
      for (std::size_t at = 0; at < packed.size(); at += step) {
        auto piece = std::string_view{packed}.substr(at, step);
        while (auto size = unpacker.unpack(piece, buffer))
          result.append(buffer, 0, size);
        REQUIRE(piece.empty());
      }
      CHECK(unpacker.ended());
      CHECK(result == text);
    }
}

TEST_CASE("what gzip did not make is refused") {
  std::string room(1024, '\0');
  std::string_view text = "not packed at all, by nothing";
  gunzip plain;
  CHECK_THROWS_AS(plain.unpack(text, room), bad_gzip);

  auto packed = gzipped("short") + "more";
  std::string_view piece = packed;
  gunzip followed;
  CHECK(followed.unpack(piece, room) == 5);
  CHECK(followed.ended());
  CHECK_THROWS_AS(followed.unpack(piece, room), bad_gzip);
}

TEST_CASE("the paths of a session's repository are known, and no others") {
  auto top = "/git/demo/" + sid + ".git/";
  auto refs = read_route(top + "info/refs?service=git-upload-pack");
  REQUIRE(refs);
  CHECK(refs->project_id == "demo");
  CHECK(refs->session_id == sid);
  CHECK(refs->advertise);
  CHECK(refs->service == service::upload_pack);
  CHECK(read_route(top + "info/refs?a=b&service=git-receive-pack")->service
        == service::receive_pack);
  CHECK(read_route(top + "git-receive-pack")->service == service::receive_pack);
  CHECK_FALSE(read_route(top + "git-upload-pack")->advertise);

  // The dumb protocol, to be told so.
  CHECK(read_route(top + "info/refs"));
  CHECK_FALSE(read_route(top + "info/refs")->service);
  CHECK_FALSE(
    read_route(top + "info/refs?service=git-upload-archive")->service);

  for (auto& path :
       {std::string{"/"}, std::string{"/git/"}, top, top + "HEAD",
        top + "objects/info/packs", top + "git-upload-archive",
        top + "git-upload-pack/", top + "../" + sid + ".git/info/refs",
        "/git/demo/../demo/" + sid + ".git/info/refs",
        "/git/demo/%2e%2e/" + sid + ".git/info/refs",
        "/git/%64emo/" + sid + ".git/info/refs",
        "/git/demo/" + sid + "/info/refs",
        "/git/demo/" + sid + "x.git/info/refs",
        "/git/demo/" + std::string(5000, 'a') + ".git/info/refs",
        "/git/Demo/" + sid + ".git/info/refs",
        "/git//" + sid + ".git/info/refs", "http://host" + top + "info/refs"})
    CHECK_FALSE(read_route(path));
}

TEST_CASE("a token comes as a password or by itself") {
  CHECK(token_of("Basic c2Vzc2lvbjpncl8xMjM=") == "gr_123");
  CHECK(token_of("basic  c2Vzc2lvbjpncl8xMjM") == "gr_123");
  CHECK(token_of("Basic Onh5") == "xy"); // without a user's name
  CHECK(token_of("Bearer gr_123") == "gr_123");
  for (auto text :
       {"", "Basic", "Basic ", "Basic !!!!", "Basic c2Vzc2lvbg==", "Bearer",
        "Bearer ", "Bearer a b", "Digest gr_123", "Basicc2Vzc2lvbjpncl8xMjM="})
    CHECK(token_of(text).empty());
  CHECK(token_of("Bearer " + std::string(5000, 'x')).empty());
}

TEST_CASE("a protocol is forwarded when it is one") {
  CHECK(sane_protocol("version=2") == "version=2");
  CHECK(sane_protocol("version=1:version=2") == "version=1:version=2");
  CHECK(sane_protocol("version=2\nX=1").empty());
  CHECK(sane_protocol("$(id)").empty());
  CHECK(sane_protocol(std::string(100, 'a')).empty());
}

TEST_CASE("a clone URL holds the token and leads to where git is served") {
  options of;
  of.public_url = "https://green.example.org:8443";
  CHECK(clone_url(of, "demo", sid, "gr_1")
        == "https://session:gr_1@green.example.org:8443/git/demo/" + sid
             + ".git");
  CHECK(clone_url(of, "demo", sid, "")
        == "https://green.example.org:8443/git/demo/" + sid + ".git");
  of.git_host = "10.0.0.1";
  of.git_port = 9000;
  CHECK(clone_url(of, "demo", sid, "gr_1")
        == "http://session:gr_1@10.0.0.1:9000/git/demo/" + sid + ".git");
  of.git_host = "0.0.0.0";
  CHECK(clone_url(of, "demo", sid, "gr_1")
        == "http://session:gr_1@green.example.org:9000/git/demo/" + sid
             + ".git");
  of.git_host = "::1";
  CHECK(clone_url(of, "demo", sid, "gr_1")
        == "http://session:gr_1@[::1]:9000/git/demo/" + sid + ".git");
}

TEST_CASE("no bytes make the parsers do more than refuse") {
  std::mt19937 random{4711};
  std::string alphabet = "0123abcf GETPOS/git:\r\n\1\xffrefs/heads";
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = round % 2 == 0 ? "" : "GET /git/";
    auto size = random() % 200;
    for (unsigned i = 0; i < size; ++i)
      bytes += alphabet[random() % alphabet.size()];
    try {
      if (auto push = read_push(bytes))
        REQUIRE(push->size <= bytes.size());
    } catch (const bad_packet&) {
      SUCCEED();
    } catch (const refused&) {
      SUCCEED();
    }
    static_cast<void>(read_route(bytes));
    static_cast<void>(token_of(bytes));
  }
}

TEST_CASE(
  "of a first request only what is unusual in an upstream is looked at") {
  auto request = make_packet("command=ls-refs\n") + "0001";
  for (auto name :
       {"HEAD", "main", "refs/main", "refs/heads/main", "refs/tags/main",
        "refs/remotes/main/HEAD", "refs/pull/7/head", "refs/pull/7/head",
        "refs/refs/pull/7/head", "refs/notes/", "refs/greenroom/rescue/x",
        "refs/greenroom/", "refs/stash", "refs/h/", "refs/a/../b"})
    request += make_packet("ref-prefix " + std::string{name} + '\n');
  CHECK(request_size(request) == std::nullopt);
  request += flush_packet;
  CHECK(request_size(request + "0014more") == request.size());
  CHECK(unusual_refs(request)
        == std::vector<std::string>{"refs/h/", "refs/notes/",
                                    "refs/pull/7/head", "refs/stash"});
  CHECK(unusual_refs(make_packet("command=fetch\n")).empty());
  // As a fetch of topic/x does.
  auto topic = make_packet("command=ls-refs\n") + "0001";
  for (const std::string name :
       {"topic/x", "refs/topic/x", "refs/tags/topic/x", "refs/heads/topic/x",
        "refs/remotes/topic/x", "refs/remotes/topic/x/HEAD"})
    topic += make_packet("ref-prefix " + name + '\n');
  topic += flush_packet;
  const std::vector<std::string> tried{"refs/topic/x"};
  CHECK(unusual_refs(topic) == tried);
  CHECK(unusual_refs(topic, [](auto& branch) {
          return branch == "topic/x";
        }).empty());
  CHECK(unusual_refs(topic, [](auto& branch) { return branch == "topic"; })
        == tried);
  // As a mirror does.
  auto all = make_packet("command=ls-refs\n") + "0001"
             + make_packet("ref-prefix HEAD\n")
             + make_packet("ref-prefix refs/\n") + "0000";
  CHECK(unusual_refs(all) == std::vector<std::string>{"refs/"});
}

TEST_CASE("what is wanted by clients of old is found by its object") {
  const std::string a(40, 'a');
  const std::string b(40, 'b');
  const auto request = make_packet("want " + a + " ofs-delta agent=git/1\n")
                       + make_packet("want " + b + '\n') + "0000";
  CHECK(unusual_wants(request, {{"refs/pull/1/head", a},
                                {"refs/pull/2/head", std::string(40, 'c')},
                                {"refs/heads/main", a},
                                {"refs/greenroom/x", b},
                                {"refs/notes/x", b}})
        == std::vector<std::string>{"refs/notes/x", "refs/pull/1/head"});
  string_map many;
  for (int i = 0; i < 100; ++i)
    many["refs/pull/" + std::to_string(i) + "/head"] = a;
  CHECK(unusual_wants(request, many) == std::vector<std::string>{"refs/"});
  CHECK(unusual_wants("0000", many).empty());
}

TEST_CASE("a list of all has what the upstream has now, and nothing of ours") {
  const auto request =
    make_packet("command=ls-refs\n") + "0001" + make_packet("peel\n");
  CHECK(asks_for_all(request + "0000"));
  CHECK_FALSE(
    asks_for_all(request + make_packet("ref-prefix refs/heads/\n") + "0000"));
  CHECK_FALSE(asks_for_all(make_packet("command=fetch\n") + "0000"));
  const std::string a(40, 'a');
  const std::string b(40, 'b');
  auto usual = make_packet(a + " HEAD symref-target:refs/heads/main\n")
               + make_packet(a + " refs/heads/main\n");
  auto tag = make_packet(a + " refs/tags/v1 peeled:" + b + '\n');
  auto listed = whole_list(
    usual + make_packet(a + " refs/pull/1/head\n")
      + make_packet(a + " refs/pull/2/head peeled:" + b + '\n') + tag + "0000",
    {{"refs/heads/other", b},
     {"refs/greenroom/rescue/x/tree", b},
     {"refs/pull/1/head", b},
     {"refs/stash", b},
     {"refs/stash^{}", a},
     {"refs/tags/v1^{}", b}},
    true);
  CHECK(listed
        == usual + make_packet(b + " refs/pull/1/head\n")
             + make_packet(b + " refs/stash peeled:" + a + '\n') + tag
             + "0000");
  CHECK(whole_list("0000", {{"refs/x", a}, {"refs/x^{}", b}}, false)
        == make_packet(a + " refs/x\n") + "0000");
  CHECK(whole_list("0000", {}, true) == "0000");
  CHECK_THROWS_AS(whole_list("xxxx", {}, true), bad_packet);
  CHECK(asks_for_peeled(request + "0000"));
  CHECK_FALSE(asks_for_peeled(make_packet("command=ls-refs\n") + "0000"));
}

TEST_CASE("by git's protocol of old all is advertised as well") {
  const std::string a(40, 'a');
  const std::string b(40, 'b');
  const auto can = std::string{'\0'} + "ofs-delta symref=HEAD:refs/heads/main";
  const string_map others{{"refs/heads/other", b},
                          {"refs/greenroom/x", b},
                          {"refs/pull/1/head", b},
                          {"refs/pull/1/head^{}", a}};
  const auto more = make_packet(b + " refs/pull/1/head\n")
                    + make_packet(a + " refs/pull/1/head^{}\n");
  const auto version = make_packet("version 1\n");
  const auto cut_off = make_packet("shallow " + a + '\n');
  const auto main = make_packet(a + " refs/heads/main\n");
  CHECK(whole_advertisement(version + make_packet(a + " HEAD" + can + '\n')
                              + main + make_packet(a + " refs/pull/1/head\n")
                              + make_packet(a + " refs/pull/2/head\n")
                              + make_packet(b + " refs/pull/2/head^{}\n")
                              + cut_off + "0000",
                            others)
        == version + make_packet(a + " HEAD" + can + '\n') + main + more
             + cut_off + "0000");
  // All is in the order of names, what a tag leads to beside it.
  const auto beside = make_packet(a + " refs/pull/1/head-2\n");
  const auto tag = make_packet(a + " refs/tags/v1\n");
  CHECK(
    whole_advertisement(make_packet(a + " HEAD" + can + '\n') + tag + "0000",
                        {{"refs/pull/1/head", b},
                         {"refs/pull/1/head-2", a},
                         {"refs/pull/1/head^{}", a}})
    == make_packet(a + " HEAD" + can + '\n') + more + beside + tag + "0000");
  // What git can do is said beside the first, whichever that is.
  CHECK(whole_advertisement(
          make_packet(a + " refs/changes/1" + can + '\n') + main + "0000", {})
        == make_packet(a + " refs/heads/main" + can + '\n') + "0000");
  const auto none = std::string(40, '0') + " capabilities^{}" + can + '\n';
  CHECK(whole_advertisement(make_packet(none) + "0000", {})
        == make_packet(none) + "0000");
  CHECK(whole_advertisement(make_packet(none) + "0000", others)
        == make_packet(b + " refs/pull/1/head" + can + '\n')
             + make_packet(a + " refs/pull/1/head^{}\n") + "0000");
  CHECK_THROWS_AS(whole_advertisement("xxxx", others), bad_packet);
}

TEST_CASE("a list gets what the upstream has, also where git has nothing") {
  const std::string pull = "refs/pull/7/head";
  const string_map more{{pull, some_id}, {"refs/heads/main", some_id}};
  const auto added = make_packet(some_id + ' ' + pull + '\n');
  ref_list nothing{more, {pull}};
  CHECK(nothing.pass("0000") == added + "0000");
  // What git has goes before.
  ref_list own{more, {pull}};
  const auto its = make_packet(other_id + ' ' + pull + '\n');
  CHECK(own.pass(its + "0000") == its + "0000");
  // By protocol 0 what git can do stands in the place of the first.
  const auto empty = make_packet(null_id + " capabilities^{}" + '\0' + "ofs\n");
  ref_list advertised{more, {}};
  CHECK(advertised.pass(empty + "0000") == empty + "0000");
}

TEST_CASE("of a session's refusals only a few a second are audited") {
  refusal_limit limit;
  auto admitted = [&](const std::string& session, unix_ms now) {
    unsigned result = 0;
    for (int i = 0; i < 100; ++i)
      result += limit.admits(session, now + i) ? 1u : 0u;
    return result;
  };
  CHECK(admitted("a", 5'000) == refusal_limit::most_of_session);
  CHECK(admitted("a", 5'500) == 0);
  CHECK(admitted("b", 5'500) == refusal_limit::most_of_session);
  CHECK(admitted("a", 6'000) == refusal_limit::most_of_session);
}
