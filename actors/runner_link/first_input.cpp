// What commands are fed at first, where their runner is of a release that does
// not know of that: such a runner leaves it where it lies.
#include "actors/runner_link/loop.hpp"

#include "runtime/base/files.hpp"
#include "runtime/runner/protocol/first_input.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t nobody = 0; // waits for it to be written

std::string read_all(int fd) {
  std::string result;
  std::array<char, 64 * 1024> buffer;
  for (;;) {
    auto size = ::read(fd, buffer.data(), buffer.size());
    if (size == 0)
      return result;
    if (size < 0 && errno != EINTR)
      throw std::system_error(errno, std::generic_category(), "read");
    if (size > 0)
      result.append(buffer.data(), static_cast<std::size_t>(size));
  }
}

struct first_input {
  std::string text;
  bool ends = false;
};

// Nothing where there is none, or the runner has taken it.
std::optional<first_input> take(const fs::path& exec_dir) {
  unique_fd dir{
    ::open(exec_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)};
  auto file = dir ? runner::take_first_input(dir.get()) : unique_fd{};
  if (!file)
    return std::nullopt;
  auto spec = read_file(dir.get(), runner::spec_file);
  return first_input{read_all(file.get()),
                     runner::parse_command_spec(spec.value_or("")).input_ends};
}

} // namespace

// Before its user hears that the command runs, and has more for it: so nothing
// has asked for the command's input yet.
void runner_link::loop::feed_first(const std::string& id, link& entry,
                                   const std::string& exec_id) {
  std::optional<first_input> what;
  try {
    what = take(exec_directory(dir_of(id), exec_id));
  } catch (const std::exception& e) {
    spdlog::error("session {}: exec {} is not fed: {}", id, exec_id, e.what());
  }
  if (!what)
    return;
  entry.inputs[exec_id].write(nobody, shared_text{std::move(what->text)},
                              what->ends);
  send(id, runner::open_input{exec_id});
}

} // namespace greenroom
