#include "http/git/origin_peer.hpp"

#include "http/git/pkt_line.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace greenroom::http::git_http {

namespace {

// What of a file goes at a time.
constexpr std::uint64_t origin_piece = 65536;

} // namespace

void origin_peer::await(short what) const {
  auto left = std::min<clock::duration>(end - clock::now(), origin_silence);
  pollfd item{socket, what, 0};
  auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  if (ms <= 0 || ::poll(&item, 1, static_cast<int>(ms)) == 0)
    throw gone{};
}

void origin_peer::write(std::string_view text) const {
  while (!text.empty()) {
    await(POLLOUT);
    auto sent =
      ::send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (sent <= 0)
      throw gone{};
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string origin_peer::read(std::size_t size) const {
  std::string result(size, '\0');
  for (std::size_t done = 0; done < size;) {
    await(POLLIN);
    auto got = ::recv(socket, result.data() + done, size - done, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (got <= 0)
      throw gone{};
    done += static_cast<std::size_t>(got);
  }
  return result;
}

std::string origin_peer::read_packet() const {
  auto text = read(4);
  std::size_t size = 0;
  try {
    size = std::stoul(text, nullptr, 16);
    if (size > 4 && size <= max_packet)
      text += read(size - 4);
    static_cast<void>(first_packet(text));
  } catch (const std::exception&) {
    throw gone{};
  }
  return text;
}

void origin_peer::send_file(int file, std::uint64_t size) const {
  while (size > 0) {
    await(POLLOUT);
    auto sent = ::sendfile(socket, file, nullptr, std::min(size, origin_piece));
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      throw gone{};
    size -= static_cast<std::uint64_t>(sent);
  }
}

unique_fd
origin_peer::receive_file(std::uint64_t size,
                          const std::filesystem::path& directory) const {
  unique_fd file{
    ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
  if (!file)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a file for contents of Git LFS");
  while (size > 0) {
    auto bytes = read(std::min(size, origin_piece));
    if (::write(file.get(), bytes.data(), bytes.size())
        != static_cast<ssize_t>(bytes.size()))
      throw std::system_error(errno, std::generic_category(),
                              "cannot keep contents of Git LFS");
    size -= bytes.size();
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

} // namespace greenroom::http::git_http
