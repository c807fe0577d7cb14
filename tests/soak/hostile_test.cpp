// A hostile tenant does at random what is known to hurt, beside an honest one:
// every request of the honest one is answered, and afterwards nothing is left.
//
// GREENROOM_HOSTILE_SEED=N plays the same attacks again.
#include "tests/api/demo.hpp"
#include "tests/soak/size.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/sockets.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace greenroom::test;
namespace fs = std::filesystem;

namespace {

using timer = std::chrono::steady_clock;

/// Runners and what they started.
std::size_t session_processes(const node_process& node) {
  const std::string mark = "GREENROOM_SESSION_ID=";
  std::size_t count = 0;
  for (auto& entry : fs::directory_iterator{"/proc"}) {
    auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos)
      continue;
    std::ifstream file{entry.path() / "environ", std::ios::binary};
    std::string text{std::istreambuf_iterator<char>{file}, {}};
    auto at = text.find(mark);
    if (at == std::string::npos)
      continue;
    auto id = text.substr(at + mark.size(), 20);
    if (fs::exists(node.data_dir() / "sessions" / id))
      ++count;
  }
  return count;
}

std::string key_for(const node_process& node, const std::string& project) {
  return expect(201,
                node.admin().post(
                  "/keys", {{"name", project},
                            {"projects", {project}},
                            {"scopes", {"sessions:read", "sessions:execute"}}}))
    .data()["key"];
}

/// Works in one session, and expects an answer to all that it asks.
class honest {
public:
  explicit honest(const node_process& node)
    : client_(node.with_key(key_for(node, "other"))) {
    auto made =
      client_.post("/projects/other/sessions", {{"new_branch", "honest"}});
    path_ = "/projects/other/sessions/"
            + expect(201, made).data()["id"].get<std::string>();
    thread_ = std::thread{[this] { work(); }};
  }
  honest(const honest&) = delete;
  honest& operator=(const honest&) = delete;
  ~honest() {
    stop();
  }

  void stop() {
    stopped_ = true;
    if (thread_.joinable())
      thread_.join();
  }
  const std::vector<std::string>& failures() const {
    return failures_;
  }
  double p99_ms() {
    std::ranges::sort(times_);
    return times_.empty() ? 0 : times_[times_.size() * 99 / 100];
  }
  std::size_t asked() const {
    return times_.size();
  }
  const std::string& path() const {
    return path_;
  }

private:
  void work() {
    for (std::uint64_t round = 0; !stopped_; ++round) {
      ask([&] { return client_.get(path_); });
      ask([&] { return client_.get("/projects/other/sessions"); });
      if (round % 4 == 0)
        run("echo " + std::to_string(round));
    }
  }

  template <class F>
  void ask(F request) {
    auto began = timer::now();
    std::string problem;
    try {
      auto reply = request();
      if (reply.status != 200)
        problem = to_string(reply);
    } catch (const std::exception& e) {
      problem = e.what();
    }
    times_.push_back(
      std::chrono::duration<double, std::milli>(timer::now() - began).count());
    if (!problem.empty())
      failures_.push_back(problem);
  }

  void run(const std::string& command) {
    try {
      auto reply =
        client_.post(path_ + "/exec", {{"command", command}, {"wait", "60s"}});
      if (reply.status != 200 || reply.data()["exit_code"] != 0)
        failures_.push_back(command + ": " + to_string(reply));
    } catch (const std::exception& e) {
      failures_.push_back(command + ": " + e.what());
    }
  }

  http_client client_;
  std::string path_;
  std::atomic<bool> stopped_ = false;
  std::vector<std::string> failures_;
  std::vector<double> times_;
  std::thread thread_;
};

/// One attack at a time, with a session of its own that it makes and ends.
class hostile {
public:
  hostile(const node_process& node, std::uint64_t seed)
    : node_(node), random_(seed),
      client_(node.with_key(key_for(node, "demo"))) {}

  void attack() {
    static constexpr std::array attacks{
      &hostile::half_requests, &hostile::followers,    &hostile::garbage,
      &hostile::deep_tree,     &hostile::closed_files, &hostile::much_output,
      &hostile::many_commands, &hostile::memory_hog,   &hostile::broken_git,
      &hostile::bad_clones,    &hostile::foreign_names};
    (this->*attacks[below(attacks.size())])();
  }

private:
  std::size_t below(std::size_t limit) {
    return random_() % limit;
  }

