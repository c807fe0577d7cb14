#include "actors/runner_link.hpp"

#include "messages/ids.hpp"
#include "runtime/base/files.hpp"
#include "runtime/processes/leftovers.hpp"
#include "runtime/processes/outcome.hpp"
#include "runtime/processes/runner_client.hpp"

#include <caf/send.hpp>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace greenroom {

namespace {

using clock = std::chrono::steady_clock;

// How long a runner may take to start, or to answer a hello.
constexpr std::chrono::seconds answer_time{10};
// Between two tries to find out whether a runner is there.
constexpr std::chrono::seconds retry_pause{1};
// Messages taken from one runner before others get their turn.
constexpr int messages_per_turn = 64;

// Sessions send on it while the loop reads from it.
struct shared_connection {
  explicit shared_connection(runner_connection c) : connection(std::move(c)) {}
  std::mutex mutex;
  runner_connection connection;
};

using connection_ptr = std::shared_ptr<shared_connection>;

enum class phase { idle, retrying, starting, greeting, up };

struct link {
  session_actor session;
  phase at = phase::idle;
  bool stopping = false;
  bool start = false; // for a retry: start one where none listens
  std::string nonce;
  connection_ptr connection;
  std::optional<runner_start> starter;
  clock::time_point deadline; // valid while it is in `timed_`
};

} // namespace

class runner_link::loop {
public:
  explicit loop(runner_link_options options)
    : options_(std::move(options)), poll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!poll_ || !wake_)
      throw std::system_error(errno, std::generic_category(), "epoll");
    watch(wake_.get(), EPOLLIN, EPOLL_CTL_ADD);
    thread_ = std::thread{[this] { run(); }};
  }

  ~loop() {
    post([this] { stopped_ = true; });
    thread_.join();
  }

  // -- from any thread --------------------------------------------------------

  void post(std::function<void()> task) {
    {
      std::lock_guard guard{mutex_};
      tasks_.push_back(std::move(task));
    }
    std::uint64_t one = 1;
    [[maybe_unused]] auto written = ::write(wake_.get(), &one, sizeof one);
  }

  bool send(const std::string& session_id,
            const runner::node_message& message) {
    auto to = connection_of(session_id);
    if (!to)
      return false;
    std::lock_guard guard{to->mutex};
    auto sent = to->connection.send(message);
    if (sent && to->connection.wants_write())
      post([this, to] { watch_for_writing(to); });
    return sent;
  }

  // -- on the loop's thread ---------------------------------------------------

  void attach(const std::string& session_id, session_actor session,
              bool start) {
    drop(session_id);
    auto& entry = links_[session_id];
    entry.session = std::move(session);
    connect(session_id, entry, start);
  }

  void stop(const std::string& session_id, session_actor session) {
    auto& entry = links_[session_id];
    entry.session = std::move(session);
    entry.stopping = true;
    if (entry.at == phase::up)
      tell_stop(session_id, entry);
    else if (entry.at == phase::idle)
      connect(session_id, entry, false);
    // Else it is on its way up, and is stopped when it gets there.
  }

