#include "runtime/config/config.hpp"

#include "runtime/base/files.hpp"
#include "runtime/config/changes.hpp"
#include "runtime/config/config_schema.hpp"
#include "runtime/config/project_schema.hpp"
#include "tests/support/build_paths.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <set>

using namespace greenroom;
using Catch::Contains;
using Catch::EndsWith;
using Catch::StartsWith;

namespace {

const std::filesystem::path source_dir = greenroom::test::source_dir();

// A configuration file with the given text, for as long as the object lives.
class config_file {
public:
  explicit config_file(std::string_view text) {
    write_file_atomic(path(), text, 0600, false);
  }
  std::filesystem::path path() const {
    return dir_.path() / "x.jsonc";
  }
  config load() const {
    return load_config(path(), {});
  }
  // The error without the directory, which is another one each time.
  std::string error() const {
    try {
      load();
    } catch (const config_error& e) {
      std::string text = e.what();
      if (auto at = text.find(dir_.path().string() + '/'); at == 0)
        text.erase(0, dir_.path().string().size() + 1);
      return text;
    }
    return "no error";
  }

private:
  test::temp_dir dir_;
};

config load_set(const std::vector<std::string>& overrides) {
  return load_config(std::nullopt, overrides);
}

std::string set_error(const std::string& override_text) {
  try {
    load_set({override_text});
  } catch (const config_error& e) {
    return e.what();
  }
  return "no error";
}

std::set<std::string> leaves(const nlohmann::json& object,
                             const std::string& prefix = {}) {
  std::set<std::string> result;
  for (const auto& [name, value] : object.items()) {
    if (value.is_object() && !value.empty())
      result.merge(leaves(value, prefix + name + '.'));
    else
      result.insert(prefix + name);
  }
  return result;
}

// A text with its comment marks and line breaks taken out.
std::string flowing(std::string text) {
  for (auto at = text.find("//"); at != std::string::npos;
       at = text.find("//", at))
    text.replace(at, 2, "");
  std::string result;
  for (char c : text)
    if (c != '\n' && c != ' ')
      result += c;
    else if (!result.ends_with(' '))
      result += ' ';
  return result;
}

} // namespace