  // What is refused is of no interest, as long as there is an answer.
  http_reply ask(const std::string& method, const std::string& path,
                 const json& body = {}) {
    try {
      return client_.send(method, path, body.is_null() ? "" : body.dump());
    } catch (const std::exception&) {
      return {};
    }
  }

  std::string begin() {
    auto made =
      ask("POST", sessions, {{"new_branch", "h" + std::to_string(++count_)}});
    if (made.status != 201)
      return {};
    clone_url_ = made.data()["auth_clone_url"];
    return sessions + '/' + made.data()["id"].get<std::string>();
  }
  void run(const std::string& session, const std::string& command) {
    ask("POST", session + "/exec",
        {{"command", command}, {"wait", "20s"}, {"timeout", "20s"}});
  }
  void end(const std::string& session) {
    if (session.empty())
      return;
    auto reply = ask("POST", session + "/discard", json::object());
    INFO(session << ": " << to_string(reply));
    CHECK((reply.status == 200 || reply.status == 504));
  }

  void half_requests() {
    std::vector<greenroom::unique_fd> held;
    for (std::size_t i = below(200); i > 0; --i) {
      held.push_back(connect_to(node_.port()));
      send_quietly(held.back(),
                   i % 2 == 0
                     ? "POST " + sessions
                         + " HTTP/1.1\r\nHost: localhost\r\n"
                           "Content-Length: 62000\r\n\r\n{"
                     : "GET /git/demo/aaaaaaaaaaaaaaaaaaaa.git/info/refs");
    }
  }
  void followers() {
    auto session = begin();
    run(session, "echo some output");
    ask("POST", session + "/exec",
        {{"command", "echo x; sleep 1000"}, {"exec_id", "x"}});
    std::vector<greenroom::unique_fd> held;
    for (std::size_t i = below(200); i > 0; --i) {
      held.push_back(connect_to(node_.port()));
      send_quietly(held.back(), "GET " + session
                                  + "/execs/x/output?follow=true HTTP/1.1\r\n"
                                    "Host: localhost\r\nX-API-Key: "
                                  + client_.key() + "\r\n\r\n");
    }
    end(session);
  }
  void garbage() {
    for (int i = 0; i < 20; ++i) {
      std::string bytes(below(20'000), ' ');
      for (auto& c : bytes)
        c = static_cast<char>(random_());
      auto socket = connect_to(node_.port());
      send_quietly(socket, (i % 2 == 0 ? "GET /" : "") + bytes + "\r\n\r\n");
    }
  }
  void deep_tree() {
    auto session = begin();
    run(session, "i=0; while [ $i -lt " + std::to_string(200 + below(3000))
                   + " ]; do mkdir d && cd d || exit; i=$((i+1)); done; "
                     "touch $(seq 1000)");
    end(session);
  }
  void closed_files() {
    auto session = begin();
    run(session, "mkdir -p a/b; seq 1000 > a/b/c; chmod 000 a/b/c a/b a");
    end(session);
  }
  void much_output() {
    auto session = begin();
    run(session, "yes | head -c " + std::to_string(below(64) << 20));
    end(session);
  }
  void many_commands() {
    auto session = begin();
    for (int i = 0; i < 100; ++i)
      ask("POST", session + "/exec", {{"command", "trap '' TERM; sleep 100"}});
    end(session);
  }
  void memory_hog() {
    auto session = begin();
    run(session, "head -c 1G /dev/zero | tail -c 1G | wc -c");
    end(session);
  }
  void broken_git() {
    auto session = begin();
    run(session, below(2) == 0 ? "rm -rf .git; mkfifo .git"
                               : "echo x > .git/HEAD; mkfifo .git/index.lock");
    end(session);
  }
  void bad_clones() {
    auto session = begin();
    if (session.empty())
      return;
    auto id = session.substr(session.rfind('/') + 1);
    auto token = clone_url_.substr(clone_url_.find("session:") + 8);
    token = token.substr(0, token.find('@'));
    for (int i = 0; i < 20; ++i) {
      std::string body(below(2000), '0');
      for (auto& c : body)
        c = "0123456789abcdef \n"[below(18)];
      auto socket = connect_to(node_.port());
      send_quietly(socket,
                   "POST /git/demo/" + id
                     + ".git/git-upload-pack HTTP/1.1\r\nHost: localhost\r\n"
                       "Authorization: Bearer "
                     + token
                     + "\r\nContent-Type: application/x-git-upload-pack-"
                       "request\r\nContent-Length: "
                     + std::to_string(body.size()) + "\r\n\r\n" + body);
      if (i % 2 == 0)
        ::shutdown(socket.get(), SHUT_WR);
      std::string answer;
      receive_quietly(socket, answer);
    }
    end(session);
  }
  void foreign_names() {
    for (int i = 0; i < 20; ++i) {
      auto socket = connect_to(node_.port());
      send_quietly(socket,
                   "GET /projects HTTP/1.1\r\nHost: evil.example\r\n\r\n");
      std::string answer;
      receive_quietly(socket, answer);
      CHECK(answer.find(" 403 ") != std::string::npos);
    }
  }

  static void send_quietly(const greenroom::unique_fd& socket,
                           const std::string& text) {
    try {
      send_all(socket, text);
    } catch (const std::exception&) {
      // It was turned away while it sent.
    }
  }
  static void receive_quietly(const greenroom::unique_fd& socket,
                              std::string& answer) {
    try {
      receive(socket, answer, 4096);
    } catch (const std::exception&) {
      // Nothing came: that is for the others to be judged by.
    }
  }

  const node_process& node_;
  std::mt19937_64 random_;
  http_client client_;
  std::uint64_t count_ = 0;
  std::string clone_url_;
};

void drop_kept(const node_process& node) {
  auto kept =
    expect(200, node.admin().get("/projects/demo/kept")).data()["kept"];
  for (auto& one : kept)
    expect(200,
           node.admin().remove(
             sessions + '/' + one["session_id"].get<std::string>() + "/kept"));
}

std::size_t directories(const node_process& node) {
  std::size_t count = 0;
  for (auto& entry : fs::directory_iterator{node.data_dir() / "sessions"})
    for (auto name : {"checkout", "checkout.partial", "checkout.removed",
                      "home", "tmp", "origin", "runner.json", "runner.sock"})
      count += fs::exists(fs::symlink_status(entry.path() / name)) ? 1U : 0U;
  return count;
}

} // namespace

TEST_CASE("a hostile tenant harms no honest one, and leaves nothing") {
  auto* wanted = std::getenv("GREENROOM_HOSTILE_SEED");
  auto seed = wanted       ? std::strtoull(wanted, nullptr, 10)
              : for_long() ? std::random_device{}()
                           : 20'261'128ULL;
  WARN("GREENROOM_HOSTILE_SEED=" << seed);
  node_process node{{.set = {"sandbox.memory=512MiB", "sandbox.pids=256"}}};
  {
    honest user{node};
    hostile attacker{node, seed};
    attacker.attack(); // what is made once is made now
    auto files = open_files(node.pid());
    auto memory = resident_kib(node.pid());
    auto processes = session_processes(node);
    auto left = directories(node);
    auto until = timer::now() + std::chrono::seconds{how_many(25, 3600)};
    int attacks = 0;
    while (timer::now() < until) {
      attacker.attack();
      ++attacks;
    }
    drop_kept(node);
    CHECK(eventually([&] { return open_files(node.pid()) <= files + 8; },
                     std::chrono::seconds{70}));
    CHECK(eventually([&] { return session_processes(node) <= processes; },
                     std::chrono::seconds{30}));
    CHECK(eventually([&] { return directories(node) <= left; },
                     std::chrono::seconds{30}));
#ifndef __SANITIZE_ADDRESS__
    INFO(memory << " KiB before, " << resident_kib(node.pid()) << " after");
    CHECK(eventually(
      [&] {
        return resident_kib(node.pid()) < memory + memory / 10 + 48 * 1024;
      },
      std::chrono::seconds{30}));
#endif
    user.stop();
    WARN(attacks << " attacks, " << user.asked() << " honest requests, p99 "
                 << user.p99_ms() << " ms");
    for (auto& failure : user.failures())
      UNSCOPED_INFO(failure);
    CHECK(user.failures().empty());
    if (for_long())
      CHECK(user.p99_ms() <= 100);
  }
}
