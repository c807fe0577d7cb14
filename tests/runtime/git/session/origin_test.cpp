#include "runtime/git/session/origin.hpp"

#include <catch2/catch.hpp>

using namespace greenroom::git;

TEST_CASE("origin has the upstream's path, and none of the machine's") {
  CHECK(origin_url("https://host/org/site.git")
        == "git://greenroom/org/site.git");
  CHECK(origin_url("https://host:8443/org/site/")
        == "git://greenroom/org/site");
  CHECK(origin_url("ssh://git@host/site.git") == "git://greenroom/site.git");
  CHECK(origin_url("/srv/git/site.git") == "git://greenroom/site.git");
  CHECK(origin_url("file:///srv/git/site.git/") == "git://greenroom/site.git");
}

TEST_CASE("relative URLs lead to where git takes them") {
  CHECK(resolve_relative("https://host/org/site.git", "../lib.git")
        == "https://host/org/lib.git");
  CHECK(resolve_relative("https://host/org/site.git", "../../x/lib.git")
        == "https://host/x/lib.git");
  CHECK(resolve_relative("/srv/git/site.git", "./sub.git")
        == "/srv/git/site.git/sub.git");
  CHECK(resolve_relative("/srv/git/site.git/", "../lib.git")
        == "/srv/git/lib.git");
  CHECK(resolve_relative("https://host/site.git", "../../../x")
        == std::nullopt);
  CHECK(resolve_relative("https://host/site.git", "https://other/x")
        == std::nullopt);
}