TEST_CASE("without a file everything has its default") {
  auto c = load_config(std::nullopt, {});
  CHECK(c == config{});
  CHECK(to_string(c.http.listen) == "127.0.0.1:8080");
  CHECK(c.http.max_body == 16'777'216);
  CHECK(c.sessions.default_expiry == 86'400'000);
  CHECK(c.exec.max_output == 1'073'741'824);
  CHECK(c.sandbox.mode == sandbox_mode::bubblewrap);
  CHECK_FALSE(c.node.name.empty());
}

TEST_CASE("the example has every key with its default and its sentence") {
  auto path = source_dir / "config/example.jsonc";
  CHECK(load_config(path, {}) == config{});
  auto text = read_file(path).value();
  std::set<std::string> keys;
  for (const auto& known : config_keys()) {
    keys.insert(known.path);
    CHECK_THAT(flowing(text), Contains(known.purpose));
  }
  CHECK(leaves(nlohmann::json::parse(text, nullptr, true, true)) == keys);
}

TEST_CASE("the project in the example's comment has every key and is good") {
  auto text = read_file(source_dir / "config/example.jsonc").value();
  auto list = text.find("\"projects\"");
  REQUIRE(list != std::string::npos);
  auto tail = text.substr(list);
  auto begin = tail.find("// {");
  REQUIRE(begin != std::string::npos);
  for (auto at = tail.find("//"); at != std::string::npos; at = tail.find("//"))
    tail.replace(at, 2, "");
  config_file file{"{" + tail};
  auto c = file.load();
  REQUIRE(c.projects.size() == 1);
  std::set<std::string> keys;
  for (const auto& known : project_keys())
    keys.insert(known.path);
  auto shown = nlohmann::json::parse("{" + tail, nullptr, true, true);
  CHECK(leaves(shown["projects"][0]) == keys);
  project_record expected;
  expected.id = "demo";
  expected.repo = "/srv/git/demo.git";
  expected.protected_branches = {default_branch_mark};
  CHECK(c.projects[0] == expected);
}

TEST_CASE("the development configuration sandboxes as everywhere") {
  auto c = load_config(source_dir / "config/dev.jsonc", {});
  CHECK(c.sandbox == sandbox_config{});
  CHECK(c.node.data_dir == ".dev/data");
  CHECK(c.log.format == log_format::text);
}

TEST_CASE("a file changes what it names and nothing else") {
  config_file file{R"({
    // A comment, and /* another */
    "http": { "listen": "[::1]:0", "threads": 3, "max_body": 4096,
              "tls": {"cert": "c.pem", "key": "k.pem"} },
    "sessions": { "default_expiry": "90m" },
    "storage": { "sync": "normal" },
    "sandbox": { "mode": "none", "network": "host", "read_only": [],
                 "idle": null },
    "git": { "listen": "0.0.0.0:9418" },
    "log": { "level": "warn", "format": "json" }
  })"};
  auto expected = config{};
  expected.http.listen = {"::1", 0};
  expected.http.threads = 3;
  expected.http.max_body = 4096;
  expected.http.tls = tls_files{"c.pem", "k.pem", ""};
  expected.sessions.default_expiry = 5'400'000;
  expected.storage.sync = sync_mode::normal;
  expected.sandbox.mode = sandbox_mode::none;
  expected.sandbox.network = network_mode::host;
  expected.sandbox.read_only.clear();
  expected.sandbox.idle = 0;
  expected.git.listen = endpoint{"0.0.0.0", 9418};
  expected.log.level = log_level::warn;
  expected.log.format = log_format::json;
  CHECK(file.load() == expected);
}

TEST_CASE("a dumped configuration loads as itself") {
  auto c =
    load_set({"http.listen=[::1]:0", "git.listen=127.0.0.1:1",
              "cluster.tls={\"cert\":\"a\",\"key\":\"b\",\"ca\":\"c\"}",
              "cluster.advertise=a.example:7", "cluster.labels={\"a\":\"1\"}",
              "projects=[{\"id\":\"p\",\"repo\":\"/r\"}]",
              "auth.admin_key_file=k", "sandbox.memory=1000000000"});
  config_file file{to_json(c).dump()};
  CHECK(file.load() == c);
}

TEST_CASE("upstreams' credentials are complete or refused, and not quoted") {
  auto c = load_set(
    {R"(git.credentials=[{"url_prefix":"https://h/","username":"u",)"
     R"("password_env":"P"},{"url_prefix":"ssh://git@h","ssh_key_file":"k"}])"});
  CHECK(c.git.credentials
        == std::vector<git_credential>{{"https://h/", "u", "P", "", ""},
                                       {"ssh://git@h", "", "", "", "k"}});
  config_file file{to_json(c).dump()};
  CHECK(file.load() == c);
  for (
    const char* bad :
    {R"({"url_prefix":"https://h"})",
     R"({"url_prefix":"https://h","username":"u"})",
     R"({"url_prefix":"https://h","password_env":"s3cret"})",
     R"({"url_prefix":"https://h","username":"u","password":"s3cret"})",
     R"({"url_prefix":"https://u:s3cret@h","username":"u","password_env":"P"})",
     R"({"url_prefix":"https://h","username":"u","password_env":"s3cret","password_file":"f"})",
     R"({"url_prefix":"https://h","username":"u","ssh_key_file":"s3cret"})",
     R"({"url_prefix":"ssh://h","username":"s3cret","ssh_key_file":"k"})",
     R"({"url_prefix":"ftp://h","username":"u","password_env":"s3cret"})",
     R"({"username":"u","password_env":"s3cret"})", R"("s3cret")"}) {
    CAPTURE(bad);
    auto error =
      config_file{R"({"git": {"credentials": [)" + std::string{bad} + "]}}"}
        .error();
    CHECK_THAT(error, Contains("git.credentials"));
    CHECK_THAT(error, Contains("must be a list of"));
    CHECK_THAT(error, !Contains("s3cret"));
  }
}

TEST_CASE("a key that stands twice is named, whatever comes after it") {
  CHECK(config_file{R"({"http": {"threads": 3},
                        "log": {"level": "warn", "level": "info"},
                        "http": {"listen": "127.0.0.1:1"}})"}
          .error()
        == "x.jsonc: log.level stands there twice: leave one, with all that "
           "belongs to it; http stands there twice: leave one, with all that "
           "belongs to it");
  CHECK_THAT(config_file{R"({"projects": [{"id": "a", "repo": "/x"},
                              {"id": "b", "repo": "/x", "id": "c"}]})"}
               .error(),
             Contains("x.jsonc: projects.id stands there twice"));
}

