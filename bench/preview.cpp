// What does a preview cost, compared with nginx in front of the same app?
//
// The app runs in a session and costs next to nothing. nginx has one worker,
// as previews have one thread, and logs each request, as the server does.
#include "bench/support/clock.hpp"
#include "bench/support/load.hpp"
#include "bench/support/nginx.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"

#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <stdexcept>

using namespace greenroom::bench;

namespace {

constexpr int rounds = 7;
constexpr std::size_t connections = 32;
constexpr std::size_t web_sockets = 1000;
constexpr std::uint64_t megabytes = 1024;
constexpr std::chrono::milliseconds one_round{1000};

/// Memory that a process has, in KiB.
double memory_of(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("VmRSS:"))
      return std::stod(line.substr(6));
  throw std::runtime_error("/proc does not tell how large a process is");
}

/// One of the ways to the app.
struct way {
  std::string name;
  std::uint16_t port = 0;
  std::string headers; // Host, and what else it needs
  pid_t pid = 0;       // who is in between

  std::string request(const std::string& what,
                      const std::string& more = {}) const {
    return what + " HTTP/1.1\r\n" + headers + more + "\r\n";
  }
};

/// A way's whole bench: the app in a session, and nginx beside the node.
struct course {
  // Previews have what the API leaves of the descriptors.
  node server{{.log_level = "info",
               .previews = true,
               .more = {"http.max_connections=1000"}}};
  made_session session = server.make_session();
  std::uint16_t app_port = free_port();
  nginx proxy{server.dir(), app_port};
  way direct{"direct", app_port, "Host: localhost\r\n", 0};
  way by_nginx{"nginx", proxy.port(), "Host: localhost\r\n", proxy.worker()};
  way by_preview{"preview", server.preview_port(),
                 "Host: " + std::to_string(app_port) + '-' + session.id
                   + ".preview.localhost\r\nX-API-Key: " + server.key()
                   + "\r\n",
                 server.pid()};
  int apps = 0;

  course() {
    start_app();
    await_app(direct);
  }

  std::string app_id() const {
    return "app-" + std::to_string(apps);
  }
  void start_app() {
    ++apps;
    server.ask("POST", session.path + "/exec",
               {{"exec_id", app_id()},
                {"argv", {program("bench_app"), std::to_string(app_port)}}});
  }
  void stop_app() {
    server.ask("DELETE", session.path + "/execs/" + app_id(), {});
  }

  /// Milliseconds until it answers.
  static double await_app(const way& to) {
    return milliseconds_of([&] {
      for (;;)
        try {
          connection one{to.port};
          if (one.ask(to.request("GET /")).status == 200)
            return;
        } catch (const std::exception&) {
          ::poll(nullptr, 0, 1);
        }
    });
  }
};

// -- requests -----------------------------------------------------------------

void measure_requests(course& on, report& to) {
  comparison row{"a page of 1 KiB, 32 connections", "/s", ">= 0.9", {}, {}};
  http_load nginx{on.by_nginx.port, connections, on.by_nginx.request("GET /")};
  http_load ours{on.by_preview.port, connections,
                 on.by_preview.request("GET /")};
  nginx.run(one_round / 2);
  ours.run(one_round / 2);
  for (int i = 0; i < rounds; ++i) {
    row.baseline.push_back(nginx.run(one_round));
    row.subject.push_back(ours.run(one_round));
  }
  to.rows.push_back(std::move(row));
}

/// The median time of a request, one after the other, in milliseconds.
double latency(const way& by) {
  constexpr int requests = 500;
  connection one{by.port};
  auto request = by.request("GET /");
  std::vector<double> times;
  for (int i = 0; i < requests; ++i)
    times.push_back(milliseconds_of([&] { one.ask(request); }));
  return median(times);
}

void measure_latency(course& on, report& to) {
  comparison row{"added to a request, p50", "ms", "0.15 ms", {}, {}};
  for (int i = 0; i < rounds; ++i) {
    auto bare = latency(on.direct);
    row.baseline.push_back(latency(on.by_nginx) - bare);
    row.subject.push_back(latency(on.by_preview) - bare);
  }
  to.rows.push_back(std::move(row));
}

// -- bodies -------------------------------------------------------------------

struct transfer {
  double rate = 0;   // MiB/s
  double growth = 0; // of who is in between, at most, in KiB
};

/// Calls `step` until it has moved all bytes.
template <class Step>
transfer measure_transfer(const way& by, Step step) {
  transfer result;
  auto before = memory_of(by.pid);
  auto next_look = std::uint64_t{0};
  auto seconds = seconds_of([&] {
    for (std::uint64_t moved = 0; moved < megabytes << 20;) {
      moved += step();
      if (moved < next_look)
        continue;
      next_look = moved + (std::uint64_t{32} << 20);
      result.growth = std::max(result.growth, memory_of(by.pid) - before);
    }
  });
  result.rate = static_cast<double>(megabytes) / seconds;
  return result;
}

