#include "runtime/runner/outer/session_ports.hpp"

#include "runtime/base/files.hpp"
#include "runtime/runner/inner/process_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <memory>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

namespace greenroom::runner {

namespace {

// For what neither the counts nor the descriptors tell: a socket that nobody
// was found with goes as another comes, say.
constexpr std::chrono::seconds longest_between_looks{5};

struct holder {
  std::string process;
  std::string exec;
  std::string link; // its descriptor, /proc/PID/fd/NUMBER
};

// By the inodes of the sockets that are asked for; empty until it is found.
using holders = std::map<std::uint64_t, std::optional<holder>>;

std::string name_of(pid_t pid) {
  try {
    auto text = read_file("/proc/" + std::to_string(pid) + "/comm");
    return text ? text->substr(0, text->find('\n')) : "";
  } catch (const std::system_error&) {
    return {}; // it has ended
  }
}

// The inode, where it is a link to a socket; else 0. `name`: below `dir`, or
// whole.
std::uint64_t socket_inode(int dir, const char* name) {
  constexpr std::string_view prefix = "socket:[";
  std::array<char, 64> buffer;
  auto size = ::readlinkat(dir, name, buffer.data(), buffer.size());
  std::string_view text{buffer.data(),
                        static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  std::uint64_t inode = 0;
  if (text.starts_with(prefix))
    std::from_chars(text.data() + prefix.size(), text.data() + text.size(),
                    inode);
  return inode;
}

// Returns how many of the sockets the process is the first to be found with.
std::size_t look_into(pid_t pid, const std::string& exec, holders& sockets) {
  auto path = "/proc/" + std::to_string(pid) + "/fd";
  std::unique_ptr<DIR, int (*)(DIR*)> dir{::opendir(path.c_str()), ::closedir};
  std::size_t found = 0;
  while (const auto* entry = dir ? ::readdir(dir.get()) : nullptr) {
    auto socket = sockets.find(socket_inode(::dirfd(dir.get()), entry->d_name));
    if (socket == sockets.end() || socket->second)
      continue;
    socket->second = holder{name_of(pid), exec, path + '/' + entry->d_name};
    ++found;
  }
  return found;
}

holders find_holders(const std::vector<listening_socket>& sockets,
                     const std::vector<exec_processes>& execs) {
  holders result;
  for (const auto& socket : sockets)
    result.try_emplace(socket.inode);
  auto left = result.size();
  for (const auto& exec : execs)
    for (auto pid : descendants_of(exec.top)) {
      if (left == 0)
        return result;
      left -= look_into(pid, exec.exec, result);
    }
  return result;
}

bool is_held(const held_socket& socket) {
  return socket_inode(AT_FDCWD, socket.link.c_str()) == socket.inode;
}

std::vector<held_socket> held_by(const holders& whose) {
  std::vector<held_socket> result;
  for (const auto& [inode, by] : whose)
    if (by && result.size() < max_ports)
      result.push_back({by->link, inode});
  return result;
}

// Those of nobody only where the network is the session's alone.
std::vector<open_port> ports_of(const std::vector<listening_socket>& sockets,
                                const holders& whose, bool own_network) {
  std::vector<open_port> result;
  for (const auto& socket : sockets) {
    auto& by = whose.at(socket.inode);
    if (by)
      result.push_back({socket.port, socket.address, by->process, by->exec});
    else if (own_network)
      result.push_back({socket.port, socket.address, {}, {}});
  }
  auto place = [](const open_port& x) { return std::tie(x.port, x.address); };
  std::ranges::sort(result, {}, place);
  // Several sockets may share one port.
  auto same = std::ranges::unique(result, {}, place);
  result.erase(same.begin(), same.end());
  result.resize(std::min(result.size(), max_ports));
  return result;
}

} // namespace

bool session_ports::may_have_changed(pid_t member) {
  auto now = std::chrono::steady_clock::now();
  auto counts = socket_counts(member);
  if (own_network_)
    counts += connection_counts(member);
  const auto same = counts == counts_ && std::ranges::all_of(held_, is_held);
  if (sockets_ && same && now < look_again_)
    return false;
  counts_ = std::move(counts);
  look_again_ = now + longest_between_looks;
  return true;
}

std::optional<std::vector<open_port>>
session_ports::changed(pid_t member, const std::vector<exec_processes>& execs) {
  if (!may_have_changed(member))
    return std::nullopt;
  auto sockets = listening_sockets(member);
  // One may have gone from the process that it was found with to another's.
  if (sockets == sockets_ && std::ranges::all_of(held_, is_held))
    return std::nullopt;
  const auto whose = find_holders(sockets, execs);
  held_ = held_by(whose);
  auto ports = ports_of(sockets, whose, own_network_);
  sockets_ = std::move(sockets);
  if (ports == told_)
    return std::nullopt;
  told_ = ports;
  return ports;
}

void session_ports::forget() noexcept {
  sockets_.reset();
  held_.clear();
  told_.reset();
}

std::optional<local_port>
session_ports::find(pid_t member, const std::vector<exec_processes>& execs,
                    std::uint16_t number) const {
  auto sockets = listening_sockets(member);
  local_port result{number, false, false};
  for (auto& one :
       ports_of(sockets, find_holders(sockets, execs), own_network_)) {
    if (one.port != number)
      continue;
    result.v4 |= one.address == "127.0.0.1" || one.address == "0.0.0.0"
                 || one.address == "::ffff:127.0.0.1";
    // Whether it takes IPv4, too, the kernel does not tell others.
    result.v6 |= one.address == "::1" || one.address == "::";
  }
  if (!result.v4 && !result.v6)
    return std::nullopt;
  return result;
}

} // namespace greenroom::runner