TEST_CASE("an unknown key is named with what was meant") {
  CHECK(config_file{R"({"http": {"lisen": "127.0.0.1:1"}})"}.error()
        == "x.jsonc: http.lisen is not a known key; did you mean http.listen?");
  CHECK(config_file{R"({"htp": {}})"}.error()
        == "x.jsonc: htp is not a known key; did you mean http?");
  CHECK(config_file{R"({"http": {"max_push": 1}})"}.error()
        == "x.jsonc: http.max_push is not a known key; did you mean "
           "git.max_push?");
  CHECK(config_file{R"({"wholly": {"other": 1}})"}.error()
        == "x.jsonc: wholly is not a known key");
  CHECK(config_file{R"({"http.listen": "127.0.0.1:1"})"}.error()
        == "x.jsonc: http.listen is not a known key");
}

TEST_CASE("all that is wrong in a file is named at once") {
  auto error = config_file{R"({"http": {"threads": "two", "lisen": 1},
                               "log": {"level": "loud"},
                               "no": {"a": 1, "b": 2}})"}
                 .error();
  for (auto part : {"http.threads is", "http.lisen is not", "log.level is"})
    CHECK_THAT(error, Contains(part));
  auto section = error.find("no is not a known key");
  REQUIRE(section != std::string::npos);
  CHECK(error.find("no is not a known key", section + 1) == std::string::npos);
}

TEST_CASE("a bad value is named with what would do") {
  CHECK(config_file{R"({"http": {"threads": "two"}})"}.error()
        == "x.jsonc: http.threads is \"two\", but must be a whole number from "
           "1 to 64");
  CHECK(config_file{R"({"http": 5})"}.error()
        == "x.jsonc: http is 5, but must be an object");
  CHECK(config_file{R"({"sandbox": {"mode": "docker"}})"}.error()
        == "x.jsonc: sandbox.mode is \"docker\", but must be \"bubblewrap\" or "
           "\"none\"");
  CHECK(config_file{R"({"http": {"listen": null}})"}.error()
        == "x.jsonc: http.listen is null, but must be host:port, such as "
           "127.0.0.1:8080 or [::1]:8080, with port 0 for any free one");
}