transfer download(const way& by) {
  auto socket = connect_to(by.port);
  send_all(socket, by.request("GET /" + std::to_string(megabytes)));
  std::string buffer(256 * 1024, '\0');
  return measure_transfer(by, [&] {
    auto got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0)
      throw std::runtime_error("a download was cut off");
    return static_cast<std::uint64_t>(got);
  });
}

transfer upload(const way& by) {
  auto socket = connect_to(by.port);
  send_all(socket, by.request("POST /up", "Content-Length: "
                                            + std::to_string(megabytes << 20)
                                            + "\r\n"));
  std::string piece(256 * 1024, 'u');
  auto result = measure_transfer(by, [&] {
    send_all(socket, piece);
    return static_cast<std::uint64_t>(piece.size());
  });
  std::string answer(4096, '\0');
  auto got = ::recv(socket.get(), answer.data(), answer.size(), 0);
  if (got < 12 || answer.substr(9, 3) != "200")
    throw std::runtime_error("an upload was not taken: " + answer);
  return result;
}

void measure_bodies(course& on, report& to) {
  using mover = transfer (*)(const way&);
  for (auto [name, move] :
       {std::pair<const char*, mover>{"1 GiB down", download},
        std::pair<const char*, mover>{"1 GiB up", upload}}) {
    comparison rate{name, "MiB/s", ">= 0.9", {}, {}};
    comparison memory{
      std::string{name} + ", memory on top", "KiB", "flat", {}, {}};
    for (int i = 0; i < 3; ++i) {
      auto base = move(on.by_nginx);
      auto ours = move(on.by_preview);
      rate.baseline.push_back(base.rate);
      rate.subject.push_back(ours.rate);
      memory.baseline.push_back(base.growth + 1);
      memory.subject.push_back(ours.growth + 1);
    }
    to.rows.push_back(std::move(rate));
    to.rows.push_back(std::move(memory));
  }
}

// -- idle WebSockets ----------------------------------------------------------

double memory_of_one(const way& by) {
  auto request =
    by.request("GET /", "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                        "Sec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
  std::vector<greenroom::unique_fd> open;
  auto before = memory_of(by.pid);
  for (std::size_t i = 0; i < web_sockets; ++i) {
    open.push_back(connect_to(by.port));
    send_all(open.back(), request);
    std::array<char, 1024> answer;
    auto got = ::recv(open.back().get(), answer.data(), answer.size(), 0);
    if (got < 12 || std::string_view{answer.data() + 9, 3} != "101")
      throw std::runtime_error(
        "WebSocket " + std::to_string(i + 1) + " was refused: "
        + std::string{answer.data(), got > 0 ? std::size_t(got) : 0});
  }
  return (memory_of(by.pid) - before) / static_cast<double>(web_sockets);
}

void measure_web_sockets(course& on, report& to) {
  comparison row{"an idle WebSocket of 1,000", "KiB", "20 KiB", {}, {}};
  row.baseline.push_back(memory_of_one(on.by_nginx));
  row.subject.push_back(memory_of_one(on.by_preview));
  to.rows.push_back(std::move(row));
}

// -- an app that comes back ---------------------------------------------------

/// From when the app listens again until a request is answered.
double back_after(course& on, const way& by) {
  on.stop_app();
  on.start_app();
  course::await_app(on.direct);
  return course::await_app(by);
}

/// The same for a page that waits: it is told.
double told_after(course& on) {
  on.stop_app();
  connection waiting{on.by_preview.port};
  while (waiting.ask(on.by_preview.request("GET /")).status != 503)
    ::poll(nullptr, 0, 1);
  auto socket = connect_to(on.by_preview.port);
  send_all(socket, on.by_preview.request("GET /", "Greenroom-Waiting: 1\r\n"));
  on.start_app();
  course::await_app(on.direct);
  return milliseconds_of([&] {
    std::array<char, 1024> answer;
    auto got = ::recv(socket.get(), answer.data(), answer.size(), 0);
    if (got < 12 || std::string_view{answer.data() + 9, 3} != "204")
      throw std::runtime_error("a page that waits was not told of the app");
  });
}

void measure_return(course& on, report& to) {
  comparison row{"an app that comes back, a request", "ms", "100 ms", {}, {}};
  comparison page{"an app that comes back, its page", "ms", "100 ms", {}, {}};
  for (int i = 0; i < rounds; ++i) {
    row.baseline.push_back(back_after(on, on.by_nginx));
    row.subject.push_back(back_after(on, on.by_preview));
    page.baseline.push_back(row.baseline.back());
    page.subject.push_back(told_after(on));
  }
  to.rows.push_back(std::move(row));
  to.rows.push_back(std::move(page));
}

report measure() {
  report result{"preview",
                "what does a preview cost, compared with nginx?",
                "nginx, proxy_pass to the same app, one worker",
                "the preview's own host, with a key",
                {},
                {"The app runs in a session without a sandbox; client, app and "
                 "both proxies share the machine."}};
  course on;
  measure_requests(on, result);
  measure_latency(on, result);
  measure_web_sockets(on, result);
  measure_bodies(on, result);
  measure_return(on, result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
