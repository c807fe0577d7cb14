#include "runtime/runner/supervised_exec.hpp"

#include "runtime/base/files.hpp"
#include "runtime/runner/refusal.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <span>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

namespace greenroom::runner {

namespace {

// How long to wait before an exit record that could not be written is tried
// again.
constexpr std::chrono::seconds save_again{1};

// One for all pipes: what is read is written before the next read.
std::span<char> read_buffer() {
  static std::array<char, 64 * 1024> buffer;
  return buffer;
}

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Only our end is non-blocking; the command's is as commands expect it.
std::pair<unique_fd, unique_fd> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    fail("cannot make a pipe");
  std::pair<unique_fd, unique_fd> result{ends[0], ends[1]};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return result;
}

std::pair<unique_fd, unique_fd> make_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   ends)
      != 0)
    fail("cannot make a socket pair");
  return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

void keep_earliest(std::optional<steady::time_point>& result,
                   const std::optional<steady::time_point>& other) {
  if (other && (!result || *other < *result))
    result = other;
}

} // namespace

supervised_exec::supervised_exec(event_loop& loop, exec_observer& observer,
                                 std::string id, unique_fd dir,
                                 command_spec spec, millis kill_grace)
  : loop_(loop), observer_(observer), id_(std::move(id)), dir_(std::move(dir)),
    spec_(std::move(spec)), kill_grace_(kill_grace) {}

supervised_exec::~supervised_exec() {
  drop(out_);
  drop(err_);
  if (keeper_)
    loop_.unwatch(keeper_.get());
}

pid_t supervised_exec::start(int session_dir, const std::string& checkout) {
  std::vector<std::string> variables;
  variables.reserve(spec_.env.size());
  for (const auto& [key, value] : spec_.env)
    variables.push_back(key + '=' + value);
  std::vector<char*> env;
  for (auto& variable : variables)
    env.push_back(variable.data());
  env.push_back(nullptr);
  std::vector<char*> argv;
  for (auto& arg : spec_.argv)
    argv.push_back(arg.data());
  argv.push_back(nullptr);

  unique_fd out;
  unique_fd err;
  unique_fd orders;
  std::tie(out_.end, out) = make_pipe();
  std::tie(err_.end, err) = make_pipe();
  std::tie(keeper_, orders) = make_socket_pair();
  loop_.watch(out_.end.get(), [this] { read_some(out_); });
  loop_.watch(err_.end.get(), [this] { read_some(err_); });
  loop_.watch(keeper_.get(), [this] { hear_keeper(); });
  log_.emplace(dir_.get(), spec_.max_output);
  auto pid = ::fork();
  if (pid == 0)
    run_keeper({orders.get(), out.get(), err.get(), session_dir,
                checkout.c_str(), spec_.cwd.c_str(), argv.data(), env.data()});
  if (pid < 0)
    fail("cannot start a process");
  return pid;
}

// -- what the keeper says -----------------------------------------------------

