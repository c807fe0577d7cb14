#include "http/base/own_names.hpp"

#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include <array>

using namespace greenroom::http;

namespace {

options some_options() {
  options opts;
  opts.host = "127.0.0.1";
  opts.public_url = "https://rooms.example.org:8443";
  opts.git_url = "https://git.example.org";
  opts.hosts = {"Alias.example.org", "*.inner.example.org"};
  return opts;
}

int status_of(named_origin sent, const options& opts = some_options()) {
  auto fault = fault_of_names(opts, sent);
  if (fault)
    CHECK_FALSE(fault->message.empty());
  return fault ? fault->status : 200;
}

} // namespace

TEST_CASE("a request has to name the server by one of its names") {
  for (auto own :
       {"127.0.0.1:8080", "127.0.0.1", "127.9.9.9:1", "[::1]:8080", "localhost",
        "LOCALHOST:80", "localhost.", "a.localhost:8080", "rooms.example.org",
        "Rooms.Example.org:1", "git.example.org", "alias.example.org:5",
        "a.inner.example.org", "a.b.inner.example.org"}) {
    INFO(own);
    CHECK(status_of({own, {}}) == 200);
  }
  for (auto foreign :
       {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example",
        "evil-localhost", "rooms.example.org.evil.example", "inner.example.org",
        "ainner.example.org", "example.org", "8.8.8.8", "[2001:db8::1]:80"}) {
    INFO(foreign);
    CHECK(status_of({foreign, {}}) == 403);
  }
  for (auto bad : {"a b", "localhost:x", "localhost:123456", "[::1", "[evil]",
                   "me@localhost", ":80", "localhost/x", "a\"b"}) {
    INFO(bad);
    CHECK(status_of({bad, {}}) == 400);
  }
}

TEST_CASE("the machine's own name and addresses are the server's") {
  std::array<char, 256> name{};
  REQUIRE(::gethostname(name.data(), name.size() - 1) == 0);
  CHECK(status_of({name.data(), {}}) == 200);
  ifaddrs* all = nullptr;
  REQUIRE(::getifaddrs(&all) == 0);
  for (auto* one = all; one != nullptr; one = one->ifa_next)
    if (one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_INET) {
      std::array<char, INET_ADDRSTRLEN> text{};
      auto* in = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
      ::inet_ntop(AF_INET, &in->sin_addr, text.data(), text.size());
      INFO(text.data());
      CHECK(status_of({text.data(), {}}) == 200);
    }
  ::freeifaddrs(all);
  options anywhere;
  anywhere.hosts = {"*"};
  CHECK(status_of({"evil.example", {}}, anywhere) == 200);
}

TEST_CASE("a request names one host, from HTTP/1.1 on") {
  CHECK(status_of({{}, {}}) == 400);
  CHECK(status_of({{}, {}, false, false}) == 200);
  CHECK(status_of({"localhost", {}, true}) == 400);
}

TEST_CASE("only pages of the server's may ask it") {
  for (auto own : {"https://rooms.example.org:8443", "http://localhost:8080",
                   "HTTP://LOCALHOST:8080", "https://alias.example.org"}) {
    INFO(own);
    CHECK(status_of({"localhost:8080", own}) == 200);
  }
  for (auto foreign :
       {"null", "http://localhost:3000", "http://evil.example",
        "https://rooms.example.org", "http://8080-x.preview.localhost:8081",
        "http://localhost:8080.evil.example", "file://", "x"}) {
    INFO(foreign);
    CHECK(status_of({"localhost:8080", foreign}) == 403);
  }
}

TEST_CASE("pages of previews are not the server's, whatever is listed") {
  auto opts = some_options();
  opts.hosts = {"localhost", "127.0.0.1", "::1", "*.localhost", "*"};
  opts.preview_host = "127.0.0.1";
  opts.preview_port = 8081;
  for (auto page :
       {"http://localhost:8081", "http://127.0.0.1:8081", "http://[::1]:8081",
        "http://preview.localhost:8081", "http://preview.localhost:9",
        "http://3000-x.preview.localhost:8081",
        "http://3000-x.Preview.localhost", "http://alias.example.org:8081"}) {
    INFO(page);
    CHECK(status_of({"localhost:8080", page}, opts) == 403);
  }
  for (auto page : {"http://localhost:3000", "http://[::1]",
                    "http://xpreview.localhost:3000"}) {
    INFO(page);
    CHECK(status_of({"localhost:8080", page}, opts) == 200);
  }
  // Behind a proxy, what else is served at the same port has other names.
  opts.preview_url = "https://preview.localhost";
  CHECK(status_of({"localhost:8080", "https://localhost"}, opts) == 403);
  CHECK(status_of({"localhost:8080", "https://127.0.0.1"}, opts) == 403);
  CHECK(status_of({"localhost:8080", "https://alias.example.org"}, opts)
        == 200);
  // Without a domain they are seen at that name itself.
  opts.preview_domain.clear();
  opts.preview_url = "https://alias.example.org";
  CHECK(status_of({"localhost:8080", "https://alias.example.org"}, opts)
        == 403);
  CHECK(status_of({"localhost:8080", "https://other.example.org"}, opts)
        == 200);
  opts.preview_host.clear();
  CHECK(status_of({"localhost:8080", "http://localhost:8081"}, opts) == 200);
}
