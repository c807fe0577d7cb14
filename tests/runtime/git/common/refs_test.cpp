#include "runtime/git/common/refs.hpp"

#include "tests/runtime/git/fixture.hpp"

using namespace greenroom::git;
using greenroom::test::run_git;
using greenroom::test::try_git;

TEST_CASE("ordinary branch names are fine") {
  for (const auto* name : {"main", "feature/x", "fix-1.2", "a", "user/ünïcode",
                           "v1.0", "a@b", "release/2024.01", "x{y}", "9fceb02",
                           "heads/x", "日本", "HEAD/x", "a-"})
    CHECK(name_fault(name) == std::nullopt);
  const std::string part(250, 'a');
  CHECK(name_fault(part) == std::nullopt);
  CHECK(name_fault(part + '/' + part + '/' + part + '/' + std::string(147, 'b'))
        == std::nullopt);
}

TEST_CASE("branch names that attack are refused, with the rule") {
  auto [name, rule] = GENERATE(table<std::string, std::string>({
    {"", "empty"},
    {std::string(251, 'a'), "250 bytes"},
    {"a/" + std::string(251, 'b') + "/c", "250 bytes"},
    {std::string(450, 'a') + '/' + std::string(450, 'a'), "900 bytes"},
    {"-h", "'-'"},
    {"--upload-pack=touch x", "spaces"},
    {"--upload-pack=x", "'-'"},
    {"HEAD", "HEAD"},
    {"@", "@"},
    {"refs/heads/x", "refs/"},
    {"a..b", ".."},
    {"../x", ".."},
    {"a/../b", ".."},
    {"a@{1}", "@{"},
    {"a b", "spaces"},
    {"a\nb", "control"},
    {"a\tb", "control"},
    {std::string("a\0b", 3), "control"},
    {"a\x7f", "control"},
    {"a~1", "~"},
    {"a^", "^"},
    {"a:b", ":"},
    {"+a:b", ":"},
    {"a?", "?"},
    {"a*", "*"},
    {"a[b", "["},
    {"a\\b", "\\"},
    {"a.lock", ".lock"},
    {"a.lock/b", ".lock"},
    {"a.", "'.'"},
    {".a", "'.'"},
    {"a/.b", "'.'"},
    {"/a", "'/'"},
    {"a/", "'/'"},
    {"a//b", "//"},
    {"a\xff", "UTF-8"},
    {"\xc0\xaf", "UTF-8"},
    {"\xed\xa0\x80", "UTF-8"},
    {"\xf4\x90\x80\x80", "UTF-8"},
    {"\xe2\x82", "UTF-8"},
  }));
  CAPTURE(name);
  auto fault = name_fault(name);
  REQUIRE(fault);
  CHECK_THAT(*fault, Catch::Contains(rule));
  CHECK_THAT(*fault, Catch::StartsWith("must "));
}

TEST_CASE("no name passes that git itself refuses") {
  greenroom::test::temp_dir dir;
  const std::vector<std::string> parts{"a",    ".", "/", "@", "{",  "}",
                                       "lock", "-", "~", " ", "\\", "é"};
  int accepted = 0;
  for (const auto& x : parts)
    for (const auto& y : parts)
      for (const auto& z : {"a", ".", "/", ".lock", "}"}) {
        auto name = x + y + z;
        CAPTURE(name);
        if (name_fault(name))
          continue;
        ++accepted;
        CHECK(try_git(dir.path(), {"check-ref-format", "--branch", name}).ok());
      }
  CHECK(accepted > 50);
}

TEST_CASE("a name of any length that passes git can keep") {
  greenroom::test::temp_dir dir;
  run_git(dir.path(), {"init", "-q", "--bare", "."});
  auto tree = run_git(dir.path(), {"mktree"});
  auto commit = run_git(dir.path(), {"commit-tree", "-m", "One", tree});
  const std::string part(max_name_part, 'a');
  const auto longest = part + '/' + part + '/' + part + '/'
                       + std::string(max_name - 3 * part.size() - 3, 'b');
  REQUIRE(longest.size() == max_name);
  for (const auto& name : {std::string(max_name_part, 'c'), longest}) {
    REQUIRE(name_fault(name) == std::nullopt);
    run_git(dir.path(), {"update-ref", "refs/heads/" + name, commit});
    CHECK(run_git(dir.path(), {"rev-parse", "refs/heads/" + name}) == commit);
  }
}

TEST_CASE("upstreams are paths and plain URLs without credentials") {
  for (const auto* good :
       {"/srv/git/demo.git", "file:///srv/git/demo.git", "http://host/x.git",
        "https://host:8443/a/b@c", "/odd:path/x", "ssh://host/x",
        "ssh://git@host:2222/x.git", "ssh://[::1]/x"})
    CHECK(upstream_fault(good) == std::nullopt);
  for (const auto* bad : {"",
                          "-x",
                          "--upload-pack=x",
                          "ext::sh -c id",
                          "ssh://host",
                          "ssh://-oProxyCommand=id/x",
                          "ssh://-x@host/x",
                          "ssh://@host/x",
                          "ssh://user:secret@host/x",
                          "git@host:x",
                          "host:x",
                          "relative/path",
                          "git://host/x",
                          "file://host/x",
                          "http://",
                          "https:///x",
                          "https://-x/y",
                          "http::x",
                          "fd::3",
                          "/a\nb",
                          "https://user@host/x",
                          "https://user:secret@host/x",
                          "HTTPS://host/x\x01"}) {
    CAPTURE(bad);
    CHECK(upstream_fault(bad));
  }
}

TEST_CASE("credentials in URLs are blotted out") {
  CHECK(without_credentials("cannot reach 'https://me:s3cret@host/x.git/'")
        == "cannot reach 'https://***@host/x.git/'");
  CHECK(without_credentials("http://a:b@c@host and https://t@h/x")
        == "http://***@host and https://***@h/x");
  CHECK(without_credentials("https://host/a@b") == "https://host/a@b");
  CHECK(without_credentials("no url: a@b://") == "no url: a@b://");
}
