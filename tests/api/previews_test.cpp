// Previews of the real program: what runs in a session is seen at its own
// name, by those who may, for as long as the session lives.
#include "tests/api/demo.hpp"
#include "tests/support/sockets.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>

using namespace greenroom::test;

namespace {

/// A program that answers every connection by its port and what it was asked.
std::string program(int port) {
  return "exec perl -MIO::Socket::INET -e '"
         "$s = IO::Socket::INET->new(LocalAddr => \"127.0.0.1\","
         " LocalPort => $ARGV[0], Listen => 5, ReuseAddr => 1) or die $!;"
         "while ($c = $s->accept) { $all = \"\";"
         " while (<$c>) { last if /^\\r/; $all .= $_ }"
         " print $c \"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n\","
         " \"port $ARGV[0]\\n$all\"; close $c }' "
         + std::to_string(port);
}

struct preview {
  /// Of a URL like http://3000-SESSION.preview.localhost:8081/.
  explicit preview(const std::string& url) {
    auto start = url.find("://") + 3;
    host = url.substr(start, url.find('/', start) - start);
    path = url.substr(url.find('/', start));
    listener =
      static_cast<std::uint16_t>(std::stoul(host.substr(host.find(':') + 1)));
  }

  /// The same place at another path of the server's.
  preview at(const std::string& other) const {
    auto result = *this;
    result.path = other;
    return result;
  }

  /// The whole answer as text.
  std::string get(const std::string& headers) const {
    auto socket = connect_to(listener);
    send_all(socket, "GET " + path + " HTTP/1.1\r\nHost: " + host
                       + "\r\nConnection: close\r\n" + headers + "\r\n");
    std::string all;
    while (receive(socket, all, 64 * 1024))
      continue;
    return all;
  }

  std::string host;
  std::string path;
  std::uint16_t listener = 0;
};

std::string key_of(const node_process& node) {
  return "X-API-Key: " + node.admin_key() + "\r\n";
}

/// A program whose answers begin and never end.
std::string endless_program(int port) {
  return "exec perl -MIO::Socket::INET -e '"
         "$s = IO::Socket::INET->new(LocalAddr => \"127.0.0.1\","
         " LocalPort => $ARGV[0], Listen => 5, ReuseAddr => 1) or die $!;"
         "while ($c = $s->accept) { while (<$c>) { last if /^\\r/ }"
         " print $c \"HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream"
         "\\r\\n\\r\\ndata: begun\\n\\n\"; push @open, $c }' "
         + std::to_string(port);
}

/// An answer of such a program's, once it has begun.
class open_stream {
public:
  open_stream(const preview& of, const std::string& headers) {
    await("a stream", [&] {
      socket_ = connect_to(of.listener);
      send_all(socket_, "GET " + of.path + " HTTP/1.1\r\nHost: " + of.host
                          + "\r\nConnection: close\r\n" + headers + "\r\n");
      std::string all;
      while (all.find("begun") == std::string::npos)
        if (!receive(socket_, all, 64 * 1024))
          return false;
      return true;
    });
  }

  /// Waits for the end of the connection.
  void await_end() const {
    std::string all;
    while (receive(socket_, all, 64 * 1024))
      continue;
  }

