// Transfers that are large, slow, cut short or not wanted any more.
#include "http/git/pkt_line.hpp"
#include "runtime/base/files.hpp"
#include "tests/http/client.hpp"
#include "tests/http/git/git_node.hpp"
#include "tests/support/eventually.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <random>
#include <sstream>

using namespace greenroom;
using namespace greenroom::test;
using namespace greenroom::http::git_http;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

/// Bytes that do not get smaller.
void write_noise(const fs::path& path, std::size_t size) {
  std::mt19937_64 random{42};
  std::ofstream file{path, std::ios::binary};
  std::vector<std::uint64_t> block(mib / 8);
  for (std::size_t done = 0; done < size; done += mib) {
    for (auto& word : block)
      word = random();
    file.write(reinterpret_cast<const char*>(block.data()), mib);
  }
  REQUIRE(file.flush().good());
}

void commit_noise(const fs::path& repo, std::size_t size) {
  write_noise(repo / "noise", size);
  must_git(repo, {"config", "core.compression", "0"});
  must_git(repo, {"add", "-A"});
  must_git(repo, {"commit", "-qm", "Noise"});
}

/// A value of /proc/self/status, in bytes.
std::size_t memory(const std::string& name) {
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name + ':'))
      return std::stoul(line.substr(name.size() + 1)) * 1024;
  FAIL("no " << name);
  return 0;
}

/// From now on VmHWM is the most of what comes.
void forget_peak() {
  std::ofstream{"/proc/self/clear_refs"} << "5";
}

/// A git that this process has started and that works for a client; 0: none.
pid_t working_git() {
  for (auto& task : fs::directory_iterator{"/proc/self/task"}) {
    std::istringstream children{
      read_file(task.path() / "children").value_or("")};
    for (std::string pid; children >> pid;)
      if (read_file("/proc/" + pid + "/cmdline")
            .value_or("")
            .find("--stateless-rpc")
          != std::string::npos)
        return std::stoi(pid);
  }
  return 0;
}

bool git_runs() {
  return working_git() != 0;
}

/// True once nobody in this process can write to the program any more.
bool has_all_input(pid_t pid) {
  auto input = fs::read_symlink("/proc/" + std::to_string(pid) + "/fd/0");
  std::error_code gone;
  for (auto& one : fs::directory_iterator{"/proc/self/fd"})
    if (fs::read_symlink(one.path(), gone) == input)
      return false;
  return true;
}

void await_no_git() {
  await("git to end", [] { return !git_runs(); });
}

std::string request(const std::string& service, const std::string& headers,
                    const std::string& body) {
  return "POST " + git_node::path() + "/git-" + service
         + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + git_token
         + "\r\nContent-Type: application/x-git-" + service + "-request\r\n"
         + headers + "\r\n" + body;
}

/// Asks for all of HEAD; the answer has more than fits in any buffer.
std::string fetch_request(const git_node& node) {
  auto body =
    make_packet("command=fetch\n") + "0001"
    + make_packet("want " + must_git(node.checkout(), {"rev-parse", "HEAD"})
                  + '\n')
    + make_packet("done\n") + "0000";
  return request("upload-pack",
                 "Git-Protocol: version=2\r\nContent-Length: "
                   + std::to_string(body.size()) + "\r\n",
                 body);
}

/// A push of a new commit, in two pieces.
std::pair<std::string, std::string> push_in_two(const git_node& node) {
  auto mine = node.home() / "mine";
  must_git(node.home(), {"clone", "-q", node.url(), "mine"});
  auto old_id = must_git(mine, {"rev-parse", "HEAD"});
  commit_file(mine, "new.txt", "new\n");
  auto new_id = must_git(mine, {"rev-parse", "HEAD"});
  must_git(mine,
           {"bundle", "create", "-q", "../new.bundle", old_id + "..work"});
  auto bundle = read_text(node.home() / "new.bundle");
  auto pack = bundle.substr(bundle.find("\n\n") + 2);
  REQUIRE(pack.starts_with("PACK"));
  auto commands = make_packet(old_id + ' ' + new_id + " refs/heads/work" + '\0'
                              + " report-status side-band-64k")
                  + "0000";
  auto first = request(
    "receive-pack",
    "Content-Length: " + std::to_string(commands.size() + pack.size()) + "\r\n",
    commands + pack.substr(0, 20));
  return {std::move(first), pack.substr(20)};
}

