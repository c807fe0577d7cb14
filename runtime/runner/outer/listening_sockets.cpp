#include "runtime/runner/outer/listening_sockets.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>

namespace greenroom::runner {

namespace {

constexpr std::string_view listening = "0A";

// The next word of the line, which is cut off.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  auto word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

template <class Number>
bool parse(std::string_view text, int base, Number& to) {
  auto end = text.data() + text.size();
  auto result = std::from_chars(text.data(), end, to, base);
  return !text.empty() && result.ec == std::errc{} && result.ptr == end;
}

// Words of 32 bits, each as this machine has it in memory.
std::optional<std::string> to_address(std::string_view hex) {
  constexpr std::size_t digits = 8;
  if (hex.size() != digits && hex.size() != 4 * digits)
    return std::nullopt;
  std::array<std::uint32_t, 4> words{};
  for (std::size_t i = 0; i < hex.size() / digits; ++i)
    if (!parse(hex.substr(i * digits, digits), 16, words[i]))
      return std::nullopt;
  char text[INET6_ADDRSTRLEN];
  auto family = hex.size() == digits ? AF_INET : AF_INET6;
  if (!::inet_ntop(family, words.data(), text, sizeof text))
    return std::nullopt;
  return text;
}

// The kernel lists listening sockets first: the rest, which may be long, is
// not read.
void read_table(const std::string& path, std::vector<listening_socket>& to) {
  unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file)
    return;
  std::string text;
  std::array<char, 4096> buffer;
  bool head = true;
  for (;;) {
    auto size = ::read(file.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR)
      continue;
    if (size <= 0)
      return;
    text.append(buffer.data(), static_cast<std::size_t>(size));
    std::size_t start = 0;
    for (auto end = text.find('\n'); end != std::string::npos;
         start = end + 1, end = text.find('\n', start)) {
      auto line = std::string_view{text}.substr(start, end - start);
      if (std::exchange(head, false))
        continue;
      auto socket = parse_listening(line);
      if (!socket)
        return;
      to.push_back(std::move(*socket));
    }
    text.erase(0, start);
  }
}

} // namespace

std::optional<listening_socket> parse_listening(std::string_view line) {
  next_word(line); // its number
  auto local = next_word(line);
  next_word(line); // the other end
  auto colon = local.find(':');
  if (next_word(line) != listening || colon == std::string_view::npos)
    return std::nullopt;
  // Queues, timers, retransmits, user, probes.
  for (int i = 0; i < 5; ++i)
    next_word(line);
  listening_socket result;
  auto address = to_address(local.substr(0, colon));
  if (!address || !parse(local.substr(colon + 1), 16, result.port)
      || !parse(next_word(line), 10, result.inode))
    return std::nullopt;
  result.address = std::move(*address);
  return result;
}

std::string socket_counts(pid_t member) {
  auto dir = "/proc/" + std::to_string(member) + "/net/";
  std::string result;
  for (auto name : {"sockstat", "sockstat6"}) {
    std::string text;
    try {
      text = read_file(dir + name).value_or("");
    } catch (const std::system_error&) {
      continue; // it is gone
    }
    // "TCP: inuse 5 orphan …", "TCP6: inuse 2"
    auto at = std::min(text.find("TCP"), text.size());
    result += text.substr(at, text.find_first_of("o\n", at + 6) - at);
  }
  return result;
}

std::string connection_counts(pid_t member) {
  std::string text;
  try {
    text =
      read_file("/proc/" + std::to_string(member) + "/net/snmp").value_or("");
  } catch (const std::system_error&) {
    return {}; // it is gone
  }
  // "Tcp: RtoAlgorithm …", then the numbers: four that are set, then
  // ActiveOpens, PassiveOpens, AttemptFails, EstabResets, CurrEstab; behind
  // them what each packet changes.
  constexpr std::string_view line = "\nTcp: ";
  auto at = text.find(line);
  if (at == std::string::npos || (at = text.find(line, at + 1)) == text.npos)
    return {};
  auto numbers = std::string_view{text}.substr(at + line.size());
  numbers = numbers.substr(0, numbers.find('\n'));
  auto rest = numbers;
  constexpr int wanted = 9;
  for (int i = 0; i < wanted; ++i)
    next_word(rest);
  return std::string{numbers.substr(0, numbers.size() - rest.size())};
}

std::vector<listening_socket> listening_sockets(pid_t member) {
  auto dir = "/proc/" + std::to_string(member) + "/net/";
  std::vector<listening_socket> result;
  if (member == 0)
    return result;
  for (auto name : {"tcp", "tcp6"})
    read_table(dir + name, result);
  return result;
}

} // namespace greenroom::runner
