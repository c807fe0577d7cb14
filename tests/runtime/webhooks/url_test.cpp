#include "runtime/webhooks/url.hpp"

#include "messages/errors.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace greenroom;

namespace {

std::string problem_of(const std::string& text) {
  try {
    static_cast<void>(parse_webhook_url(text));
    return "none";
  } catch (const refused& e) {
    CHECK(e.code() == errc::bad_request);
    return e.what();
  }
}

} // namespace

TEST_CASE("a webhook's URL is taken apart") {
  auto whole = parse_webhook_url("https://hooks.example.org:8443/a/b?c=d&e");
  CHECK(whole == webhook_url{true, "hooks.example.org", 8443, "/a/b?c=d&e"});
  CHECK(whole.authority() == "hooks.example.org:8443");
  CHECK(parse_webhook_url("http://example.org")
        == webhook_url{false, "example.org", 80, "/"});
  CHECK(parse_webhook_url("https://example.org?x=1")
        == webhook_url{true, "example.org", 443, "/?x=1"});
  auto six = parse_webhook_url("http://[2001:db8::1]:81/x");
  CHECK(six == webhook_url{false, "2001:db8::1", 81, "/x"});
  CHECK(six.authority() == "[2001:db8::1]:81");
  CHECK(parse_webhook_url("https://example.org:443/").authority()
        == "example.org");
}

TEST_CASE("what is no URL of a receiver is refused, saying why") {
  const std::string begin = "url must begin with https:// or http://";
  const std::string host =
    "url must name a host by letters, digits, dots and hyphens";
  const std::string port =
    "url has a port that is not a number from 1 to 65535";
  const std::pair<std::string, std::string> cases[] = {
    {"", begin},
    {"ftp://example.org", begin},
    {"file:///etc/passwd", begin},
    {"//example.org", begin},
    {"HTTP://example.org", begin},
    {"http://", host},
    {"http:///x", host},
    {"http://?x", host},
    {"http://a:b:c", port},
    {"http://example.org:0/", port},
    {"http://example.org:65536/", port},
    {"http://example.org:8o/", port},
    {"http://exa%6dple.org/", host},
    {"http://user@example.org/",
     "url must name no user: deliveries are signed, see secret"},
    {"http://8080@evil/",
     "url must name no user: deliveries are signed, see secret"},
    {"http://example.org/#x", "url must have no fragment (#)"},
    {"http://[::1/", "url has brackets around what is no address"},
    {"http://[127.0.0.1]/", "url has brackets around what is no address"},
    {"http://[::1]x/", "url must have nothing but a port behind its host"},
    {"http://example.org/a b",
     "url must be ASCII without blanks: encode what is not"},
    {"http://example.org/\r\nX: y",
     "url must be ASCII without blanks: encode what is not"},
    {"http://ex\xc3\xa4mple.org/",
     "url must be ASCII without blanks: encode what is not"},
    {"http://example.org\\@evil.org/",
     "url must be ASCII without blanks: encode what is not"},
  };
  for (auto& [url, expected] : cases) {
    INFO(url);
    CHECK(problem_of(url) == expected);
  }
  CHECK(problem_of("http://a/" + std::string(2000, 'x'))
        == "url must have at most 2000 bytes");
}

TEST_CASE("receivers are refused for the address that their URL has") {
  const std::vector<ip_network> none;
  const std::vector<ip_network> some{*parse_network("10.0.0.0/8"),
                                     *parse_network("::1")};
  auto problem = [](const std::string& url,
                    const std::vector<ip_network>& allowed) -> std::string {
    try {
      check_receiver(parse_webhook_url(url), allowed, "the.setting");
    } catch (const refused& e) {
      return e.what();
    }
    return {};
  };
  CHECK(problem("http://10.1.2.3:80/", none)
        == "url: 10.1.2.3 is a private address, where webhooks may not lead; "
           "an administrator allows it by the.setting");
  for (auto url :
       {"http://127.0.0.1/", "http://[::1]/", "http://localhost/",
        "http://LocalHost/", "http://a.localhost/", "http://169.254.169.254/"})
    CHECK_FALSE(problem(url, none).empty());
  for (auto url : {"http://10.1.2.3/", "http://[::1]/", "http://localhost/"})
    CHECK(problem(url, some).empty());
  // Of other names nothing is known yet.
  for (auto url : {"http://9.9.9.9/", "http://example.org/", "http://local/"})
    CHECK(problem(url, none).empty());
}
