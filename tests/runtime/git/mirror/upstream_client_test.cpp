// Upstreams that let in only whom they know, and those that do not answer.
#include "runtime/base/memfd.hpp"
#include "runtime/git/common/askpass.hpp"
#include "runtime/git/mirror/upstream_client.hpp"
#include "tests/runtime/git/fixture.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/upstream_servers.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <mutex>

using namespace greenroom;
using namespace greenroom::test;
using greenroom::git::credentials;
using greenroom::git::mirror;
using greenroom::git::push_outcome;
using greenroom::git::upstream_client;

namespace {

constexpr const char* password = "c4nary-s3cret";

std::shared_ptr<const credentials> keys(const world& w, git_credential one) {
  return std::make_shared<const credentials>(std::vector{std::move(one)},
                                             sandboxed().program,
                                             w.dir.path() / "known_hosts");
}

git_credential with_file(const world& w, const std::string& prefix,
                         const std::string& text) {
  auto file = w.dir.path() / "password";
  write(file, text + "\n");
  return {prefix, "robot", "", file.string(), ""};
}

} // namespace

TEST_CASE("an upstream over HTTP is read and written with a password") {
  world w;
  http_upstream server{w.dir.path(), "robot", password};
  auto url = server.url() + "/upstream.git";
  git_credential one;
  SECTION("from a file") {
    one = with_file(w, server.url() + '/', password);
  }
  SECTION("from a variable") {
    ::setenv("GREENROOM_TEST_PASSWORD", password, 1);
    one = {server.url(), "robot", "GREENROOM_TEST_PASSWORD", "", ""};
  }
  auto m =
    mirror::open_or_create(w.dir.path() / "repos/http.git", url, keys(w, one));
  ::unsetenv("GREENROOM_TEST_PASSWORD");
  m.fetch();
  auto main = m.resolve_branch("main");
  REQUIRE(main == w.upstream_at("refs/heads/main"));
  CHECK(m.push("over-http", *main, std::nullopt) == push_outcome::ok);
  CHECK(w.upstream_at("refs/heads/over-http") == *main);
  CHECK(server.requests() > 3);
  // No process showed it while git was talking.
  CHECK(server.looked_for_secret());
  CHECK_FALSE(server.secret_was_shown());
}

TEST_CASE("a wrong password is a reason, and is not shown") {
  world w;
  http_upstream server{w.dir.path(), "robot", password};
  auto url = server.url() + "/upstream.git";
  auto m =
    mirror::open_or_create(w.dir.path() / "repos/http.git", url,
                           keys(w, with_file(w, server.url(), "wr0ng-c4nary")));
  auto what = refusal_of([&] { m.fetch(); });
  CHECK(what.code == errc::unavailable);
  CHECK_THAT(what.message, Catch::Contains("Authentication failed"));
  CHECK(what.message.find("c4nary") == std::string::npos);
}

TEST_CASE("a password goes only where its prefix says") {
  world w;
  http_upstream server{w.dir.path(), "robot", password};
  auto url = server.url() + "/upstream.git";
  for (const auto& prefix :
       {server.url() + "/other", server.url() + "/upstream",
        server.url().substr(0, server.url().size() - 1)}) {
    CAPTURE(prefix);
    auto m = mirror::open_or_create(w.dir.path() / "repos/http.git", url,
                                    keys(w, with_file(w, prefix, password)));
    CHECK(refusal_of([&] { m.fetch(); }).code == errc::unavailable);
  }
}

TEST_CASE("a redirect does not lead a password astray") {
  world w;
  http_upstream thief{w.dir.path(), "robot", password};
  http_upstream server{w.dir.path(), "robot", password};
  server.redirect_to(thief.url());
  auto m = mirror::open_or_create(
    w.dir.path() / "repos/http.git", server.url() + "/upstream.git",
    keys(w, with_file(w, server.url(), password)));
  CHECK(refusal_of([&] { m.fetch(); }).code == errc::unavailable);
  CHECK(thief.requests() > 0);
  CHECK_FALSE(thief.was_shown_a_password());
}

