// What of HTTP a raw socket can do otherwise than good clients: it is answered.
#include "tests/api/demo.hpp"
#include "tests/support/sockets.hpp"

#include <sys/socket.h>

#include <string>
#include <vector>

using namespace greenroom::test;

namespace {

int status_of(const std::string& answer) {
  return answer.size() < 12 ? 0 : std::stoi(answer.substr(9, 3));
}

/// A session's repository, asked by hand.
class repository {
public:
  explicit repository(const node_process& node) : node_(node) {
    auto made =
      expect(201, node.admin().post(sessions, {{"new_branch", "work"}})).data();
    path_ = "/git/demo/" + made["id"].get<std::string>() + ".git";
    token_ = made["auth_clone_url"].get<std::string>();
    token_ = token_.substr(token_.find("session:") + 8);
    token_ = token_.substr(0, token_.find('@'));
  }

  int get(const std::string& more, bool half_closed) const {
    return ask("GET " + path_ + more, "", half_closed);
  }
  int fetch(const std::string& body, const std::string& fields = {},
            bool half_closed = false) const {
    return ask("POST " + path_ + "/git-upload-pack", body, half_closed,
               fields
                 + "Content-Type: application/x-git-upload-pack-request\r\n"
                   "Content-Length: "
                 + std::to_string(body.size()) + "\r\n");
  }

private:
  int ask(const std::string& line, const std::string& body, bool half_closed,
          const std::string& fields = {}) const {
    auto socket = connect_to(node_.port());
    send_all(socket, line
                       + " HTTP/1.1\r\nHost: localhost\r\nConnection: "
                         "close\r\nAuthorization: Bearer "
                       + token_ + "\r\n" + fields + "\r\n" + body);
    if (half_closed)
      REQUIRE(::shutdown(socket.get(), SHUT_WR) == 0);
    std::string answer;
    while (receive(socket, answer, 4096))
      continue;
    return status_of(answer);
  }

  const node_process& node_;
  std::string path_;
  std::string token_;
};

} // namespace

TEST_CASE("what git cannot read of a request is the client's fault") {
  node_options options;
  options.sandboxed = false;
  node_process node{options};
  repository of{node};
  const std::string version_2 = "Git-Protocol: version=2\r\n";
  for (const std::string body :
       {"zzzz", "0003", "hello world", "0014command=frobnicate\n0000",
        "0032want xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n0000"})
    for (const auto& fields : {std::string{}, version_2}) {
      INFO(body << ' ' << fields);
      CHECK(of.fetch(body, fields) == 400);
    }
  CHECK(of.fetch("") == 400);
  CHECK(of.fetch("0014command=ls-refs\n0000", version_2) == 200);
}

TEST_CASE("a client of git that has said all may still listen") {
  node_options options;
  options.sandboxed = false;
  node_process node{options};
  repository of{node};
  CHECK(of.get("/info/refs?service=git-upload-pack", true) == 200);
  CHECK(
    of.fetch("0014command=ls-refs\n0000", "Git-Protocol: version=2\r\n", true)
    == 200);
}

TEST_CASE("a body that is not in chunks as it says is refused") {
  node_options options;
  options.sandboxed = false;
  node_process node{options};
  auto socket = connect_to(node.port());
  send_all(socket, "POST /projects HTTP/1.1\r\nHost: localhost\r\n"
                   "Authorization: Bearer "
                     + node.admin_key()
                     + "\r\nContent-Type: application/json\r\n"
                       "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n");
  std::string answer;
  while (receive(socket, answer, 4096))
    continue;
  CHECK(status_of(answer) == 400);
}

TEST_CASE("a client that has sent its request may say that it sends no more") {
  node_options options;
  options.sandboxed = false;
  node_process node{options};
  session_user session{node, json{{"new_branch", "work"}}};
  const std::string body = R"({"command":"sleep 1; echo done","wait":"60s"})";
  for (const auto& request :
       {"GET " + session.path() + " HTTP/1.1\r\n",
        "POST " + session.path("/exec")
          + " HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: "
          + std::to_string(body.size()) + "\r\n"}) {
    auto socket = connect_to(node.port());
    auto text = request + "Host: localhost\r\nAuthorization: Bearer "
                + node.admin_key() + "\r\n\r\n";
    if (request.starts_with("POST"))
      text += body;
    send_all(socket, text);
    REQUIRE(::shutdown(socket.get(), SHUT_WR) == 0);
    std::string answer;
    while (receive(socket, answer, 4096))
      continue;
    INFO(request << answer);
    CHECK(status_of(answer) == 200);
  }
}