/// A push that stops in the middle of its pack.
std::string half_a_push(const git_node& node) {
  auto old_id = must_git(node.checkout(), {"rev-parse", "HEAD"});
  auto commands =
    make_packet(old_id + ' ' + std::string(40, 'a') + " refs/heads/work" + '\0'
                + " report-status side-band-64k")
    + "0000";
  const std::string pack{"PACK\0\0\0\2\0\0\0\1", 12};
  return request("receive-pack", "Content-Length: 100000\r\n", commands + pack);
}

} // namespace

TEST_CASE("100 MB go in and out through a server that stays small") {
  git_node node;
  must_git(node.home(), {"clone", "-q", node.url(), "mine"});
  auto mine = node.home() / "mine";
  commit_noise(mine, 100 * mib);
  auto before = memory("VmRSS");
  forget_peak();
  must_git(mine, {"push", "-q"});
  must_git(node.home(), {"clone", "-q", "--no-checkout", node.url(), "again"});
  INFO("from " << before / mib << " MiB to " << memory("VmHWM") / mib);
#ifndef __SANITIZE_ADDRESS__ // which keeps for a while what was freed
  CHECK(memory("VmHWM") < before + 64 * mib);
#endif
  CHECK(fs::file_size(node.checkout() / "noise") == 100 * mib);
  CHECK(must_git(node.home() / "again", {"rev-parse", "HEAD"})
        == must_git(mine, {"rev-parse", "HEAD"}));
}

TEST_CASE("a push over git.max_push is refused and says so") {
  git_node node{{[](auto& o) { o.max_push = mib; }, {}}};
  must_git(node.home(), {"clone", "-q", node.url(), "mine"});
  auto mine = node.home() / "mine";
  auto before = must_git(node.checkout(), {"rev-parse", "HEAD"});
  commit_noise(mine, 6 * mib);
  auto result = user_git(mine, {"push"});
  CHECK_FALSE(result.ok());
  INFO(result.err);
  CHECK(result.err.find("exceeds maximum allowed size") != std::string::npos);
  CHECK(must_git(node.checkout(), {"rev-parse", "HEAD"}) == before);
  await_no_git();
}

TEST_CASE("a fetch ends when its client goes") {
  git_node node;
  commit_noise(node.checkout(), 8 * mib);
  {
    http_client client{node.port(), 4096};
    client.send(fetch_request(node));
    CHECK(client.receive_head().status == 200);
    CHECK(git_runs());
  }
  await_no_git();
}

TEST_CASE("a fetch ends when the token dies") {
  git_node node;
  commit_noise(node.checkout(), 8 * mib);
  http_client client{node.port(), 4096};
  client.send(fetch_request(node));
  CHECK(client.receive_head().status == 200);
  REQUIRE(git_runs());
  node.kill_token();
  await_no_git();
  // Never as if it were whole.
  CHECK_THROWS(client.read_stream_until("there is no such text"));
}

