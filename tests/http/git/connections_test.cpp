// Raw connections to the git listener: what HTTP allows, and what strangers
// try.
#include "http/git/listener.hpp"
#include "http/git/pkt_line.hpp"
#include "tests/http/client.hpp"
#include "tests/http/git/git_node.hpp"
#include "tests/http/git/gzipped.hpp"
#include "tests/support/eventually.hpp"

#include <catch2/catch.hpp>
#include <sys/resource.h>
#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;
using namespace greenroom::http::git_http;
using std::chrono::milliseconds;

namespace {

const std::string bearer = "Authorization: Bearer " + git_token + "\r\n";

std::string refs_target(const std::string& service = "git-upload-pack") {
  return git_node::path() + "/info/refs?service=" + service;
}

std::string get(const std::string& target, const std::string& headers = {},
                const std::string& version = "1.1") {
  return "GET " + target + " HTTP/" + version + "\r\nHost: localhost\r\n"
         + headers + "\r\n";
}

std::string post_head(const std::string& service, const std::string& headers) {
  return "POST " + git_node::path() + "/git-" + service
         + " HTTP/1.1\r\nHost: localhost\r\n" + bearer
         + "Content-Type: application/x-git-" + service + "-request\r\n"
         + headers + "\r\n";
}

std::string post(const std::string& service, const std::string& body,
                 const std::string& headers = {}) {
  return post_head(service, headers + "Content-Length: "
                              + std::to_string(body.size()) + "\r\n")
         + body;
}

/// Asks for all refs, in version 2 of the protocol.
const std::string ls_refs =
  make_packet("command=ls-refs\n") + "0001" + make_packet("peel\n") + "0000";

/// The next answer, whatever it is framed with.
http_answer receive_whole(http_client& client) {
  auto answer = client.receive_head();
  auto line = [&] {
    std::string text;
    while (!text.ends_with("\r\n"))
      text += client.receive_bytes(1);
    return text;
  };
  if (!answer.headers.contains("transfer-encoding")) {
    auto& size = answer.headers.at("content-length");
    answer.body = client.receive_bytes(std::stoul(size));
    return answer;
  }
  for (;;) {
    auto size = std::stoul(line(), nullptr, 16);
    answer.body += client.receive_bytes(size);
    client.receive_bytes(2);
    if (size == 0)
      return answer;
  }
}

int status_of(git_node& node, const std::string& request) {
  http_client client{node.port()};
  client.send(request);
  return receive_whole(client).status;
}

} // namespace

TEST_CASE("a stranger gets a 401 that git understands") {
  git_node node;
  http_client client{node.port()};
  client.send(get(refs_target()));
  auto answer = receive_whole(client);
  CHECK(answer.status == 401);
  CHECK(answer.headers["www-authenticate"]
        == "Basic realm=\"Greenroom session\"");
  CHECK(answer.headers["content-type"] == "text/plain; charset=utf-8");
  // As git does it: on the same connection, now with the token.
  client.send(get(refs_target(), bearer + "X-Request-Id: mine\r\n"));
  answer = receive_whole(client);
  CHECK(answer.status == 200);
  CHECK(answer.headers["x-request-id"] == "mine");
  CHECK(answer.headers["content-type"]
        == "application/x-git-upload-pack-advertisement");
  CHECK(answer.body.starts_with("001e# service=git-upload-pack\n0000"));
}

TEST_CASE("an unknown session and a wrong token get the same answer") {
  git_node node;
  auto answer_to = [&](std::string target, const std::string& token) {
    http_client client{node.port()};
    client.send(get(target, "X-Request-Id: x\r\nAuthorization: Bearer " + token
                              + "\r\n"));
    auto answer = receive_whole(client);
    CHECK(answer.status == 401);
    return answer.body;
  };
  auto other = refs_target();
  other.replace(other.find(git_sid), git_sid.size(), std::string(20, 'z'));
  CHECK(answer_to(other, git_token) == answer_to(refs_target(), "gr_wrong"));
}

