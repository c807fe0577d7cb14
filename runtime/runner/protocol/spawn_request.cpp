#include "runtime/runner/protocol/spawn_request.hpp"

#include "runtime/base/throw_errno.hpp"
#include "runtime/runner/protocol/fd_passing.hpp"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace greenroom::runner {

namespace {

struct job_header {
  std::uint32_t arguments;
  std::uint32_t variables;
  std::uint16_t rows;
  std::uint16_t cols;
  std::uint16_t has_input;
  std::uint16_t port; // above 0: no command
  std::uint16_t v4;
  std::uint16_t v6;
};

std::string texts_of(const command_spec& spec) {
  std::string result{spec.cwd};
  result += '\0';
  for (const auto& argument : spec.argv)
    result.append(argument).append(1, '\0');
  for (const auto& [key, value] : spec.env)
    result.append(key).append(1, '=').append(value).append(1, '\0');
  return result;
}

unique_fd to_memory_file(const std::string& text) {
  unique_fd result{::memfd_create("command", MFD_CLOEXEC)};
  if (!result)
    throw_errno("cannot make a memory file");
  for (std::size_t done = 0; done < text.size();) {
    auto size = ::write(result.get(), text.data() + done, text.size() - done);
    if (size < 0)
      throw_errno("cannot write a memory file");
    done += static_cast<std::size_t>(size);
  }
  return result;
}

bool read_whole(int fd, std::vector<char>& to) {
  struct stat info;
  if (::fstat(fd, &info) != 0)
    return false;
  to.resize(static_cast<std::size_t>(info.st_size));
  for (std::size_t done = 0; done < to.size();) {
    auto size =
      ::pread(fd, to.data() + done, to.size() - done, static_cast<off_t>(done));
    if (size <= 0)
      return false;
    done += static_cast<std::size_t>(size);
  }
  return !to.empty() && to.back() == '\0';
}

// The next `count` texts of those that end at `end`, the last with NUL; false
// where there are fewer.
bool take(char*& at, const char* end, std::uint32_t count,
          std::vector<char*>& to) {
  for (; count > 0 && at < end; --count) {
    to.push_back(at);
    at += std::strlen(at) + 1;
  }
  to.push_back(nullptr);
  return count == 0;
}

} // namespace

void send_request(int socket, const command_spec& spec,
                  const spawn_files& files) {
  auto texts = to_memory_file(texts_of(spec));
  job_header header{static_cast<std::uint32_t>(spec.argv.size()),
                    static_cast<std::uint32_t>(spec.env.size()),
                    spec.rows,
                    spec.cols,
                    files.in >= 0,
                    0,
                    0,
                    0};
  std::vector<int> fds{files.control, texts.get()};
  for (auto fd : {files.out, files.err, files.in})
    if (fd >= 0)
      fds.push_back(fd);
  if (send_with_fds(socket, {reinterpret_cast<char*>(&header), sizeof header},
                    fds, MSG_DONTWAIT)
      < 0)
    throw_errno("the command cannot be handed over");
}

void send_connect(int socket, const local_port& port, int control) {
  job_header header{0, 0, 0, 0, 0, port.number, port.v4, port.v6};
  if (send_with_fds(socket, {reinterpret_cast<char*>(&header), sizeof header},
                    {&control, 1}, MSG_DONTWAIT)
      < 0)
    throw_errno("the connection cannot be asked for");
}

std::optional<spawn_request> receive_request(int socket, int flags) {
  job_header header;
  auto got = receive_with_fds(
    socket, {reinterpret_cast<char*>(&header), sizeof header}, flags);
  if (got.size != sizeof header || got.cut)
    return std::nullopt;
  auto wanted = header.port > 0   ? 1u
                : header.rows > 0 ? 2u
                                  : 4u + (header.has_input != 0);
  if (got.fds.size() != wanted)
    return std::nullopt;
  std::optional<spawn_request> result{std::in_place};
  result->control = std::move(got.fds[0]);
  result->port = {header.port, header.v4 != 0, header.v6 != 0};
  if (header.port > 0)
    return result;
  if (header.rows == 0) {
    result->out = std::move(got.fds[2]);
    result->err = std::move(got.fds[3]);
    if (header.has_input != 0)
      result->in = std::move(got.fds[4]);
  }
  result->rows = header.rows;
  result->cols = header.cols;
  auto& texts = result->texts;
  if (!read_whole(got.fds[1].get(), texts))
    return std::nullopt;
  auto* at = texts.data();
  const auto* end = at + texts.size();
  result->cwd = at;
  at += std::strlen(at) + 1;
  if (!take(at, end, header.arguments, result->argv)
      || !take(at, end, header.variables, result->env))
    return std::nullopt;
  return result;
}

} // namespace greenroom::runner