TEST_CASE("a fetch ends when its client does not read") {
  git_node node{{[](auto& o) { o.git_timeout = milliseconds{3'000}; }, {}}};
  commit_noise(node.checkout(), 8 * mib);
  http_client client{node.port(), 4096};
  client.send(fetch_request(node));
  await("git", git_runs);
  await_no_git();
}

TEST_CASE("a push that is cut short leaves nothing behind") {
  auto mode = GENERATE(sandbox_mode::none, sandbox_mode::bubblewrap);
  git_node node{{[](auto& o) { o.git_timeout = milliseconds{3'000}; }, mode}};
  auto before = must_git(node.checkout(), {"show-ref"});
  SECTION("because its client goes") {
    http_client client{node.port()};
    client.send(half_a_push(node));
    await("git", git_runs);
  }
  SECTION("because its client falls silent") {
    http_client client{node.port()};
    client.send(half_a_push(node));
    await("git", git_runs);
    await_no_git();
  }
  SECTION("because the token dies") {
    http_client client{node.port()};
    client.send(half_a_push(node));
    await("git", git_runs);
    node.kill_token();
    await_no_git();
  }
  await_no_git();
  CHECK(must_git(node.checkout(), {"show-ref"}) == before);
  CHECK(must_git(node.checkout(), {"status", "--porcelain"}).empty());
  for (auto& entry :
       fs::recursive_directory_iterator{node.checkout() / ".git"}) {
    auto name = entry.path().filename().string();
    INFO(name);
    CHECK_FALSE(name.ends_with(".lock"));
    CHECK_FALSE(name.starts_with("tmp_objdir"));
  }
  CHECK(node.pushes().empty());
}

TEST_CASE("a push that was whole when its token died tells how it went") {
  git_node node;
  commit_noise(node.checkout(), 8 * mib);
  auto [first, rest] = push_in_two(node);
  http_client client{node.port()};
  client.send(first);
  await("git", git_runs);
  const auto git = working_git();
  REQUIRE(::kill(git, SIGSTOP) == 0);
  client.send(rest);
  await("git to be sent all", [git] { return has_all_input(git); });
  // Shows when the server has heard of the token.
  http_client fetch{node.port(), 4096};
  fetch.send(fetch_request(node));
  CHECK(fetch.receive_head().status == 200);
  node.kill_token();
  CHECK_THROWS(fetch.read_stream_until("there is no such text"));
  REQUIRE(::kill(git, SIGCONT) == 0);
  CHECK(client.receive_head().status == 200);
  CHECK(client.read_stream_to_end().find("ok refs/heads/work")
        != std::string::npos);
  CHECK(fs::exists(node.checkout() / "new.txt"));
  await("the session to hear of it", [&] { return node.pushes().size() == 1; });
}

TEST_CASE("a push that is cut short when its token dies is refused in words") {
  git_node node;
  auto before = must_git(node.checkout(), {"show-ref"});
  auto [first, rest] = push_in_two(node);
  http_client client{node.port()};
  client.send(first);
  await("git", git_runs);
  node.kill_token();
  await_no_git();
  // What the client still sends is waited for by nobody but us.
  await("the transfer to end", [&] { return node.open_transfers() == 0; });
  client.send(rest);
  auto answer = client.receive();
  CHECK(answer.status == 200);
  CHECK(answer.body.find("ng refs/heads/work greenroom: the session is being "
                         "checked in or ended")
        != std::string::npos);
  CHECK(must_git(node.checkout(), {"show-ref"}) == before);
  CHECK(node.pushes().empty());
  // The connection is as good as before.
  client.send(fetch_request(node));
  CHECK(client.receive_head().status == 200);
}

TEST_CASE("a connection that has shown no token does not wait for long") {
  git_node node{
    {[](auto& o) { o.idle_of_strangers = milliseconds{2'000}; }, {}}};
  http_client known{node.port()};
  http_client stranger{node.port()};
  auto list = [](const std::string& token) {
    return "GET " + git_node::path()
           + "/info/refs?service=git-upload-pack HTTP/1.1\r\n"
             "Host: localhost\r\nAuthorization: Bearer "
           + token + "\r\n\r\n";
  };
  known.send(list(git_token));
  CHECK(known.receive_head().status == 200);
  known.read_stream_to_end();
  stranger.send(list("gr_guessed"));
  CHECK(stranger.receive().status == 401);
  CHECK(stranger.is_closed());
  known.send(list(git_token));
  CHECK(known.receive_head().status == 200);
}

TEST_CASE("one session may have so many transfers and no more") {
  git_node node;
  commit_noise(node.checkout(), 8 * mib);
  std::vector<std::unique_ptr<http_client>> clients;
  for (int i = 0; i < 16; ++i) {
    clients.push_back(std::make_unique<http_client>(node.port(), 4096));
    clients.back()->send(fetch_request(node));
    CHECK(clients.back()->receive_head().status == 200);
  }
  http_client one_more{node.port()};
  one_more.send(fetch_request(node));
  auto answer = one_more.receive();
  CHECK(answer.status == 503);
  CHECK(answer.headers["retry-after"] == "1");
  clients.clear();
  await_no_git();
  must_git(node.home(), {"clone", "-q", node.url(), "mine"});
}

TEST_CASE("a server that stops ends what goes on") {
  auto node = std::make_unique<git_node>();
  commit_noise(node->checkout(), 8 * mib);
  http_client client{node->port(), 4096};
  client.send(fetch_request(*node));
  CHECK(client.receive_head().status == 200);
  REQUIRE(git_runs());
  node.reset();
  CHECK_FALSE(git_runs());
}