TEST_CASE("a password is read anew each time, and its file may be gone") {
  world w;
  http_upstream server{w.dir.path(), "robot", password};
  auto one = with_file(w, server.url(), "old");
  auto m = mirror::open_or_create(w.dir.path() / "repos/http.git",
                                  server.url() + "/upstream.git", keys(w, one));
  CHECK(refusal_of([&] { m.fetch(); }).code == errc::unavailable);
  write(one.password_file, password);
  m.fetch();
  CHECK(m.resolve_branch("main"));
  fs::remove(one.password_file);
  auto what = refusal_of([&] { m.fetch(); });
  CHECK(what.code == errc::unavailable);
  CHECK_THAT(what.message, Catch::Contains(one.password_file));
}

TEST_CASE("credentials that cannot be used stop the start") {
  world w;
  auto fault = [&](git_credential one) {
    try {
      keys(w, std::move(one));
    } catch (const std::runtime_error& e) {
      return std::string{e.what()};
    }
    return std::string{};
  };
  CHECK(fault({"https://h", "u", "GREENROOM_NOT_SET", "", ""})
        == "git.credentials[0].password_env is \"GREENROOM_NOT_SET\", a "
           "variable that is not set");
  CHECK(fault({"https://h", "u", "", "/nonexistent/p", ""})
        == "git.credentials[0].password_file is \"/nonexistent/p\", which "
           "cannot be read");
  CHECK(fault({"ssh://h", "", "", "", "/nonexistent/k"})
        == "git.credentials[0].ssh_key_file is \"/nonexistent/k\", which "
           "cannot be read");
}

TEST_CASE("git's questions are answered for one origin") {
  auto file = git::memfd("https://host:8443\nrobot\ns3cret\n");
  auto path = "/proc/self/fd/" + std::to_string(file.get());
  ::setenv(git::secret_variable, path.c_str(), 1);
  auto answer = [](const char* prompt) { return git::answer_prompt(prompt); };
  CHECK(answer("Username for 'https://host:8443': ") == "robot");
  CHECK(answer("Password for 'https://robot@host:8443': ") == "s3cret");
  for (const auto* other :
       {"Password for 'https://robot@host': ",
        "Password for 'http://host:8443': ",
        "Password for 'https://robot@host:8443.evil.org': ",
        "Password for 'https://host:8443@evil.org': ",
        "Passphrase for 'https://host:8443': ", "Password: ", "", "'"}) {
    CAPTURE(other);
    CHECK(answer(other) == std::nullopt);
  }
  ::unsetenv(git::secret_variable);
  CHECK(answer("Username for 'https://host:8443': ") == std::nullopt);
}

TEST_CASE("an upstream over ssh is read and written with a key") {
  world w;
  if (!fs::exists("/usr/sbin/sshd")) {
    WARN("there is no sshd on this machine: nothing to try this on");
    return;
  }
  ssh_upstream server{w.dir.path() / "an sshd's"};
  auto url = server.url() + w.upstream.string();
  git_credential one{server.url(), "", "", "", server.key().string()};
  auto path = w.dir.path() / "repos/ssh.git";
  auto m = mirror::open_or_create(path, url, keys(w, one));
  m.fetch();
  auto main = m.resolve_branch("main");
  REQUIRE(main == w.upstream_at("refs/heads/main"));
  CHECK(m.push("over-ssh", *main, std::nullopt) == push_outcome::ok);
  CHECK(w.upstream_at("refs/heads/over-ssh") == *main);
  CHECK_FALSE(read(w.dir.path() / "known_hosts").empty());

  // A host that is not who it was is not talked to.
  server.change_host_key();
  auto what = refusal_of([&] { m.fetch(); });
  CHECK(what.code == errc::unavailable);

  auto nobody = mirror::open_or_create(path, url);
  what = refusal_of([&] { nobody.fetch(); });
  CHECK(what.code == errc::unavailable);
  CHECK_THAT(what.message, Catch::Contains("ssh_key_file"));
}

