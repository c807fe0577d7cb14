#include "runtime/api_json/preview_address.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;

TEST_CASE("a preview has a host of its own below the domain") {
  CHECK(preview_url({"preview.localhost", "", 8081, "0.0.0.0"}, "sid", 3000)
        == "http://3000-sid.preview.localhost:8081/");
  CHECK(preview_url({"p.example.org", "https://any", 8081, ""}, "sid", 3000)
        == "https://3000-sid.p.example.org/");
  CHECK(preview_url({"p.example.org", "https://any:8443", 8081, ""}, "s", 1)
        == "https://1-s.p.example.org:8443/");
  CHECK(preview_url({"p.example.org", "https://[::1]", 8081, ""}, "s", 1)
        == "https://1-s.p.example.org/");
  CHECK(preview_url({"preview.localhost", "", 0, ""}, "sid", 3000).empty());
}

TEST_CASE("without a domain a preview is a path where it listens") {
  auto at = [](std::string_view host, std::string_view public_url = {}) {
    return preview_url({"", public_url, 8081, host}, "sid", 3000);
  };
  CHECK(at("127.0.0.1") == "http://127.0.0.1:8081/preview/sid/3000/");
  CHECK(at("0.0.0.0") == "http://127.0.0.1:8081/preview/sid/3000/");
  CHECK(at("::") == "http://[::1]:8081/preview/sid/3000/");
  CHECK(at("fd00::2") == "http://[fd00::2]:8081/preview/sid/3000/");
  CHECK(at("box") == "http://box:8081/preview/sid/3000/");
  CHECK(at("0.0.0.0", "https://apps.example.org:8443")
        == "https://apps.example.org:8443/preview/sid/3000/");
  CHECK(preview_url({"", "https://apps.example.org", 0, "box"}, "sid", 3000)
          .empty());
}