void supervised_exec::hear_keeper() {
  for (;;) {
    keeper_report report;
    auto size = ::recv(keeper_.get(), &report, sizeof report, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (size == sizeof report) {
      obey(report);
      continue;
    }
    // The keeper is gone. That it goes before its command has ended is not
    // to be: then somebody has killed it.
    if (phase_ == phase::starting)
      refuse("the command could not be started: its keeper has died");
    else if (phase_ == phase::running)
      end(exit_status::lost, 0);
    loop_.unwatch(keeper_.get());
    keeper_.reset();
    kill_at_.reset();
    return;
  }
}

void supervised_exec::obey(const keeper_report& report) {
  switch (report.what) {
    case keeper_report::kind::started:
      phase_ = phase::running;
      started_at_ = now_ms();
      if (spec_.timeout > 0)
        timeout_at_ = steady::now() + std::chrono::milliseconds{spec_.timeout};
      observer_.on_started(*this);
      break;
    case keeper_report::kind::failed:
      refuse(why_not_started(report.step, report.value, spec_));
      break;
    case keeper_report::kind::ended:
      end(forced_.value_or(WIFEXITED(report.value) ? exit_status::exited
                                                   : exit_status::signaled),
          report.value);
      break;
  }
}

void supervised_exec::refuse(std::string reason) {
  phase_ = phase::refused;
  kill_at_.reset();
  log_.reset();
  drop(out_);
  drop(err_);
  observer_.on_refused(*this, std::move(reason));
}

void supervised_exec::end(exit_status status, int wait_status) {
  read_rest(out_);
  read_rest(err_);
  auto now = now_ms();
  log_->finish(now);
  outcome_.status = status;
  outcome_.exit_code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;
  outcome_.signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
  outcome_.ended_at = now;
  outcome_.stdout_bytes = log_->printed(output_stream::out);
  outcome_.stderr_bytes = log_->printed(output_stream::err);
  outcome_.truncated = log_->truncated();
  outcome_.records = log_->records();
  log_.reset();
  phase_ = phase::ended;
  timeout_at_.reset();
  save();
  observer_.on_exited(*this);
}

void supervised_exec::save() {
  try {
    write_file_atomic(dir_.get(), exit_file, to_json(outcome_), 0600, false);
    unsaved_ = false;
  } catch (const std::system_error& error) {
    // Where the directory is removed, nobody will ever ask.
    unsaved_ = error.code() != std::errc::no_such_file_or_directory;
    if (unsaved_ && !save_at_)
      std::fprintf(stderr, "exec %s: %s\n", id_.c_str(), error.what());
  }
  save_at_.reset();
  if (unsaved_)
    save_at_ = steady::now() + save_again;
  else
    dir_.reset();
}

// -- what the command prints --------------------------------------------------

void supervised_exec::drop(pipe& from) {
  if (!from.end)
    return;
  loop_.unwatch(from.end.get());
  from.end.reset();
}

void supervised_exec::read_some(pipe& from) {
  auto buffer = read_buffer();
  auto size = ::read(from.end.get(), buffer.data(), buffer.size());
  if (size > 0) {
    if (log_)
      log_->append(from.stream, buffer.first(static_cast<std::size_t>(size)),
                   now_ms());
  } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
    drop(from);
  }
}

// Logs what is in the pipe now. Whoever else still prints may go on for ever,
// so the amount is fixed before the first read.
void supervised_exec::read_rest(pipe& from) {
  int left = 0;
  if (!from.end || ::ioctl(from.end.get(), FIONREAD, &left) != 0)
    return;
  auto buffer = read_buffer();
  while (left > 0) {
    auto size = ::read(from.end.get(), buffer.data(),
                       std::min(buffer.size(), static_cast<std::size_t>(left)));
    if (size <= 0)
      return;
    log_->append(from.stream, buffer.first(static_cast<std::size_t>(size)),
                 now_ms());
    left -= static_cast<int>(size);
  }
}

std::optional<std::uint64_t> supervised_exec::growth() const noexcept {
  if (phase_ != phase::running || records() == told_)
    return std::nullopt;
  return records();
}

void supervised_exec::growth_told() noexcept {
  told_ = records();
}

// -- what ends it -------------------------------------------------------------

void supervised_exec::order(const keeper_order& what) {
  // A keeper that cannot be told is dead, and its end of file on the way.
  if (keeper_)
    ::send(keeper_.get(), &what, sizeof what, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void supervised_exec::signal(int number) {
  if (active())
    order({keeper_order::kind::signal_group, number});
}

void supervised_exec::cancel() {
  if (active())
    finish_by_force(exit_status::canceled);
}

void supervised_exec::finish_by_force(exit_status status) {
  if (forced_)
    return;
  forced_ = status;
  timeout_at_.reset();
  order({keeper_order::kind::signal_group, SIGTERM});
  kill_at_ = steady::now() + kill_grace_;
}

void supervised_exec::stop() {
  if (active() && !forced_)
    forced_ = exit_status::canceled;
  timeout_at_.reset();
  order({keeper_order::kind::signal_all, SIGTERM});
  if (keeper_ && !kill_at_)
    kill_at_ = steady::now() + kill_grace_;
}

std::optional<steady::time_point> supervised_exec::deadline() const {
  auto result = timeout_at_;
  keep_earliest(result, kill_at_);
  keep_earliest(result, save_at_);
  return result;
}

void supervised_exec::on_deadline(steady::time_point now) {
  if (timeout_at_ && *timeout_at_ <= now)
    finish_by_force(exit_status::timed_out);
  if (kill_at_ && *kill_at_ <= now) {
    kill_at_.reset();
    order({keeper_order::kind::kill_all});
  }
  if (save_at_ && *save_at_ <= now)
    save();
}

} // namespace greenroom::runner
