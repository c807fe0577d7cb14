#include "bench/support/download.hpp"

#include "bench/support/http.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <vector>

namespace greenroom::bench {

namespace {

constexpr std::size_t buffer_size = 256 * 1024;

class reader {
public:
  explicit reader(std::uint16_t port)
    : socket_(connect_to(port)), buffer_(buffer_size) {}

  const unique_fd& socket() const noexcept {
    return socket_;
  }

  /// Up to the line break, which is dropped.
  std::string line() {
    std::string result;
    for (;;) {
      auto end = left_.find("\r\n");
      if (end != left_.npos) {
        result += left_.substr(0, end);
        left_.remove_prefix(end + 2);
        return result;
      }
      // A line break that is cut in two is put together again.
      auto cut = left_.ends_with('\r') ? 1U : 0U;
      result += left_.substr(0, left_.size() - cut);
      read(cut);
    }
  }

  void skip(std::uint64_t bytes) {
    while (bytes > 0) {
      if (left_.empty())
        read(0);
      auto some = std::min<std::uint64_t>(bytes, left_.size());
      left_.remove_prefix(some);
      bytes -= some;
    }
  }

private:
  void read(std::size_t keep) {
    if (keep > 0)
      buffer_.front() = left_.back();
    auto got =
      ::recv(socket_.get(), buffer_.data() + keep, buffer_.size() - keep, 0);
    if (got < 0)
      throw std::system_error(errno, std::generic_category(), "recv");
    if (got == 0)
      throw std::runtime_error("an answer ended too early");
    left_ = {buffer_.data(), static_cast<std::size_t>(got) + keep};
  }

  unique_fd socket_;
  std::vector<char> buffer_;
  std::string_view left_;
};

std::uint64_t number(std::string_view text, int base) {
  std::uint64_t result = 0;
  auto [end, error] =
    std::from_chars(text.data(), text.data() + text.size(), result, base);
  if (error != std::errc{})
    throw std::runtime_error("no length: " + std::string{text});
  return result;
}

} // namespace

std::uint64_t download(std::uint16_t port, const std::string& request) {
  reader from{port};
  send_all(from.socket(), request);
  if (auto status = from.line(); !status.starts_with("HTTP/1.1 200"))
    throw std::runtime_error("no download: " + status);
  constexpr std::string_view name = "Content-Length: ";
  std::uint64_t length = 0;
  bool told = false;
  for (auto head = from.line(); !head.empty(); head = from.line())
    if (head.starts_with(name)) {
      told = true;
      length = number(std::string_view{head}.substr(name.size()), 10);
    }
  if (told) {
    from.skip(length);
    return length;
  }
  for (;;) {
    auto chunk = number(from.line(), 16);
    from.skip(chunk + 2); // and its line break
    if (chunk == 0)
      return length;
    length += chunk;
  }
}

} // namespace greenroom::bench