TEST_CASE(
  "requests may come one after the other before the first is answered") {
  git_node node;
  http_client client{node.port()};
  auto one = get(refs_target(), bearer);
  client.send(one + post("upload-pack", ls_refs, "Git-Protocol: version=2\r\n")
              + one);
  CHECK(receive_whole(client).body.find("refs/heads/work")
        != std::string::npos);
  CHECK(receive_whole(client).body.find("refs/heads/main")
        != std::string::npos);
  CHECK(receive_whole(client).status == 200);
}

TEST_CASE("a body may be chunked, packed or both") {
  git_node node;
  auto chunked = [](const std::string& body) {
    std::string result;
    for (auto c : body)
      result += std::string{"1\r\n"} + c + "\r\n";
    return result + "0\r\n\r\n";
  };
  const std::string v2 = "Git-Protocol: version=2\r\n";
  const std::string packed = "Content-Encoding: gzip\r\n";
  const std::string pieces = "Transfer-Encoding: chunked\r\n";
  for (auto& request :
       {post("upload-pack", ls_refs, v2),
        post("upload-pack", gzipped(ls_refs), v2 + packed),
        post_head("upload-pack", v2 + pieces) + chunked(ls_refs),
        post_head("upload-pack", v2 + packed + pieces)
          + chunked(gzipped(ls_refs))}) {
    http_client client{node.port()};
    client.send(request);
    auto answer = receive_whole(client);
    CHECK(answer.status == 200);
    CHECK(answer.body.find("refs/heads/work") != std::string::npos);
  }
}

TEST_CASE("what git can do is told without the session's repository") {
  git_node node{{{}, sandbox_mode::bubblewrap}};
  const std::string v2 = "Git-Protocol: version=2\r\n";
  auto told = [&] {
    http_client client{node.port()};
    client.send(get(refs_target(), bearer + v2));
    auto answer = receive_whole(client);
    CHECK(answer.status == 200);
    CHECK(answer.headers["content-type"]
          == "application/x-git-upload-pack-advertisement");
    return answer.body;
  };
  const auto list = post("upload-pack", ls_refs, v2);
  const auto abilities = told();
  CHECK(abilities.starts_with("000eversion 2\n"));
  CHECK(abilities.find(" filter") != std::string::npos);
  CHECK(status_of(node, list) == 200);
  // What is told then is the repository's own.
  fs::remove_all(node.checkout() / ".git");
  CHECK(told() == abilities);
  CHECK(status_of(node, list) == 500);
  CHECK(status_of(node, get(refs_target(), bearer)) == 500);
  CHECK(status_of(node, get(refs_target("git-receive-pack"), bearer + v2))
        == 500);
}

TEST_CASE("a client that waits to be told to send is told") {
  git_node node;
  http_client client{node.port()};
  auto size = "Content-Length: " + std::to_string(ls_refs.size()) + "\r\n";
  client.send(post_head("upload-pack", "Git-Protocol: version=2\r\n"
                                       "Expect: 100-continue\r\n"
                                         + size));
  CHECK(client.receive_head().status == 100);
  client.send(ls_refs);
  CHECK(receive_whole(client).status == 200);
  // But not to send what nobody wants.
  http_client stranger{node.port()};
  auto head = post_head("upload-pack", "Expect: 100-continue\r\n" + size);
  head.erase(head.find(bearer), bearer.size());
  stranger.send(head);
  CHECK(receive_whole(stranger).status == 401);
}

TEST_CASE("HTTP/1.0 is answered until the end of the connection") {
  git_node node;
  http_client client{node.port()};
  client.send(get(refs_target(), bearer, "1.0"));
  auto head = client.receive_head();
  CHECK(head.status == 200);
  CHECK(head.headers["connection"] == "close");
  CHECK(!head.headers.contains("transfer-encoding"));
}

