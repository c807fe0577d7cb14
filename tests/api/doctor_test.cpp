// `greenroom doctor` and `greenroom config check`, which tell the same of what
// a start needs.
#include "runtime/base/files.hpp"
#include "runtime/base/run_command.hpp"
#include "tests/api/demo.hpp"
#include "tests/support/build_paths.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

using namespace greenroom::test;
using namespace greenroom;

namespace {

struct patient {
  temp_dir dir;

  command_result run(std::vector<std::string> words,
                     const std::vector<std::string>& set) const {
    command what;
    what.argv = {binary_dir() / "greenroom"};
    what.argv.insert(what.argv.end(), words.begin(), words.end());
    for (auto& one : set) {
      what.argv.emplace_back("--set");
      what.argv.push_back(one);
    }
    what.env = {"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin"};
    return run_command(what);
  }

  std::vector<std::string> settings(std::vector<std::string> more = {}) const {
    more.push_back("node.data_dir=" + (dir.path() / "data").string());
    more.emplace_back("http.listen=127.0.0.1:0");
    more.emplace_back("preview.listen=null");
    return more;
  }

  json examine(int code, std::vector<std::string> more = {}) const {
    auto result = run({"doctor", "--json"}, settings(std::move(more)));
    INFO(result.out << result.err);
    REQUIRE(result.exit_code == code);
    return json::parse(result.out);
  }
};

json named(const json& report, const std::string& name) {
  for (auto& one : report["checks"])
    if (one["name"] == name)
      return one;
  return {};
}

} // namespace

TEST_CASE("doctor tries what a node needs, and leaves no trace", "[one-node]") {
  patient host;
  auto upstream = host.dir.path() / "demo.git";
  run_git(host.dir.path(), {"init", "-q", "--bare", upstream.string()});
  auto report = host.examine(
    0, {R"(projects=[{"id":"demo","repo":")" + upstream.string() + R"("}])"});
  CHECK(report["ok"] == true);
  for (auto name : {"data directory", "sandbox", "git", "user namespaces",
                    "bubblewrap", "network helper", "upstream of demo"}) {
    INFO(name << ' ' << report.dump(2));
    CHECK(named(report, name)["status"] == "ok");
  }
  for (auto name : {"disk", "descriptors", "store", "clock"})
    CHECK(named(report, name).is_object());
  CHECK_FALSE(std::filesystem::exists(host.dir.path() / "data"));
  auto text = host.run({"doctor"}, host.settings());
  CHECK(text.exit_code == 0);
  CHECK(text.out.find("bubblewrap") != std::string::npos);
}

TEST_CASE("doctor says what to change", "[one-node]") {
  patient host;
  auto missing = (host.dir.path() / "nothing").string();
  auto report =
    host.examine(1, {R"(projects=[{"id":"demo","repo":")" + missing + R"("}])",
                     "webhooks.ca_file=" + missing,
                     R"(sandbox.read_only=["/usr", ")" + missing + R"("])"});
  CHECK(report["ok"] == false);
  for (auto name : {"upstream of demo", "webhooks.ca_file", "sandbox"}) {
    INFO(report.dump(2));
    auto one = named(report, name);
    CHECK(one["status"] == "fault");
    CHECK(one["text"].get<std::string>().find(missing) != std::string::npos);
  }
  CHECK(named(report, "upstream of demo")["help"]
        == "see the project's repo, and git.credentials");
  auto text_of = [&](const std::filesystem::path& upstream) {
    auto project = R"(projects=[{"id":"demo","repo":")" + upstream.string();
    auto one = named(host.examine(1, {project + R"("}])"}), "upstream of demo");
    CHECK(one["status"] == "fault");
    return one["text"].get<std::string>();
  };
  using Catch::Contains;
  auto other = host.dir.path() / "other";
  run_git(host.dir.path(),
          {"init", "-q", "--object-format=sha256", other.string()});
  run_git(other, {"commit", "-q", "--allow-empty", "-m", "First"});
  CHECK_THAT(text_of(other), Contains("SHA-256"));
  if (::geteuid() == 0) { // who may give files away
    REQUIRE(::chown((other / ".git").c_str(), 65534, 65534) == 0);
    CHECK_THAT(text_of(other), Contains("chown -R"));
  }
  auto away = named(
    host.examine(1, {"storage.url=postgresql://nobody@127.0.0.1:1/nothing"}),
    "store");
  CHECK(away["status"] == "fault");
  CHECK(away["text"].get<std::string>().find('\n') == std::string::npos);
  auto checked = host.run(
    {"config", "check"},
    host.settings({R"(sandbox.read_only=["/usr", ")" + missing + R"("])"}));
  CHECK(checked.exit_code == 2);
  CHECK(checked.err.find(named(report, "sandbox")["text"].get<std::string>())
        != std::string::npos);
  CHECK(host.run({"doctor"}, {"http.listen=nowhere"}).exit_code == 2);
  // The file as a word of its own.
  const auto file = host.dir.path() / "node.jsonc";
  std::ofstream{file} << R"({"no-such-key": 1})";
  auto named_file = host.run({"config", "check", file.string()}, {});
  CHECK(named_file.exit_code == 2);
  CHECK_THAT(named_file.err, Catch::Contains("no-such-key"));
}

TEST_CASE("doctor looks at a cluster's certificates", "[one-node]") {
  patient host;
  auto file = [&](const char* name) {
    return (host.dir.path() / name).string();
  };
  auto make = [&](const char* name, const char* days) {
    auto made = run_command(
      {.argv = {"openssl", "req", "-x509", "-newkey", "ed25519", "-nodes",
                "-subj", "/CN=a", "-days", days, "-keyout", file(name) + ".key",
                "-out", file(name) + ".pem"},
       .env = {"PATH=/usr/bin:/bin"}});
    REQUIRE(made.ok());
  };
  make("a", "300");
  make("b", "7");
  auto judged = [&](const std::string& cert, const std::string& key,
                    const std::string& ca, int code) {
    json files{{"cert", file(cert.c_str()) + ".pem"},
               {"key", file(key.c_str()) + ".key"},
               {"ca", file(ca.c_str()) + ".pem"}};
    return named(host.examine(code, {"cluster.tls=" + files.dump()}),
                 "cluster.tls");
  };
  CHECK(judged("a", "a", "a", 0)["status"] == "ok");
  CHECK(judged("b", "b", "b", 0)["status"] == "warning");
  auto text = [](const json& check) {
    return check["text"].get<std::string>();
  };
  CHECK_THAT(text(judged("a", "b", "a", 1)), Catch::Contains("is not the key"));
  CHECK_THAT(text(judged("a", "a", "b", 1)), Catch::Contains("does not pass"));
  // What would keep it from starting `config check` says too.
  json files{
    {"cert", file("a.pem")}, {"key", file("a.key")}, {"ca", file("a.pem")}};
  auto checked =
    host.run({"config", "check"},
             host.settings({"node.name=z", "cluster.listen=127.0.0.1:0",
                            "storage.url=postgresql://nowhere.invalid/x",
                            "cluster.tls=" + files.dump()}));
  CHECK(checked.exit_code == 2);
  CHECK_THAT(checked.err, Catch::Contains("and not for z"));
}