TEST_CASE("values of every kind are judged") {
  auto bad = GENERATE(
    "http.threads=0", "http.threads=65", "http.threads=1.5", "http.threads=-1",
    "http.listen=127.0.0.1", "http.listen=:8080", "http.listen=1.2.3.4:65536",
    "http.listen=1.2.3.4:x", "http.listen=a b:1", "http.listen=[x]:1",
    "http.public_url=ftp://x", "http.public_url=http://",
    "http.public_url=http://x/", "http.public_url=http://a@b",
    "http.max_body=0", "http.max_body=1MB", "http.max_body=-5",
    "http.tls={\"cert\":\"c\"}", "http.tls={\"cert\":\"c\",\"kay\":\"k\"}",
    "http.tls=true", "cluster.tls={\"cert\":\"c\",\"key\":\"k\"}",
    "cluster.advertise=a.example", "cluster.advertise=a.example:0",
    "cluster.labels={\"a\":1}", "cluster.labels=[]",
    "sessions.default_expiry=0s", "sessions.default_expiry=31d",
    "sessions.default_expiry=soon", "sessions.max_expiry=500ms",
    "storage.url=mysql://x", "storage.url=sqlite3://", "storage.sync=off",
    "exec.shell=[]", "exec.shell=[1]", "exec.shell=bash", "node.name=a/b",
    "node.data_dir=", "sandbox.read_only=[\"usr\"]", "log.level=loud",
    "preview.domain=a_b", "projects={}", "projects=[1]");
  CAPTURE(bad);
  const std::string text = bad;
  CHECK_THAT(set_error(bad),
             StartsWith("--set: " + text.substr(0, text.find('=')))
               && Contains("must be"));
}

TEST_CASE("limits that belong together are judged together") {
  CHECK_THAT(set_error("sessions.max_expiry=1h"),
             StartsWith("sessions.default_expiry is 24h, but must not be above "
                        "sessions.max_expiry, which is 1h"));
  CHECK_THAT(set_error("cluster.heartbeat=10s"),
             StartsWith("cluster.heartbeat is 10s, but must be below"));
  const std::vector<std::string> one_origin{
    "preview.domain=null", "preview.public_url=https://A.b:443",
    "http.public_url=https://a.b"};
  CHECK_THROWS_WITH(
    load_config({}, one_origin),
    StartsWith("preview.public_url is https://A.b:443, but must "
               "not be http.public_url"));
}

TEST_CASE("a syntax error is named with line and column") {
  CHECK_THAT(config_file{"{\n  \"http\": {,}\n}"}.error(),
             StartsWith("x.jsonc: line 2, column 12: "));
  CHECK_THAT(config_file{""}.error(), StartsWith("x.jsonc: line 1, column 1"));
  CHECK_THAT(config_file{"[]"}.error(), Contains("must hold one object"));
}

TEST_CASE("a file that is not there is named") {
  test::temp_dir dir;
  auto path = dir.path() / "none.jsonc";
  CHECK_THROWS_WITH(load_config(path, {}),
                    path.string()
                      + ": there is no such file; --config names another");
  CHECK_THROWS_WITH(load_config(dir.path(), {}), Contains("cannot be read"));
}

TEST_CASE("overrides win over the file, the last one most") {
  config_file file{R"({"http": {"threads": 3}})"};
  const std::vector<std::string> overrides{"http.threads=4", "http.threads=5",
                                           "log.level=error"};
  auto c = load_config(file.path(), overrides);
  CHECK(c.http.threads == 5);
  CHECK(c.log.level == log_level::error);
}

TEST_CASE("an override is JSON where it can be, and text else") {
  CHECK(load_set({"http.public_url=https://a.example:1"}).http.public_url
        == "https://a.example:1");
  CHECK(load_set({"http.public_url=\"http://b\""}).http.public_url
        == "http://b");
  CHECK(load_set({"exec.shell=[\"sh\",\"-c\"]"}).exec.shell
        == std::vector<std::string>{"sh", "-c"});
  CHECK(load_set({"node.name=42"}).node.name == "42");
  CHECK(load_set({"node.name=null"}).node.name == host_name());
  CHECK(load_set({"http.max_body=100"}).http.max_body == 100);
  CHECK(load_set({"http={\"threads\":7}"}).http.threads == 7);
}

