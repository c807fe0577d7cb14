// Thousands of strangers who do their worst beside one honest client: it is
// served nearly as on a quiet node, and they cost little.
#include "tests/api/demo.hpp"
#include "tests/soak/size.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/sockets.hpp"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

using namespace greenroom::test;
using namespace std::chrono_literals;

namespace {

using timer = std::chrono::steady_clock;

/// What strangers send first. None of it has a key.
std::string text_of(std::size_t kind) {
  const std::string host = "Host: localhost\r\n";
  std::string many;
  switch (kind) {
    case 0: // nothing
      return {};
    case 1: // a head as large as costs nobody his place, without its end
      return "GET /healthz HTTP/1.1\r\n" + host
             + "X: " + std::string(4'000, 'x');
    case 2: // a head that goes on for ever, byte by byte
      return "GET /healthz HTTP/1.1\r\n" + host + "X: ";
    case 3: // a body byte by byte
      many = "POST " + sessions + " HTTP/1.1\r\n" + host
             + "Transfer-Encoding: chunked\r\n\r\n";
      for (int i = 0; i < 1'000; ++i)
        many += "1\r\nx\r\n";
      return many;
    case 4: // answers that are never read
      for (int i = 0; i < 50; ++i)
        many += "GET /openapi.json HTTP/1.1\r\n" + host + "\r\n";
      return many;
    case 5: // another protocol
      return std::string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11}
             + std::string(500, '\0');
    case 6: // half a request for git
      return "GET /git/demo/";
    default: // a request that is served, and then silence
      return "GET /healthz HTTP/1.1\r\n" + host + "\r\n";
  }
}

class stranger {
public:
  stranger(std::uint16_t port, std::size_t kind) : port_(port), kind_(kind) {
    begin();
  }

  /// Comes again where the node has ended it.
  void go_on() {
    pollfd what{socket_.get(), POLLRDHUP, 0};
    if (::poll(&what, 1, 0) > 0)
      begin();
    else if (kind_ == 2)
      send("x");
  }

private:
  void begin() {
    socket_ = {};
    socket_ = connect_to(port_);
    send(text_of(kind_));
  }
  void send(const std::string& text) {
    [[maybe_unused]] auto sent = ::send(socket_.get(), text.data(), text.size(),
                                        MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  std::uint16_t port_;
  std::size_t kind_;
  greenroom::unique_fd socket_;
};

/// The 99th of a hundred, in milliseconds.
double p99(std::vector<double> times) {
  std::ranges::sort(times);
  return times.empty() ? 0 : times[times.size() * 99 / 100];
}

/// Asks again and again, each time on a connection of its own.
class honest_client {
public:
  explicit honest_client(const session_user& session, const node_process& node)
    : path_(session.path()), node_(node) {}

  /// How long each request took; until `enough` says so.
  template <class Enough>
  std::vector<double> ask(Enough enough) {
    std::vector<double> times;
    while (!enough(times.size())) {
      auto began = timer::now();
      int status = 0;
      try {
        auto client = node_.admin();
        status = client.get(path_).status;
      } catch (const std::exception&) {
        // It is counted as one without an answer.
      }
      unanswered_ += status != 200;
      times.push_back(
        std::chrono::duration<double, std::milli>(timer::now() - began)
          .count());
    }
    return times;
  }
  std::size_t unanswered() const {
    return unanswered_;
  }

private:
  std::string path_;
  const node_process& node_;
  std::size_t unanswered_ = 0;
};

/// As many descriptors as one may have, for both sides.
std::size_t raise_limit() {
  constexpr rlim_t wanted = 65'536;
  rlimit most{wanted, wanted};
  if (::setrlimit(RLIMIT_NOFILE, &most) == 0)
    return wanted;
  ::getrlimit(RLIMIT_NOFILE, &most);
  most.rlim_cur = most.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &most);
  return most.rlim_cur;
}

} // namespace

// Asked for by itself, as `./dev soak` does: beside other tests its times would
// say nothing.
TEST_CASE("strangers who do their worst slow nobody down, and cost little",
          "[.strangers]") {
  const auto count =
    std::min<std::size_t>(how_many(2'000, 15'000), raise_limit() / 4 * 3);
  const auto lasts = how_many(15s, 180s);
  node_process node;
  session_user session{node, json{{"new_branch", "honest"}}};
  session.run("true");
  honest_client client{session, node};
  const auto quiet =
    p99(client.ask([](std::size_t asked) { return asked == 1'000; }));
  const auto before = resident_kib(node.pid());

  std::vector<stranger> strangers;
  strangers.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    strangers.emplace_back(node.port(), i % 8);
  std::atomic<bool> over = false;
  std::vector<double> times;
  std::thread beside{
    [&] { times = client.ask([&](std::size_t) { return over.load(); }); }};
  std::uint64_t most = 0;
  const auto until = timer::now() + lasts;
  while (timer::now() < until) {
    for (auto& one : strangers)
      one.go_on();
    most = std::max(most, resident_kib(node.pid()));
  }
  over = true;
  beside.join();
  const auto crowded = p99(times);
  strangers.clear();

  WARN(count << " strangers: p99 " << crowded << " ms, " << quiet
             << " ms without; " << (most - before) / count
             << " KiB for each of them");
  CHECK(client.unanswered() == 0);
  CHECK(times.size() > 100);
#ifndef __SANITIZE_ADDRESS__
  CHECK(crowded < std::max(10 * quiet, 50.0));
  // 200 MB for 15,000 of them.
  CHECK(most < before + count * 200'000 / 15'000 + 20 * 1024);
  CHECK(
    eventually([&] { return resident_kib(node.pid()) < before + 40 * 1024; }));
#endif
}
