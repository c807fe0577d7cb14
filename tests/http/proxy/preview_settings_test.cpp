// What is kept of who may open which preview.
#include "http/proxy/preview_settings.hpp"
#include "runtime/auth/sha256.hpp"
#include "tests/http/proxy/proxy_node.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

using namespace greenroom;
using namespace greenroom::test;

TEST_CASE("links and settings are there after a restart") {
  temp_dir dir;
  std::filesystem::create_directories(dir.path() / "sessions" / preview_sid);
  {
    http::proxy::preview_settings first{dir.path()};
    first.change(preview_sid, 3000, preview_access::key, "web");
    first.add_link(preview_sid, {"l1", 3000, sha256_hex("t"), "k", 1000}, 0);
  }
  http::proxy::preview_settings second{dir.path()};
  CHECK(second.of(preview_sid, 3000).label == "web");
  CHECK(second.of(preview_sid, 3000).access == preview_access::key);
  CHECK(!second.of(preview_sid, 3001).access);
  CHECK(second.find_link(preview_sid, 3000, "t", 999));
  CHECK_FALSE(second.find_link(preview_sid, 3000, "t", 1000));
  CHECK_FALSE(second.find_link(preview_sid, 3001, "t", 0));
}

TEST_CASE("settings go with a session that moves, and come back with it") {
  std::map<std::string, std::string> kept;
  http::proxy::preview_store place;
  place.shared = true;
  place.read = [&](const std::string& id) -> std::optional<std::string> {
    auto found = kept.find(id);
    return found == kept.end() ? std::nullopt : std::optional{found->second};
  };
  place.write = [&](const std::string& id, const std::string& text) {
    kept[id] = text;
  };
  http::proxy::preview_settings a{place};
  http::proxy::preview_settings b{place};
  const std::string id = preview_sid;
  a.change(id, 3000, preview_access::key, "web");
  a.add_link(id, {"l1", 3000, sha256_hex("t"), "k", 1000}, 0);
  CHECK(b.of(id, 3000).access == preview_access::key);
  CHECK(b.remove_link(id, 3000, "l1"));
  // What a has is of before, until it has the session again.
  a.refresh(id);
  CHECK_FALSE(a.find_link(id, 3000, "t", 0));
  // Nor does a change bring back what is not there any more.
  a.add_link(id, {"l2", 3000, sha256_hex("u"), "k", 1000}, 0);
  CHECK(b.remove_link(id, 3000, "l2"));
  a.change(id, 3000, {}, "name");
  a.refresh(id);
  CHECK_FALSE(a.find_link(id, 3000, "u", 0));
  CHECK(a.of(id, 3000).access == preview_access::key);
}