  bool is_open() const {
    std::array<char, 100> rest{};
    ssize_t got = 0;
    do
      got = ::recv(socket_.get(), rest.data(), rest.size(), MSG_DONTWAIT);
    while (got > 0);
    return got < 0 && errno == EAGAIN;
  }

private:
  greenroom::unique_fd socket_;
};

void see_a_program(bool sandboxed) {
  node_options options;
  options.sandboxed = sandboxed;
  node_process node{options};
  const int port = sandboxed ? 3000 : unused_port();
  session_user user{node, {{"new_branch", "p"}, {"preview_port", port}}};
  preview shown{user.get()["preview_url"].get<std::string>()};
  CHECK(shown.host.starts_with(std::to_string(port) + "-" + user.id() + "."));
  // Nothing has run yet, so nothing listens.
  auto key = key_of(node);
  CHECK(shown.get(key).starts_with("HTTP/1.1 503"));
  user.start("web", program(port));
  std::string answer;
  await("the program", [&] {
    answer = shown.get(key);
    return answer.starts_with("HTTP/1.1 200");
  });
  INFO(answer);
  auto number = std::to_string(port);
  CHECK(answer.find("\nport " + number) != std::string::npos);
  CHECK(answer.find("Host: localhost:" + number) != std::string::npos);
  CHECK(answer.find("X-Forwarded-Host: " + shown.host) != std::string::npos);
  CHECK(answer.find(node.admin_key()) == std::string::npos);
  CHECK(shown.get("").starts_with("HTTP/1.1 401"));
  json ports;
  await("the list of ports", [&] {
    ports = expect(200, node.admin().get(user.path("/ports"))).data()["ports"];
    return !ports.empty();
  });
  CHECK(ports[0]["port"] == port);
  CHECK(ports[0]["exec_id"] == "web");
  auto made =
    expect(201, user.post("/ports/" + number + "/link", json::object()));
  preview link{made.data()["url"].get<std::string>()};
  auto opened = link.get("");
  CHECK(opened.starts_with("HTTP/1.1 303"));
  auto cookie = opened.substr(opened.find("greenroom-preview="));
  cookie = "Cookie: " + cookie.substr(0, cookie.find(';')) + "\r\n";
  CHECK(shown.get(cookie).starts_with("HTTP/1.1 200"));
  expect(200, user.remove());
  await("the end", [&] { return shown.get(key).starts_with("HTTP/1.1 410"); });
  const auto ended = user.get();
  const auto page = shown.get(key + "Accept: text/html\r\n");
  INFO(page);
  CHECK(page.find(" since " + ended["ended_at"].get<std::string>() + ": ")
        != std::string::npos);
  CHECK(page.find(": terminated by") != std::string::npos);
}

} // namespace

TEST_CASE("a program in a session's sandbox is seen by its preview") {
  see_a_program(true);
}

TEST_CASE("a program on port 80 of a sandbox is seen by its preview") {
  node_process node;
  session_user user{node, {{"new_branch", "p"}, {"preview_port", 80}}};
  preview shown{user.get()["preview_url"].get<std::string>()};
  user.start("web", program(80));
  auto reached =
    expect(200, node.admin().get(user.path("/wait?until=port:80&timeout=2m")));
  REQUIRE(reached.data()["reached"] == true);
  auto answer = shown.get(key_of(node));
  INFO(answer);
  CHECK(answer.starts_with("HTTP/1.1 200"));
  CHECK(answer.find("\nport 80\n") != std::string::npos);
}

TEST_CASE("who waits for a preview is told when it is ready") {
  node_process node;
  session_user user{node, {{"new_branch", "p"}, {"preview_port", 3000}}};
  auto events = user.watch("from=earliest&types=port.opened,preview.ready,"
                           "port.closed,preview.gone");
  auto wait = [&](const std::string& query) {
    return expect(200, node.admin().get(user.path("/wait?" + query))).data();
  };
  CHECK(wait("until=preview:ready&timeout=10ms")["reached"] == false);
  user.start("web", program(3000));
  CHECK(wait("until=preview:ready&timeout=2m")["reached"] == true);
  auto ports = wait("until=port:3000");
  CHECK(ports["reached"] == true);
  CHECK(ports["ports"][0]["exec_id"] == "web");
  expect(200, node.admin().remove(user.path("/execs/web")));
  await("the port to close", [&] {
    return wait("until=port:3000&timeout=10ms")["reached"] == false;
  });
  expect(200, user.remove());
  auto all = events.rest();
  CHECK(types_of(all)
        == std::vector<std::string>{"port.opened", "preview.ready",
                                    "port.closed", "preview.gone"});
  auto url = preview{user.get()["preview_url"].get<std::string>().empty()
                       ? all[1].data["url"].get<std::string>()
                       : ""};
  CHECK(url.host.starts_with("3000-" + user.id() + "."));
}

TEST_CASE("every answer and event names the preview alike") {
  node_process node;
  session_user user{node, {{"new_branch", "p"}, {"preview_port", 3000}}};
  auto url = user.get()["preview_url"].get<std::string>();
  CHECK(url.find("//3000-" + user.id() + ".preview.localhost:")
        != std::string::npos);
  auto all = expect(200, node.admin().get("/sessions")).data()["sessions"];
  CHECK(all[0]["preview_url"] == url);
  auto one = expect(200, node.admin().get(sessions)).data()["sessions"];
  CHECK(one[0]["preview_url"] == url);
  CHECK(user.timeline()[0]["data"]["preview_url"] == url);
  expect(200, user.remove());
  CHECK(user.get()["preview_url"] == "");
}