private:
  std::filesystem::path dir_of(const std::string& session_id) const {
    return options_.data_dir / "sessions" / session_id;
  }

  connection_ptr connection_of(const std::string& session_id) {
    std::lock_guard guard{mutex_};
    auto found = connections_.find(session_id);
    return found == connections_.end() ? nullptr : found->second;
  }

  void watch(int fd, std::uint32_t events, int how) {
    ::epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (::epoll_ctl(poll_.get(), how, fd, &event) != 0 && errno != ENOENT)
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }

  void watch_for_writing(const connection_ptr& to) {
    std::lock_guard guard{to->mutex};
    if (names_.contains(to->connection.fd()) && to->connection.wants_write())
      watch(to->connection.fd(), EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
  }

  // Dials; where nobody listens, starts a runner or says that there is none.
  void connect(const std::string& session_id, link& entry, bool start) {
    try {
      if (auto connection = runner_connection::dial(dir_of(session_id))) {
        greet(session_id, entry, std::move(*connection));
        return;
      }
      // There was one, and nobody saw its end.
      if (std::filesystem::exists(dir_of(session_id) / runner::config_file))
        clear_leftovers(session_id);
      if (!start) {
        down(session_id, "");
        return;
      }
      start_runner(session_id, entry);
    } catch (const std::exception& e) {
      // Whether there is a runner cannot be told right now (out of
      // descriptors, say), and to guess would cost what runs in it.
      spdlog::error("session {}: runner: {}", session_id, e.what());
      entry.at = phase::retrying;
      entry.start = start;
      expect_by(session_id, entry, retry_pause);
    }
  }

  void start_runner(const std::string& session_id, link& entry) {
    auto dir = dir_of(session_id);
    ensure_dir(dir / "home");
    runner::runner_config config;
    config.session_id = session_id;
    config.nonce = random_hex(16);
    config.kill_grace = options_.kill_grace;
    write_runner_config(dir, config);
    entry.starter.emplace(options_.binary, dir, session_id);
    entry.at = phase::starting;
    expect_by(session_id, entry, answer_time);
    names_[entry.starter->fd()] = session_id;
    watch(entry.starter->fd(), EPOLLIN, EPOLL_CTL_ADD);
  }

  void starter_done(const std::string& session_id, link& entry) {
    names_.erase(entry.starter->fd());
    watch(entry.starter->fd(), 0, EPOLL_CTL_DEL);
    auto problem = entry.starter->finish();
    entry.starter.reset();
    if (problem) {
      spdlog::error("session {}: runner not started: {}", session_id, *problem);
      down(session_id, *problem);
      return;
    }
    auto connection = runner_connection::dial(dir_of(session_id));
    if (connection)
      greet(session_id, entry, std::move(*connection));
    else
      down(session_id, "the runner ended at once");
  }

  void greet(const std::string& session_id, link& entry,
             runner_connection connection) {
    auto text = read_file(dir_of(session_id) / runner::config_file);
    if (!text) {
      down(session_id, "runner.json is missing");
      return;
    }
    entry.nonce = runner::parse_runner_config(*text).nonce;
    entry.connection =
      std::make_shared<shared_connection>(std::move(connection));
    entry.at = phase::greeting;
    expect_by(session_id, entry, answer_time);
    auto fd = entry.connection->connection.fd();
    names_[fd] = session_id;
    watch(fd, EPOLLIN, EPOLL_CTL_ADD);
    if (!entry.connection->connection.send(
          runner::hello{runner::protocol_version, entry.nonce}))
      down(session_id, "the runner hung up");
  }

  void tell_stop(const std::string& session_id, link& entry) {
    expect_by(session_id, entry,
              answer_time + std::chrono::milliseconds{2 * options_.kill_grace});
    send(session_id, runner::stop{});
  }

  // Lets go of the connection; the runner lives on.
  void drop(const std::string& session_id) {
    auto found = links_.find(session_id);
    if (found == links_.end())
      return;
    auto& entry = found->second;
    if (entry.starter) {
      names_.erase(entry.starter->fd());
      watch(entry.starter->fd(), 0, EPOLL_CTL_DEL);
    }
    if (entry.connection) {
      auto fd = entry.connection->connection.fd();
      names_.erase(fd);
      watch(fd, 0, EPOLL_CTL_DEL);
    }
    {
      std::lock_guard guard{mutex_};
      connections_.erase(session_id);
    }
    timed_.erase(session_id);
    links_.erase(found);
  }

  // A runner that does not answer in time is as good as dead.
  void expect_by(const std::string& session_id, link& entry,
                 clock::duration patience) {
    entry.deadline = clock::now() + patience;
    timed_.insert(session_id);
  }

  void clear_leftovers(const std::string& session_id) {
    try {
      if (auto killed = kill_leftovers(session_id); killed > 0)
        spdlog::warn("session {}: killed {} processes that its runner left",
                     session_id, killed);
    } catch (const std::exception& e) {
      spdlog::error("session {}: {}", session_id, e.what());
    }
  }

  // There is no runner any more. What it left behind is killed, for nobody
  // could ever say what became of it.
  void down(const std::string& session_id, const std::string& reason) {
    auto found = links_.find(session_id);
    if (found == links_.end())
      return;
    auto session = found->second.session;
    // One that ended as told has left nothing.
    auto clean =
      found->second.stopping && found->second.at == phase::up && reason.empty();
    drop(session_id);
    if (!clean)
      clear_leftovers(session_id);
    caf::anon_send(session, runner_down{reason});
  }

  // -- what a runner says -----------------------------------------------------

  void receive(const std::string& session_id) {
    for (int i = 0; i < messages_per_turn; ++i) {
      auto found = links_.find(session_id);
      if (found == links_.end() || !found->second.connection)
        return;
      auto from = found->second.connection;
      runner_connection::received news;
      {
        std::lock_guard guard{from->mutex};
        news = from->connection.receive();
      }
      if (std::holds_alternative<runner_connection::nothing>(news))
        return;
      if (std::holds_alternative<runner_connection::closed>(news)) {
        down(session_id,
             found->second.stopping ? "" : "the session's runner has died");
        return;
      }
      std::visit([&](auto& message) { on(session_id, found->second, message); },
                 std::get<runner::runner_message>(news));
    }
  }

  void on(const std::string& session_id, link& entry,
          runner::welcome& message) {
    if (entry.at != phase::greeting || message.nonce != entry.nonce) {
      down(session_id, "the session's runner is not the one it was");
      return;
    }
    entry.at = phase::up;
    timed_.erase(session_id);
    {
      std::lock_guard guard{mutex_};
      connections_[session_id] = entry.connection;
    }
    if (entry.stopping) {
      tell_stop(session_id, entry);
      return;
    }
    runner_up up;
    for (auto& exec : message.execs)
      up.execs.push_back({std::move(exec.exec), exec.records, exec.time});
    caf::anon_send(entry.session, std::move(up));
  }

  void on(const std::string&, link& entry, runner::started& message) {
    caf::anon_send(entry.session,
                   exec_started{std::move(message.exec), message.time});
  }

  void on(const std::string&, link& entry, runner::refused& message) {
    caf::anon_send(entry.session, exec_refused{std::move(message.exec),
                                               std::move(message.reason)});
  }

  void on(const std::string&, link& entry, runner::grown& message) {
    caf::anon_send(entry.session,
                   exec_grown{std::move(message.exec), message.records});
  }

  void on(const std::string&, link& entry, runner::exited& message) {
    caf::anon_send(entry.session,
                   exec_ended{std::move(message.exec), message.record.records,
                              outcome_of(message.record)});
  }

  void on(const std::string& session_id, link&, runner::error& message) {
    spdlog::error("session {}: its runner says: {}", session_id,
                  message.reason);
    down(session_id, message.reason);
  }

  // -- the loop ---------------------------------------------------------------

  void run() {
    std::array<::epoll_event, 64> events;
    while (!stopped_) {
      auto count =
        ::epoll_wait(poll_.get(), events.data(), events.size(), next_timeout());
      if (count < 0 && errno != EINTR) {
        spdlog::critical("epoll_wait: {}", std::strerror(errno));
        std::abort();
      }
      for (int i = 0; i < count; ++i)
        on_event(events[static_cast<std::size_t>(i)]);
      check_deadlines();
    }
    while (!links_.empty())
      drop(std::string{links_.begin()->first});
  }

  void on_event(const ::epoll_event& event) {
    if (event.data.fd == wake_.get()) {
      run_tasks();
      return;
    }
    auto found = names_.find(event.data.fd);
    if (found == names_.end())
      return;
    auto session_id = found->second;
    try {
      auto& entry = links_.at(session_id);
      if (entry.starter) {
        starter_done(session_id, entry);
        return;
      }
      if ((event.events & EPOLLOUT) != 0)
        flush(session_id, entry);
      receive(session_id);
    } catch (const std::exception& e) {
      spdlog::error("session {}: runner: {}", session_id, e.what());
      down(session_id, e.what());
    }
  }

  void flush(const std::string&, link& entry) {
    std::lock_guard guard{entry.connection->mutex};
    auto& connection = entry.connection->connection;
    if (connection.flush() && !connection.wants_write())
      watch(connection.fd(), EPOLLIN, EPOLL_CTL_MOD);
  }

  void run_tasks() {
    std::uint64_t count = 0;
    [[maybe_unused]] auto got = ::read(wake_.get(), &count, sizeof count);
    std::vector<std::function<void()>> tasks;
    {
      std::lock_guard guard{mutex_};
      tasks.swap(tasks_);
    }
    for (auto& task : tasks)
      task();
  }

  int next_timeout() const {
    auto next = clock::time_point::max();
    for (auto& session_id : timed_)
      next = std::min(next, links_.at(session_id).deadline);
    if (next == clock::time_point::max())
      return -1;
    auto left =
      std::chrono::ceil<std::chrono::milliseconds>(next - clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }

  void check_deadlines() {
    std::vector<std::string> late;
    auto now = clock::now();
    for (auto& session_id : timed_)
      if (links_.at(session_id).deadline <= now)
        late.push_back(session_id);
    for (auto& session_id : late) {
      auto& entry = links_.at(session_id);
      if (entry.at != phase::retrying) {
        down(session_id, "the session's runner does not answer");
        continue;
      }
      timed_.erase(session_id);
      entry.at = phase::idle;
      connect(session_id, entry, entry.start);
    }
  }

  runner_link_options options_;
  unique_fd poll_;
  unique_fd wake_;
  std::unordered_map<std::string, link> links_;
  std::unordered_map<int, std::string> names_; // descriptor → session id
  std::unordered_set<std::string> timed_;      // those with a deadline
  bool stopped_ = false;

  std::mutex mutex_; // guards what follows
  std::vector<std::function<void()>> tasks_;
  std::unordered_map<std::string, connection_ptr> connections_;

  std::thread thread_;
};

runner_link::runner_link(runner_link_options options)
  : loop_(std::make_unique<loop>(std::move(options))) {}

runner_link::~runner_link() = default;

void runner_link::attach(const std::string& session_id, session_actor session,
                         bool start) {
  loop_->post([this, session_id, session = std::move(session), start] {
    loop_->attach(session_id, session, start);
  });
}

bool runner_link::send(const std::string& session_id,
                       const runner::node_message& message) {
  return loop_->send(session_id, message);
}

void runner_link::stop(const std::string& session_id, session_actor session) {
  loop_->post([this, session_id, session = std::move(session)] {
    loop_->stop(session_id, session);
  });
}

} // namespace greenroom
