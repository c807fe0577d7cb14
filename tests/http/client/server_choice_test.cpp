// Which server the client talks to, and that a key goes to no other.
#include "http/client/server_choice.hpp"

#include "http/client/errors.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <fstream>
#include <map>
#include <string>

using namespace greenroom::http::client;
using greenroom::test::temp_dir;

namespace {

environment env_of(std::map<std::string, std::string> all) {
  return [all = std::move(all)](const char* name) {
    auto found = all.find(name);
    return found == all.end() ? std::string{} : found->second;
  };
}

} // namespace

TEST_CASE("the client reads URLs of servers") {
  auto at = parse_endpoint("http://127.0.0.1:8080");
  CHECK_FALSE(at.tls);
  CHECK(at.host == "127.0.0.1");
  CHECK(at.port == "8080");
  CHECK(at.authority() == "127.0.0.1:8080");
  at = parse_endpoint("https://green.example.org/base/");
  CHECK(at.tls);
  CHECK(at.port == "443");
  CHECK(at.path == "/base");
  CHECK(at.url() == "https://green.example.org/base");
  at = parse_endpoint("http://[::1]:99");
  CHECK(at.host == "::1");
  CHECK(at.authority() == "[::1]:99");
  for (auto wrong : {"", "127.0.0.1:8080", "ftp://a", "http://", "http://a:b",
                     "http://a:0", "http://a:", "http://a:70000",
                     "http://user@a", "http://a?b", "http://[::1"}) {
    INFO(wrong);
    CHECK_THROWS_AS(parse_endpoint(wrong), usage_error);
  }
}

TEST_CASE("the nearest choice of a server wins") {
  temp_dir dir;
  const auto home = dir.path().string();
  save_login(login_file(env_of({{"HOME", home}})),
             {"http://login:1", "key-of-login"});
  auto chosen = choose_server({}, env_of({{"HOME", home}}), dir.path());
  CHECK(chosen.at.host == "login");
  CHECK(chosen.key == "key-of-login");

  // The file of a directory may be anybody's: it chooses no server.
  auto below = dir.path() / "a" / "b";
  std::filesystem::create_directories(below);
  save_directory_choice(dir.path() / "a", {"http://dir:2", "demo", "s"});
  chosen = choose_server({}, env_of({{"HOME", home}}), below);
  CHECK(chosen.at.host == "login");
  CHECK(find_directory_choice(below)->session == "s");
  CHECK_THROWS_WITH(choose_server({}, env_of({{"GREENROOM_KEY", "k"}}), below),
                    Catch::Contains("greenroom login http://dir:2"));
  choice_options another;
  another.url = "http://other";
  chosen = choose_server(another, env_of({{"HOME", home}}), below);
  CHECK(chosen.key.empty()); // the login's is another server's

  auto env = env_of({{"HOME", home},
                     {"GREENROOM_URL", "http://env:3"},
                     {"GREENROOM_KEY", " key-of-env\n"}});
  chosen = choose_server({}, env, below);
  CHECK(chosen.at.host == "env");
  CHECK(chosen.key == "key-of-env");
  choice_options options;
  options.url = "http://option:4";
  CHECK(choose_server(options, env, below).at.host == "option");
}

TEST_CASE("a login is its user's alone") {
  temp_dir dir;
  auto file = login_file(env_of({{"XDG_CONFIG_HOME", dir.path().string()}}));
  save_login(file, {"http://a", "secret"});
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE(
  "without a server, or with broken files, the client says what to do") {
  temp_dir dir;
  auto env = env_of({{"HOME", dir.path().string()}});
  CHECK_THROWS_WITH(choose_server({}, env, dir.path()),
                    Catch::Contains("greenroom login"));
  std::ofstream{dir.path() / ".greenroom"} << "no json";
  CHECK_THROWS_WITH(choose_server({}, env, dir.path()),
                    Catch::Contains(".greenroom is no JSON object"));
  choice_options options;
  options.url = "http://a";
  options.key_file = (dir.path() / "none").string();
  CHECK_THROWS_WITH(choose_server(options, env, dir.path()),
                    Catch::Contains("none cannot be read"));
}

TEST_CASE("a damaged login is in the way only of who needs it") {
  temp_dir dir;
  auto home = dir.path().string();
  auto file = login_file(env_of({{"HOME", home}}));
  std::filesystem::create_directories(file.parent_path());
  for (auto text : {"", "{", "[]", "\"x\""}) {
    INFO(text);
    std::ofstream{file} << text;
    CHECK_THROWS_WITH(choose_server({}, env_of({{"HOME", home}}), dir.path()),
                      Catch::Contains("login.json is no JSON object"));
    auto chosen = choose_server({},
                                env_of({{"HOME", home},
                                        {"GREENROOM_URL", "http://env:3"},
                                        {"GREENROOM_KEY", "key"}}),
                                dir.path());
    CHECK(chosen.at.host == "env");
    CHECK(chosen.key == "key");
    // Who logs in anew writes another one.
    choice_options anew;
    anew.url = "http://new";
    chosen = choose_server(anew, env_of({{"HOME", home}}), dir.path());
    CHECK(chosen.at.host == "new");
    CHECK(chosen.key.empty());
    save_login(file, {"http://new", "key"});
    CHECK(load_login(file)->url == "http://new");
  }
}
