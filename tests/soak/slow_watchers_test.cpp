// Thousands watch one session, and half of them never read: that costs bounded
// memory, and the others get every event in its order.
#include "tests/api/demo.hpp"
#include "tests/soak/size.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/sockets.hpp"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace greenroom::test;
using timer = std::chrono::steady_clock;

namespace {

std::string request_for(const session_user& session, const node_process& node) {
  return "GET " + session.path("/events?from=earliest")
         + " HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " + node.admin_key()
         + "\r\n\r\n";
}

/// Reads a stream for nothing but its events' numbers: thousands of them share
/// one thread.
class counting_reader {
public:
  explicit counting_reader(greenroom::unique_fd socket)
    : socket_(std::move(socket)) {}

  int fd() const noexcept {
    return socket_.get();
  }
  /// False once there is no more to come.
  bool read() {
    std::array<char, 64 * 1024> bytes;
    auto got = ::recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0)
      return true;
    raw_.append(bytes.data(), static_cast<std::size_t>(got));
    take_chunks();
    return got > 0 && !whole_;
  }

  std::uint64_t last() const noexcept {
    return last_;
  }
  const std::string& problem() const noexcept {
    return problem_;
  }
  bool ended_with_session() const noexcept {
    return whole_ && type_ == "session.ended";
  }

private:
  void take_chunks() {
    if (!begun_) {
      auto end = raw_.find("\r\n\r\n");
      if (end == std::string::npos)
        return;
      begun_ = true;
      if (!raw_.starts_with("HTTP/1.1 200"))
        problem_ = raw_.substr(0, raw_.find('\r'));
      raw_.erase(0, end + 4);
    }
    std::size_t at = 0;
    while (!whole_) {
      auto line = raw_.find("\r\n", at);
      std::size_t size = 0;
      if (line == std::string::npos)
        break;
      std::from_chars(raw_.data() + at, raw_.data() + line, size, 16);
      if (raw_.size() < line + 2 + size + 2)
        break;
      whole_ = size == 0;
      text_.append(raw_, line + 2, size);
      at = line + 2 + size + 2;
    }
    raw_.erase(0, at);
    take_lines();
  }

  void take_lines() {
    std::size_t begin = 0;
    for (auto end = text_.find('\n'); end != std::string::npos;
         end = text_.find('\n', begin)) {
      take_line(std::string_view{text_}.substr(begin, end - begin));
      begin = end + 1;
    }
    text_.erase(0, begin);
  }

  void take_line(std::string_view line) {
    if (line.starts_with("event: "))
      type_ = line.substr(7);
    else if (line.starts_with("id: "))
      id_ = line.substr(4);
    else if (line.starts_with("data: "))
      has_data_ = true;
    else if (line.empty() && std::exchange(has_data_, false))
      take_event();
  }

  void take_event() {
    std::uint64_t seq = 0;
    auto* begin = id_.data() + id_.find('-') + 1;
    std::from_chars(begin, id_.data() + id_.size(), seq);
    if (seq != last_ + 1 && problem_.empty())
      problem_ = "event " + id_ + " follows " + std::to_string(last_);
    last_ = seq;
  }

  greenroom::unique_fd socket_;
  std::string raw_;  // as it came, chunked
  std::string text_; // of the stream, from the last line break on
  std::string id_;
  std::string type_;
  std::string problem_;
  std::uint64_t last_ = 0;
  bool has_data_ = false;
  bool begun_ = false;
  bool whole_ = false;
};

/// Reads all of them to their ends, on a thread of its own.
class crowd {
public:
  crowd(const session_user& session, const node_process& node, int count)
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (int i = 0; i < count; ++i) {
      auto socket = connect_to(node.port());
      send_all(socket, request_for(session, node));
      all_.emplace_back(std::move(socket));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = static_cast<std::uint64_t>(i);
      REQUIRE(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, all_.back().fd(), &event)
              == 0);
    }
    thread_ = std::thread{[this] { run(); }};
  }
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;
  ~crowd() {
    stopped_ = true;
    if (thread_.joinable())
      thread_.join();
  }

  /// Until all have ended; false where nobody gets anything for a minute.
  bool await_end() {
    thread_.join();
    return !stalled_;
  }
  const std::vector<counting_reader>& all() const noexcept {
    return all_;
  }
  /// After their end.
  void hang_up() {
    all_.clear();
  }

private:
  void run() {
    auto open = all_.size();
    std::array<epoll_event, 256> events{};
    while (open > 0 && !stopped_) {
      auto count = ::epoll_wait(epoll_.get(), events.data(),
                                static_cast<int>(events.size()), 60'000);
      if (count == 0) {
        stalled_ = true;
        return;
      }
      for (int i = 0; i < count; ++i) {
        auto& one = all_[events[static_cast<std::size_t>(i)].data.u64];
        if (one.read())
          continue;
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, one.fd(), nullptr);
        --open;
      }
    }
  }

  greenroom::unique_fd epoll_;
  std::vector<counting_reader> all_;
  std::atomic<bool> stopped_ = false;
  bool stalled_ = false; // with the thread
  std::thread thread_;
};