TEST_CASE("a bad override is named") {
  CHECK(set_error("http.lisen=1")
        == "--set: http.lisen is not a known key; did you mean http.listen?");
  CHECK(set_error("http.threads.x=1")
        == "--set: http.threads is {\"x\":1}, but must be a whole number from "
           "1 to 64");
  CHECK_THAT(set_error("http.threads"), Contains("must have the form"));
  CHECK_THAT(set_error("=1"), Contains("must have the form"));
  CHECK_THAT(set_error("a..b=1"), StartsWith("--set: a is not a known key"));
  CHECK_THAT(set_error("node.data_dir=/\xff"), Contains("not UTF-8"));
}

TEST_CASE("a long bad value is cut between characters") {
  std::string value;
  for (int i = 0; i < 200; ++i)
    value += "ä";
  auto error = set_error("log.level=" + value);
  CHECK(error.size() < 250);
  CHECK_NOTHROW(nlohmann::json(error).dump());
}

TEST_CASE("projects in the file are read and named where they are bad") {
  config_file good{R"({"projects": [
    {"id": "a", "repo": "/srv/a.git"},
    {"id": "b", "repo": "https://git.example/b.git", "default_branch": "trunk",
     "max_active_sessions": 3, "env": {"A": "1"}, "setup": "make deps",
     "review": {"command": "make check", "timeout": "5m", "required": true}}
  ]})"};
  auto c = good.load();
  REQUIRE(c.projects.size() == 2);
  CHECK(c.projects[1].max_active_sessions == 3);
  CHECK(is_protected(c.projects[1], "trunk", c.projects[1].default_branch));
  CHECK(c.projects[1].review.timeout == 300'000);
  CHECK(config_file{R"({"projects": [{"id": "a", "repo": "r"},
                                     {"id": "a", "repo": "s"}]})"}
          .error()
        == "x.jsonc: projects[1].id is \"a\", which projects[0] has already");
  CHECK_THAT(config_file{R"({"projects": [{"id": "a"}]})"}.error(),
             StartsWith("x.jsonc: projects[0].repo is missing"));
  CHECK_THAT(
    config_file{R"({"projects": [{"id": "a", "repo": "r",
                    "review": {"timeout": 5}}]})"}
      .error(),
    StartsWith("x.jsonc: projects[0].review.timeout is 5, but must be a "
               "duration"));
  CHECK(config_file{R"({"projects": [{"id": "a", "repo": "r", "bran": 1}]})"}
          .error()
        == "x.jsonc: projects[0].bran is not a known key");
}

TEST_CASE("each key is explained, and no project's environment is shown") {
  auto c = load_set({"projects=[{\"id\":\"demo\",\"repo\":\"/r\","
                     "\"env\":{\"TOKEN\":\"hidden\"}}]"});
  auto text = explain(c);
  for (const auto& known : config_keys())
    CHECK_THAT(text, Contains(known.path + " = "));
  CHECK_THAT(text, Contains("projects = [\"demo\"]"));
  CHECK_THAT(text, Contains("http.threads = 2  // Threads that"));
  CHECK_THAT(text, !Contains("hidden"));
}

TEST_CASE("what differs in a configuration that is read again is named") {
  const auto before = load_set({R"(projects=[{"id":"a","repo":"/a"}])"});
  CHECK(changes_that_wait(before, before).empty());
  CHECK(changed_projects(before, before).empty());
  const auto now =
    load_set({R"(projects=[{"id":"a","repo":"/a"},{"id":"b","repo":"/b"}])",
              "log.level=debug", "log.format=json", "http.listen=127.0.0.1:9",
              "exec.kill_grace=7s", "auth.admin_key_file=/another"});
  CHECK(changes_that_wait(before, now)
        == std::vector<std::string>{"http.listen", "exec.kill_grace",
                                    "log.format"});
  auto changed = changed_projects(before, now);
  REQUIRE(changed.size() == 1);
  CHECK(changed[0].id == "b");
  const auto other = load_set({R"(projects=[{"id":"a","repo":"/z"}])"});
  REQUIRE(changed_projects(before, other).size() == 1);
  CHECK(changed_projects(before, other)[0].repo == "/z");
}