TEST_CASE("a stream of a preview ends where its opener may look no more") {
  node_process node;
  session_user user{node, {{"new_branch", "p"}, {"preview_port", 3000}}};
  const preview shown{user.get()["preview_url"].get<std::string>()};
  const auto of_project = [&](const std::string& access) {
    expect(200, node.admin().patch("/projects/demo",
                                   {{"preview", {{"access", access}}}}));
  };
  const auto of_port = [&](const std::string& access) {
    expect(200, node.admin().send("PUT", user.path("/ports/3000"),
                                  json{{"access", access}}.dump()));
  };
  user.start("web", endless_program(3000));
  const open_stream keyed{shown, key_of(node)};
  of_project("public");
  const open_stream anybody{shown, ""};
  of_project("token");
  anybody.await_end();
  of_port("public");
  const open_stream another{shown, ""};
  of_project("key");
  of_port("token");
  another.await_end();
  CHECK(keyed.is_open());
}

TEST_CASE("a thousand looks at a preview cost the session nothing") {
  node_process node;
  session_user user{node, {{"new_branch", "p"}, {"preview_port", 3000}}};
  preview shown{user.get()["preview_url"].get<std::string>()};
  auto key = key_of(node);
  auto look = [&](int times, const std::string& status) {
    for (int i = 0; i < times; ++i)
      if (auto answer = shown.get(key);
          !answer.starts_with("HTTP/1.1 " + status))
        FAIL("look " << i << ": " << answer << '\n' << node.log());
  };
  look(500, "503");
  user.start("web", program(3000));
  await("the program",
        [&] { return shown.get(key).starts_with("HTTP/1.1 200"); });
  look(500, "200");
  CHECK(node.log().find("crashed") == std::string::npos);
}

TEST_CASE("without a sandbox only a session's own ports are seen") {
  see_a_program(false);
  // The node's own API listens on the same loopback.
  node_options options;
  options.sandboxed = false;
  node_process node{options};
  session_user user{node, {{"new_branch", "p"}, {"preview_port", node.port()}}};
  user.run("true");
  preview shown{user.get()["preview_url"].get<std::string>()};
  CHECK(shown.get(key_of(node)).starts_with("HTTP/1.1 503"));
}

TEST_CASE("without a wildcard name previews are paths, and links lead there") {
  node_options options;
  options.sandboxed = false;
  options.set = {"preview.domain=null"};
  node_process node{options};
  const auto port = unused_port();
  session_user user{node, {{"new_branch", "p"}, {"preview_port", port}}};
  const auto number = std::to_string(port);
  const auto url = user.get()["preview_url"].get<std::string>();
  const auto prefix = "/preview/" + user.id() + '/' + number + '/';
  INFO(url);
  preview shown{url};
  CHECK(shown.path == prefix);
  CHECK(user.timeline()[0]["data"]["preview_url"] == url);
  const auto key = key_of(node);
  user.start("web", program(port));
  await("the program",
        [&] { return shown.get(key).starts_with("HTTP/1.1 200"); });
  json ports;
  await("the list of ports", [&] {
    ports = expect(200, node.admin().get(user.path("/ports"))).data()["ports"];
    return !ports.empty();
  });
  CHECK(ports[0]["url"] == url);
  auto made =
    expect(201, user.post("/ports/" + number + "/link", {{"path", "/a?b=c"}}));
  preview link{made.data()["url"].get<std::string>()};
  CHECK(link.path.starts_with(prefix + "a?b=c&"));
  auto opened = link.get("");
  INFO(opened);
  CHECK(opened.starts_with("HTTP/1.1 303"));
  CHECK(opened.find("\r\nLocation: " + prefix + "a?b=c\r\n")
        != std::string::npos);
  auto cookie = opened.substr(opened.find("greenroom-preview="));
  CHECK(cookie.find("; Path=" + prefix + ";") != std::string::npos);
  cookie = "Cookie: " + cookie.substr(0, cookie.find(';')) + "\r\n";
  auto answer = shown.at(prefix + "a?b=c").get(cookie);
  CHECK(answer.starts_with("HTTP/1.1 200"));
  CHECK(
    answer.find("X-Forwarded-Prefix: " + prefix.substr(0, prefix.size() - 1))
    != std::string::npos);
  CHECK(shown.get("").starts_with("HTTP/1.1 401"));
}
