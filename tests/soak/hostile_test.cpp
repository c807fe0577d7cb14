// A hostile tenant does at random what is known to hurt, beside an honest one:
// every request of the honest one is answered, and afterwards nothing is left:
// no descriptor, no memory, no process, no control group, no directory.
//
// GREENROOM_HOSTILE_SEED=N plays the same attacks again.
#include "tests/api/demo.hpp"
#include "tests/soak/left_behind.hpp"
#include "tests/soak/size.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/sockets.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace greenroom::test;
namespace fs = std::filesystem;

namespace {

using timer = std::chrono::steady_clock;

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
    (this->*attacks[below(attacks.size())])();
  }
  /// How many sessions it has had.
  int begun() const noexcept {
    return begun_;
  }
  /// Each of them once.
  void attack_in_every_way() {
    for (auto& one : attacks)
      (this->*one)();
    let_go();
  }
  /// Of what it still holds.
  void let_go() {
    silent_.clear();
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

  /// Its own project may be busy with what it has done: it comes again, or
  /// there would be no attack.
  std::string begin() {
    http_reply made;
    auto begun = eventually([&] {
      made =
        ask("POST", sessions, {{"new_branch", "h" + std::to_string(++count_)}});
      return made.status != 503 && made.status != 504;
    });
    if (!begun || made.status != 201)
      return {};
    ++begun_;
    clone_url_ = made.data()["auth_clone_url"];
    return sessions + '/' + made.data()["id"].get<std::string>();
  }
  void run(const std::string& session, const std::string& command) {
    ask("POST", session + "/exec",
        {{"command", command},
         {"wait", how_many("5s", "20s")},
         {"timeout", how_many("5s", "20s")}});
  }
  void end(const std::string& session) {
    if (session.empty())
      return;
    auto reply = ask("POST", session + "/discard", json::object());
    INFO(session << ": " << to_string(reply));
    CHECK((reply.status == 200 || reply.status == 504));
  }

  /// Holds connections on which something of this was sent, and no more.
  std::vector<greenroom::unique_fd>
  hold(std::size_t most, const std::vector<std::string>& texts) {
    std::vector<greenroom::unique_fd> held;
    for (std::size_t i = below(most); i > 0; --i) {
      held.push_back(connect_to(node_.port()));
      send_quietly(held.back(), texts[i % texts.size()]);
    }
    return held;
  }
  std::string key_line() const {
    return "X-API-Key: " + client_.key() + "\r\n";
  }

  void half_requests() {
    const std::string body =
      "POST " + sessions
      + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 62000\r\n";
    const std::string git = "GET /git/demo/aaaaaaaaaaaaaaaaaaaa.git/info/refs";
    silent_ = hold(
      how_many(200, 1'000),
      {body + "\r\n{",
       // With a key it is read, and the last of it never comes.
       body + key_line() + "\r\n{" + std::string(61'000, ' '),
       git,
       git + "?service=git-upload-pack HTTP/1.1\r\nHost: localhost\r\n\r\n",
       {}});
  }
  void unread_answers() {
    std::string many;
    for (auto path : {"/openapi.json", "/docs/errors", "/llms.txt"})
      many +=
        std::string{"GET "} + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    auto held = hold(how_many(200, 1'000), {many + many + many});
    ask("GET", sessions);
  }
  /// All that goes on and on, and a terminal that ends meanwhile.
  void streams() {
    auto session = begin();
    run(session, "echo some output");
    ask("POST", session + "/exec",
        {{"command", "echo x; sleep 1000"}, {"exec_id", "x"}});
    ask("POST", session + "/exec",
        {{"command", "echo y; sleep 1; echo z"},
         {"exec_id", "y"},
         {"tty", {{"rows", 5}, {"cols", 20}}}});
    const std::string rest = " HTTP/1.1\r\nHost: localhost\r\n" + key_line();
    auto held = hold(
      how_many(200, 2'000),
      {"GET " + session + "/execs/x/output?follow=true" + rest + "\r\n",
       "GET " + session + "/events" + rest + "\r\n",
       "GET " + session + "/execs/y/attach" + rest
         + "Connection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
       "GET " + session + "/wait?until=ended&timeout=60s" + rest + "\r\n"});
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
    // Git does not see all that a checkout holds, nor what is beside it.
    const std::array<std::string, 3> where{"cd ~", ":", "echo d > .gitignore"};
    run(session, where[below(where.size())] + "; i=0; while [ $i -lt "
                   + std::to_string(200 + below(how_many(300, 3000)))
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
    const std::array<std::string, 3> how{
      "rm -rf .git; mkfifo .git", "echo x > .git/HEAD; mkfifo .git/index.lock",
      "head -c 4096 /dev/urandom > .git/index; echo x > y"};
    run(session, how[below(how.size())]);
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
    const std::string line = "GET /projects HTTP/1.1\r\n";
    for (auto& names : std::vector<std::string>{
           "Host: evil.example\r\n",
           "Host: localhost\r\nOrigin: http://evil.example\r\n"}) {
      auto socket = connect_to(node_.port());
      send_quietly(socket, line + names + key_line() + "\r\n");
      std::string answer;
      receive_quietly(socket, answer);
      INFO(names << answer.substr(0, 200));
      CHECK(answer.find(" 403 ") != std::string::npos);
    }
  }

  /// Takes what the kernel counts by user, until there is no more.
  void kernel_objects() {
    auto session = begin();
    run(session, R"(exec python3 -c '
import ctypes, os, select
libc = ctypes.CDLL(None)
pipes = [os.pipe() for _ in range(1000)]
while libc.inotify_init() >= 0:
    pass
events = [os.eventfd(0) for _ in range(3000)]
sets = []
try:
    while True:
        sets.append(select.epoll())
        for one in events:
            sets[-1].register(one, select.EPOLLIN)
except OSError:
    pass')");
    end(session);
  }
  /// As much as fits, and then what an ending needs room for.
  void full_disk() {
    auto session = begin();
    const std::string size = how_many("24M", "1G");
    run(session, "head -c " + size + " /dev/urandom > fill; echo x > more");
    run(session, "head -c " + size + " /dev/zero > ~/fill; git add -A");
    end(session);
  }
  void many_files() {
    auto session = begin();
    run(session, "mkdir many; cd many; seq "
                   + std::to_string(how_many(5'000, 100'000))
                   + " | xargs touch");
    end(session);
  }
  void tiny_chunks() {
    std::string body = "POST " + sessions
                       + " HTTP/1.1\r\nHost: localhost\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 10'400; ++i)
      body += "1\r\nx\r\n";
    std::vector<greenroom::unique_fd> held;
    for (std::size_t i = below(300); i > 0; --i) {
      held.push_back(connect_to(node_.port()));
      send_quietly(held.back(), body);
    }
  }
  /// Little in git, much in a checkout: for each of several creates.
  void large_blobs() {
    auto session = begin();
    auto branch = "h" + std::to_string(count_);
    run(session, "head -c "
                   + std::to_string(how_many(2, 16) + below(how_many(4, 64)))
                   + "M /dev/zero > zeros; git add zeros; git commit -qm x; "
                     "git push -q");
    std::vector<std::string> made;
    for (int i = 0; i < 3; ++i) {
      auto reply = ask(
        "POST", sessions,
        {{"new_branch", "h" + std::to_string(++count_)}, {"from_ref", branch}});
      if (reply.status == 201)
        made.push_back(sessions + '/' + reply.data()["id"].get<std::string>());
    }
    for (auto& one : made)
      end(one);
    end(session);
  }
  /// Its end is asked for several times while it is checked in.
  void hasty_endings() {
    auto session = begin();
    if (session.empty())
      return;
    run(session,
        "head -c " + std::to_string(1 + below(48)) + "M /dev/urandom > large");
    std::vector<std::future<http_reply>> asked;
    for (auto how : {"/checkin", "/discard", "/checkin", "/discard"})
      asked.push_back(
        std::async(std::launch::async, [this, how, session]() -> http_reply {
          try {
            return client_.send("POST", session + how, "{}");
          } catch (const std::exception&) {
            return {};
          }
        }));
    for (auto& one : asked) {
      auto reply = one.get();
      INFO(session << ": " << to_string(reply));
      CHECK(reply.status != 0);
      CHECK(reply.status != 500);
    }
    CHECK(eventually([&] {
      auto status = ask("GET", session).data()["status"];
      return status == "ended" || status == "terminated";
    }));
  }
  /// All that a session can reach stands still when it is ended.
  void stopped_runner() {
    auto session = begin();
    ask("POST", session + "/exec", {{"command", "trap '' TERM; sleep 1000"}});
    run(session, "kill -STOP -1; kill -STOP $$");
    end(session);
  }
  void odd_requests() {
    const std::string line = "GET /healthz HTTP/1.1\r\n";
    const std::string host = "Host: localhost\r\n";
    const std::string post = "POST " + sessions + " HTTP/1.1\r\n" + host;
    std::string many;
    for (int i = 0; i < 150; ++i)
      many += "X-" + std::to_string(i) + ": x\r\n";
    for (auto& odd : std::vector<std::string>{
           "GET /" + std::string(20'000 + below(20'000), 'a') + " HTTP/1.1\r\n"
             + host + "\r\n",
           line + host + "X: " + std::string(20'000 + below(20'000), 'x')
             + "\r\n\r\n",
           line + host + many + "\r\n",
           "FOO /healthz HTTP/1.1\r\n" + host + "\r\n",
           post
             + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
               "0\r\n\r\n",
           post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
           post + "Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n"})
      expect_answer(odd, false);
  }
  /// It has said all, and waits.
  void half_closed() {
    expect_answer("GET " + sessions
                    + " HTTP/1.1\r\nHost: localhost\r\nX-API-Key: "
                    + client_.key() + "\r\n\r\n",
                  true);
    expect_answer("GET /git/demo/aaaaaaaaaaaaaaaaaaaa.git/info/refs?service="
                  "git-upload-pack HTTP/1.1\r\nHost: localhost\r\n\r\n",
                  true);
  }
  void expect_answer(const std::string& request, bool then_closes) {
    auto socket = connect_to(node_.port());
    send_quietly(socket, request);
    if (then_closes)
      ::shutdown(socket.get(), SHUT_WR);
    std::string answer;
    receive_quietly(socket, answer);
    INFO(request.substr(0, 200) << ": " << answer.substr(0, 100));
    CHECK(answer.starts_with("HTTP/1.1 "));
    CHECK(!answer.starts_with("HTTP/1.1 500"));
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

  using attack_function = void (hostile::*)();
  static const std::array<attack_function, 21> attacks;

  const node_process& node_;
  std::mt19937_64 random_;
  http_client client_;
  std::uint64_t count_ = 0;
  int begun_ = 0;
  std::vector<greenroom::unique_fd> silent_; // beside the attacks that follow
  std::string clone_url_;
};

// V1, V2 and so on are those of the trial that found them.
const std::array<hostile::attack_function, 21> hostile::attacks{
  &hostile::half_requests,  // V6, V7
  &hostile::unread_answers, // V5
  &hostile::streams,        // V1
  &hostile::garbage,
  &hostile::deep_tree,    // V2
  &hostile::closed_files, // V14
  &hostile::much_output,    &hostile::many_commands, &hostile::memory_hog,
  &hostile::broken_git,     &hostile::bad_clones,
  &hostile::foreign_names,  // V15
  &hostile::kernel_objects, // V3
  &hostile::full_disk,      // V4
  &hostile::many_files,     // V4
  &hostile::tiny_chunks,    // V5
  &hostile::large_blobs,    // V8
  &hostile::hasty_endings,  // V10
  &hostile::stopped_runner, // V10
  &hostile::odd_requests,   // V16
  &hostile::half_closed,    // V16
};

void drop_kept(const node_process& node) {
  auto kept =
    expect(200, node.admin().get("/projects/demo/kept")).data()["kept"];
  for (auto& one : kept)
    expect(200,
           node.admin().remove(
             sessions + '/' + one["session_id"].get<std::string>() + "/kept"));
}

/// The memory that is in use once it falls no more: what a flood has needed is
/// given back a little later.
std::uint64_t settled_memory(const node_process& node) {
  auto least = resident_kib(node.pid());
  auto since = timer::now();
  await("the memory to settle", [&] {
    if (auto now = resident_kib(node.pid()); now < least) {
      least = now;
      since = timer::now();
    }
    return timer::now() - since > std::chrono::seconds{3};
  });
  return least;
}

} // namespace

TEST_CASE("a hostile tenant harms no honest one, and leaves nothing") {
  auto* wanted = std::getenv("GREENROOM_HOSTILE_SEED");
  auto seed = wanted       ? std::strtoull(wanted, nullptr, 10)
              : for_long() ? std::random_device{}()
                           : 20'261'128ULL;
  WARN("GREENROOM_HOSTILE_SEED=" << seed);
  node_process node{
    {.set = {"sandbox.memory=512MiB", "sandbox.pids=256",
             how_many("sandbox.disk=16MiB", "sandbox.disk=256MiB"),
             how_many("sandbox.files=4000", "sandbox.files=20000")}}};
  {
    honest user{node};
    hostile attacker{node, seed};
    // What is made once is made now.
    attacker.attack_in_every_way();
    CHECK(attacker.begun() >= 10);
    drop_kept(node);
    const auto files = open_files(node.pid());
    const auto before = settled_memory(node);
    const auto held = left_by_sessions(node);
    auto until = timer::now() + std::chrono::seconds{how_many(5, 3600)};
    int attacks = 0;
    while (timer::now() < until) {
      attacker.attack();
      ++attacks;
    }
    attacker.let_go();
    drop_kept(node);
    CHECK(eventually([&] { return open_files(node.pid()) <= files + 8; },
                     std::chrono::seconds{70}));
    left_behind left;
    CHECK(eventually([&] {
      left = left_by_sessions(node);
      return left.is_within(held);
    }));
    INFO(held << " before; " << left << " after");
    CHECK(left.is_within(held));
#ifndef __SANITIZE_ADDRESS__
    const auto after = settled_memory(node);
    INFO(before << " KiB before, " << after << " KiB after");
    CHECK(after <= before + before / 10);
#endif
    user.stop();
    WARN(attacks << " attacks, " << user.asked() << " honest requests, p99 "
                 << user.p99_ms() << " ms; " << before << " KiB before, "
                 << resident_kib(node.pid()) << " KiB after");
    for (auto& failure : user.failures())
      UNSCOPED_INFO(failure);
    CHECK(user.failures().empty());
    if (for_long())
      CHECK(user.p99_ms() <= 100);
  }
}