namespace {

/// Takes one request at a time, keeps what its first line says, and hangs up.
class proxy_server : public listener {
public:
  proxy_server() {
    open();
  }
  ~proxy_server() override {
    close();
  }
  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port());
  }
  std::string seen() {
    std::lock_guard guard{mutex_};
    return seen_;
  }

private:
  void take(unique_fd connection) override {
    std::array<char, 4096> text{};
    auto got = ::read(connection.get(), text.data(), text.size());
    std::string line{text.data(), static_cast<std::size_t>(std::max(got, 0L))};
    std::lock_guard guard{mutex_};
    seen_ += line.substr(0, line.find('\r')) + '\n';
  }
  std::mutex mutex_;
  std::string seen_;
};

} // namespace

TEST_CASE("an upstream is reached by the proxy that is configured") {
  world w;
  proxy_server proxy;
  auto through = [&](const std::string& url) {
    auto line = std::make_shared<const credentials>(
      std::vector<git_credential>{}, sandboxed().program,
      w.dir.path() / "known_hosts", proxy.url());
    auto m = mirror::open_or_create(
      w.dir.path() / ("repos/" + make_id() + ".git"), url, line);
    return refusal_of([&] { m.fetch(); }).code;
  };
  CHECK(through("http://upstream.invalid/up.git") == errc::unavailable);
  CHECK_THAT(proxy.seen(),
             Catch::StartsWith("GET http://upstream.invalid/up.git/"));
  CHECK(through("https://upstream.invalid/up.git") == errc::unavailable);
  CHECK_THAT(proxy.seen(), Catch::Contains("CONNECT upstream.invalid:443 "));
}

TEST_CASE("an upstream in a format that git here cannot read is named so") {
  world w;
  auto refused_at = [&](const std::string& name) {
    auto m = mirror::open_or_create(w.dir.path() / "repos/odd.git",
                                    (w.dir.path() / name).string());
    return refusal_of([&] { m.fetch(); });
  };
  run_git(w.dir.path(), {"init", "-q", "--bare", "odd.git"});
  run_git(w.dir.path() / "odd.git",
          {"config", "core.repositoryformatversion", "1"});
  run_git(w.dir.path() / "odd.git",
          {"config", "extensions.refstorage", "somethingnew"});
  auto what = refused_at("odd.git");
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains("--ref-format=files"));
  // Also where there is nothing in it yet that would show it.
  run_git(w.dir.path(),
          {"init", "-q", "--bare", "--object-format=sha256", "sha.git"});
  auto m = mirror::open_or_create(w.dir.path() / "repos/sha.git",
                                  (w.dir.path() / "sha.git").string());
  what = refusal_of([&] { m.fetch(); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains("SHA-256"));
}

TEST_CASE("an upstream that kept one waiting is left alone for a while") {
  temp_dir dir;
  run_git(dir.path(), {"init", "-q", "--bare", "m.git"});
  silent_upstream server;
  upstream_client line{server.url() + "/x.git",
                       std::make_shared<const credentials>()};
  git::server_git call{dir.path() / "m.git", {"ls-remote", "--", line.url()}};
  call.timeout = std::chrono::seconds{3}; // it is left alone for as long
  auto first = refusal_of([&] { line.fail(line.run(call)); });
  CHECK(first.code == errc::unavailable);
  CHECK_THAT(first.message, Catch::Contains("too long"));
  const auto visits = server.visits();
  auto second = refusal_of([&] { line.run(call); });
  CHECK(second.code == errc::unavailable);
  CHECK(second.message == first.message);
  CHECK(server.visits() == visits);
}

TEST_CASE("a refusal that came at once keeps nobody away") {
  // On a machine that is busy it may take so long that it counts as a wait.
  await("a refusal at once", [] {
    world w;
    auto away = w.dir.path() / "away.git";
    fs::rename(w.upstream, away);
    auto began = std::chrono::steady_clock::now();
    CHECK(refusal_of([&] { w.mirror.fetch(); }).code == errc::unavailable);
    auto took = std::chrono::steady_clock::now() - began;
    fs::rename(away, w.upstream);
    if (took > std::chrono::seconds{1})
      return false;
    w.mirror.fetch();
    return true;
  });
}