/// Watches another session, in which a command tells the time again and again,
/// and measures how late that comes.
class punctual {
public:
  explicit punctual(const node_process& node)
    : session_(node, json{{"new_branch", "clock"}}) {
    session_.run("true");
    auto stream = session_.watch("exec_id=clock&types=exec.output,exec.exited");
    session_.start("clock", "until [ -e stop ]; do date +%s%3N; sleep 0.05; "
                            "done");
    thread_ = std::thread{[this, s = std::move(stream)]() mutable {
      while (auto event = s.next()) {
        if (event->type == "exec.exited")
          return;
        const auto text = event->data["data"].get<std::string>();
        auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                     std::chrono::system_clock::now().time_since_epoch())
                     .count();
        delays_.push_back(now - std::stoll(text));
      }
    }};
  }
  punctual(const punctual&) = delete;
  punctual& operator=(const punctual&) = delete;
  ~punctual() {
    if (thread_.joinable())
      thread_.join();
  }

  /// How late all but one of a hundred came at most, in ms.
  std::int64_t stop() {
    session_.run("touch stop");
    thread_.join();
    REQUIRE(!delays_.empty());
    std::ranges::sort(delays_);
    return delays_[delays_.size() * 99 / 100];
  }

private:
  session_user session_;
  std::vector<std::int64_t> delays_; // with the thread
  std::thread thread_;
};

int as_many_as_there_are_descriptors(int wanted) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  auto most = static_cast<int>(std::min<rlim_t>(files.rlim_max, 1'000'000)) / 2;
  if (most < wanted)
    WARN("there are descriptors for " << most << " watchers only");
  return std::min(most, wanted);
}

double streams_of(const node_process& node) {
  const std::string mark = "\ngreenroom_http_streams ";
  const auto page = expect(200, node.admin().get("/metrics")).body;
  auto at = page.find(mark);
  return at == std::string::npos ? 0 : std::stod(page.substr(at + mark.size()));
}

} // namespace

TEST_CASE("watchers that never read cost bounded memory, and all others get "
          "every event in order") {
  const int count = as_many_as_there_are_descriptors(how_many(300, 10'000));
  const int megabytes = 1; // more than is kept for who does not read
  node_process node{{.set = {"limits.open_streams=20000"}}};
  session_user session{node, json{{"new_branch", "watched"}}};
  session.run("true");
  const auto files = open_files(node.pid());
  const auto before = resident_kib(node.pid());
  std::vector<greenroom::unique_fd> silent;
  for (int i = 0; i < count / 2; ++i) {
    silent.push_back(connect_to(node.port(), 4096));
    send_all(silent.back(), request_for(session, node));
  }
  crowd honest{session, node, count - count / 2};
  await("all to watch", [&] { return streams_of(node) >= count; });

  punctual clock{node};
  auto most = resident_kib(node.pid());
  session.start("flood", "yes 0123456789abcdef | head -c "
                           + std::to_string(megabytes << 20));
  await("the flood's end", [&] {
    most = std::max(most, resident_kib(node.pid()));
    return session.exec("flood")["status"] == "exited";
  });
  CHECK(session.exec("flood")["stdout_bytes"] == megabytes << 20);
  const auto late = clock.stop();
  expect(200, session.remove());
  CHECK(honest.await_end());
  most = std::max(most, resident_kib(node.pid()));

  const auto events = session.timeline("types=session.ended");
  REQUIRE(events.size() == 1);
  const auto id = events[0]["id"].get<std::string>();
  const auto last = std::stoull(id.substr(id.find('-') + 1));
  for (auto& one : honest.all()) {
    if (!one.problem().empty() || one.last() != last
        || !one.ended_with_session())
      FAIL_CHECK(one.problem()
                 << ", last event " << one.last() << " of " << last);
  }
  WARN(count << " watchers: " << before / 1024 << " MiB before, " << most / 1024
             << " MiB at most; the quick one " << late << " ms late");
#ifndef __SANITIZE_ADDRESS__
  // 500 of them that kept the flood would be 2 GiB.
  CHECK(most < before + static_cast<std::uint64_t>(count) * 48 + 64 * 1024);
#endif
  CHECK(late < how_many(5000, 1000));
  silent.clear();
  honest.hang_up();
  CHECK(eventually([&] { return open_files(node.pid()) <= files + 8; }));
#ifndef __SANITIZE_ADDRESS__
  INFO(before << " KiB before, " << most << " KiB at most, "
              << resident_kib(node.pid()) << " KiB after");
  CHECK(eventually([&] {
    return resident_kib(node.pid()) < before + (most - before) / 2 + 16 * 1024;
  }));
#endif
}