TEST_CASE("heads that do not come to an end keep nobody out") {
  rlimit normal{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &normal) == 0);
  auto wide = normal;
  wide.rlim_cur = std::min<rlim_t>(normal.rlim_max, 8192);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &wide) == 0);
  {
    git_node node;
    std::vector<std::unique_ptr<http_client>> halves;
    for (std::size_t i = 0; i < max_connections + 8; ++i) {
      halves.push_back(std::make_unique<http_client>(node.port()));
      halves.back()->send("GET /git/");
    }
    // And one that has been served, and waits.
    http_client client{node.port()};
    for (int i = 0; i < 3; ++i) {
      client.send(get(refs_target(), bearer));
      REQUIRE(receive_whole(client).status == 200);
    }
    for (int i = 0; i < 5; ++i)
      CHECK(status_of(node, get(refs_target(), bearer)) == 200);
  }
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &normal) == 0);
}

TEST_CASE("what is not there is not there, however it is spelt") {
  git_node node;
  for (auto& target :
       {git_node::path() + "/HEAD", git_node::path() + "/objects/info/packs",
        git_node::path() + "/../../x/info/refs?service=git-upload-pack",
        git_node::path() + "/%2e%2e/info/refs?service=git-upload-pack",
        std::string{"/git/demo/../other.git/info/refs"},
        std::string{"/git/%2e%2e/"}, std::string{"/git/"},
        "/git/demo/" + std::string(5000, 'a') + "/info/refs"})
    CHECK(status_of(node, get(target, bearer)) == 404);
  CHECK(status_of(node, get(git_node::path() + "/info/refs", bearer)) == 403);
  CHECK(status_of(node, get(git_node::path() + "/git-upload-pack", bearer))
        == 405);
  CHECK(status_of(
          node, "POST " + refs_target()
                  + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        == 405);
  auto plain = post("upload-pack", ls_refs);
  plain.replace(plain.find("application/x-git"), 17, "application/x-got");
  CHECK(status_of(node, plain) == 415);
}

TEST_CASE("messages that are ambiguous, broken or too large are refused") {
  git_node node;
  auto start = "POST " + git_node::path()
               + "/git-upload-pack HTTP/1.1\r\nHost: localhost\r\n" + bearer;
  CHECK(status_of(node, start
                          + "Content-Length: 5\r\nTransfer-Encoding: chunked"
                            "\r\n\r\n0\r\n\r\n")
        == 400);
  CHECK(status_of(node, start + "Content-Length: x\r\n\r\n") == 400);
  CHECK(status_of(node, start + "X: " + std::string(20'000, 'x') + "\r\n\r\n")
        == 431);
  CHECK(status_of(node, get("/git/" + std::string(20'000, 'x'))) == 414);
  CHECK(status_of(node, start + "Transfer-Encoding: gzip, chunked\r\n\r\n")
        == 501);
  CHECK(status_of(node, start + "Host: other\r\n\r\n") == 400);
  CHECK(
    status_of(node, post_head("upload-pack", "Content-Length: 99999999999\r\n"))
    == 413);
  CHECK(
    status_of(node, post("upload-pack", ls_refs, "Content-Encoding: br\r\n"))
    == 415);
  CHECK(status_of(node, post("upload-pack", "this is not packed at all",
                             "Content-Encoding: gzip\r\n"))
        == 400);
  CHECK(status_of(node, post("receive-pack", "PACK")) == 400);
  CHECK(status_of(node, post("receive-pack", "00")) == 400);
}

TEST_CASE("what git cannot read is the client's fault") {
  git_node node;
  for (const std::string body :
       {"", "zzzz", "0003", "hello world", "0014command=frobnicate\n0000",
        "0032want 0123456789012345678901234567890123456789\n0000"})
    for (const std::string version : {"", "Git-Protocol: version=2\r\n"}) {
      INFO(body << ' ' << version);
      auto status = status_of(node, post("upload-pack", body, version));
      CHECK((status == 400 || status == 200)); // 200: git says it in its way
    }
  CHECK(status_of(node, post("upload-pack", "zzzz")) == 400);
}

TEST_CASE("a client that has said all may still listen") {
  git_node node;
  for (const auto& request :
       {get(refs_target(), bearer),
        post("upload-pack", ls_refs, "Git-Protocol: version=2\r\n")}) {
    http_client client{node.port()};
    client.send(request);
    client.finish_sending();
    CHECK(client.receive_head().status == 200);
  }
}

TEST_CASE("git is served under the server's own names only") {
  git_node node;
  auto evil = get(refs_target(), bearer);
  evil.replace(evil.find("localhost"), 9, "evil.test");
  CHECK(status_of(node, evil) == 403);
  CHECK(status_of(
          node, get(refs_target(), bearer + "Origin: http://evil.example\r\n"))
        == 403);
}

TEST_CASE("a small body that unpacks to a large one is cut off") {
  git_node node{{[](auto& o) { o.max_push = 1 << 20; }, {}}};
  // Commands without an end: nothing of it reaches git.
  std::string id(40, 'a');
  auto endless =
    make_packet(id + ' ' + id + " refs/heads/" + std::string(60'000, 'x'));
  std::string body;
  while (body.size() < (8u << 20))
    body += endless;
  auto packed = gzipped(body);
  REQUIRE(packed.size() < 100'000);
  CHECK(
    status_of(node, post("receive-pack", packed, "Content-Encoding: gzip\r\n"))
    == 400);
  // And a fetch that never ends either.
  auto zeros = gzipped(std::string(std::size_t{64} << 20, 'a'));
  http_client client{node.port()};
  client.send(post("upload-pack", zeros, "Content-Encoding: gzip\r\n"));
  CHECK(receive_whole(client).status >= 400);
}

TEST_CASE("a probe with a push that has no commands only tries the token") {
  git_node node;
  http_client client{node.port()};
  client.send(post("receive-pack", "0000"));
  auto answer = receive_whole(client);
  CHECK(answer.status == 200);
  CHECK(answer.body.empty());
}

TEST_CASE("who is slow with a request's head is let go") {
  git_node node{{[](auto& o) { o.git_head_timeout = milliseconds{100}; }, {}}};
  http_client client{node.port()};
  client.send("GET /git/");
  CHECK_THROWS(receive_whole(client));
}

TEST_CASE("a connection of the API's stays the API's") {
  git_node node;
  http_client client{node.port()};
  client.send(get("/healthz"));
  CHECK(receive_whole(client).status == 200);
  client.send(get(refs_target(), bearer));
  auto answer = receive_whole(client);
  CHECK(answer.status == 421);
  CHECK(answer.headers["connection"] == "close");
  CHECK(answer.body.starts_with("greenroom: git is served"));
}

TEST_CASE("a connection of git's stays git's") {
  git_node node;
  http_client client{node.port()};
  client.send(get(refs_target(), bearer));
  CHECK(receive_whole(client).status == 200);
  client.send(get("/healthz"));
  CHECK(receive_whole(client).status == 421);
}

TEST_CASE("the first bytes decide, in whatever pieces they come") {
  git_node node;
  auto request = get(refs_target(), bearer);
  for (std::size_t cut : {1u, 4u, 9u, 10u}) {
    http_client client{node.port()};
    client.send(request.substr(0, cut));
    // The server has it: an answer to another connection takes longer.
    CHECK(status_of(node, get("/healthz")) == 200);
    client.send(request.substr(cut));
    CHECK(receive_whole(client).status == 200);
  }
  http_client client{node.port()};
  client.send("GET /gi");
  CHECK(status_of(node, get("/healthz")) == 200);
  client.send("raffe HTTP/1.1\r\nHost: localhost\r\n\r\n");
  auto answer = receive_whole(client);
  CHECK(answer.status == 404);
  CHECK(answer.headers["content-type"].starts_with("application/json"));
}

TEST_CASE("HEAD is for nothing here") {
  git_node node;
  http_client client{node.port()};
  client.send("HEAD " + refs_target() + " HTTP/1.1\r\nHost: localhost\r\n"
              + bearer + "\r\n");
  CHECK(client.receive(true).status == 405);
}
