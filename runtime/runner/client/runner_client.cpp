#include "runtime/runner/client/runner_client.hpp"

#include "runtime/base/files.hpp"
#include "runtime/runner/protocol/fd_passing.hpp"
#include "runtime/runner/protocol/session_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

enum class outcome { sent, full, broken };

outcome try_send(int fd, const std::string& text) {
  for (;;) {
    if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
      return outcome::sent;
    if (errno == EAGAIN)
      return outcome::full;
    if (errno != EINTR)
      return outcome::broken;
  }
}

} // namespace

runner_connection::runner_connection(unique_fd fd) noexcept
  : fd_(std::move(fd)) {}

std::optional<runner_connection>
runner_connection::dial(const fs::path& session_dir) {
  auto fail = [&session_dir] {
    throw std::system_error(errno, std::generic_category(),
                            "cannot dial the runner in \""
                              + session_dir.string() + '"');
  };
  unique_fd dir{::open(session_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!dir && errno == ENOENT)
    return std::nullopt;
  if (!dir)
    fail();
  auto fd = runner::connect_to_runner(dir.get());
  if (!fd && (errno == ENOENT || errno == ECONNREFUSED))
    return std::nullopt;
  if (!fd)
    fail();
  return runner_connection{std::move(fd)};
}

bool runner_connection::send(const runner::node_message& message) {
  auto text = runner::encode(message);
  auto result = queue_.empty() ? try_send(fd_.get(), text) : outcome::full;
  if (result != outcome::full)
    return result == outcome::sent;
  if (queue_.size() == max_queued) {
    // Nothing may be left out, so this is an end: the other side hears it too.
    ::shutdown(fd_.get(), SHUT_RDWR);
    return false;
  }
  queue_.push_back(std::move(text));
  return true;
}

bool runner_connection::flush() {
  while (!queue_.empty()) {
    auto result = try_send(fd_.get(), queue_.front());
    if (result != outcome::sent)
      return result == outcome::full;
    queue_.pop_front();
  }
  return true;
}

runner_connection::received runner_connection::receive() {
  std::array<char, runner::max_message> buffer;
  for (;;) {
    passed_.reset();
    auto got = runner::receive_with_fds(fd_.get(), buffer, MSG_DONTWAIT);
    if (got.size < 0 && errno == EINTR)
      continue;
    if (got.size < 0 && errno == EAGAIN)
      return nothing{};
    if (got.size <= 0)
      return closed{};
    auto [message, problem, unknown] = runner::decode_runner_message(
      {buffer.data(), static_cast<std::size_t>(got.size)});
    if (!unknown.empty()) {
      ++unknown_;
      continue;
    }
    if (!message)
      return closed{};
    if (got.fds.size() == 1)
      passed_ = std::move(got.fds[0]);
    return without_fd(std::move(*message));
  }
}

// The kernel drops a descriptor that this process has no room for.
runner::runner_message
runner_connection::without_fd(runner::runner_message message) const {
  constexpr auto reason = "the server has no descriptor left";
  if (passed_)
    return message;
  if (auto* x = std::get_if<runner::input>(&message))
    return runner::no_input{x->exec, reason};
  if (auto* x = std::get_if<runner::connected>(&message))
    return runner::not_connected{x->ask, reason};
  return message;
}

void write_runner_config(const fs::path& session_dir,
                         const runner::runner_config& config) {
  write_file_atomic(session_dir / runner::config_file, to_json(config), 0600,
                    false);
}

fs::path exec_directory(const fs::path& session_dir, std::string_view exec) {
  return session_dir / runner::exec_dir(exec);
}

void write_exec_spec(const fs::path& session_dir, std::string_view exec,
                     const runner::command_spec& spec) {
  auto dir = exec_directory(session_dir, exec);
  ensure_dir(dir);
  write_file_atomic(dir / runner::spec_file, to_json(spec), 0600, false);
}

std::optional<exit_record> read_exit_record(const fs::path& exec_dir) {
  auto text = read_file(exec_dir / runner::exit_file);
  return text ? parse_exit_record(*text) : std::nullopt;
}

} // namespace greenroom
