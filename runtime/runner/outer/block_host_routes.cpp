#include "runtime/runner/outer/block_host_routes.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/runner/outer/await_loopback.hpp"
#include "runtime/runner/outer/stderr_capture.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <vector>

namespace greenroom::runner {

namespace {

struct network_range {
  in_addr_t first; // in host order
  std::uint8_t bits;
};

constexpr in_addr_t link_local = 0xa9fe0000;
constexpr in_addr_t groups = 0xe0000000;
constexpr in_addr_t slirp_network = 0x0a000200; // all in it is slirp4netns
constexpr in_addr_t slirp_names = 0x0a000203;
constexpr std::uint16_t names_port = 53;

[[noreturn]] void fail(const char* what, int error) {
  throw std::system_error(error, std::generic_category(), what);
}

std::vector<network_range> hidden_ranges() {
  std::vector<network_range> result{{link_local, 16}, {groups, 4}};
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0)
    fail("the host's addresses cannot be read", errno);
  std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> all{first, ::freeifaddrs};
  for (auto* at = first; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != AF_INET)
      continue;
    sockaddr_in address;
    std::memcpy(&address, at->ifa_addr, sizeof address);
    auto number = ntohl(address.sin_addr.s_addr);
    if (number >> 24 != IN_LOOPBACKNET && number >> 8 != slirp_network >> 8)
      result.push_back({number, 32});
  }
  return result;
}

// One request to the kernel's routing, as its attributes are added.
class request {
public:
  template <class Body>
  request(std::uint16_t type, int flags, const Body& body) {
    head_.nlmsg_type = type;
    head_.nlmsg_flags =
      static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    put(body);
  }

  template <class Value>
  void add(std::uint16_t type, const Value& value) {
    put(rtattr{RTA_LENGTH(sizeof value), type});
    put(value);
  }

  /// Returns 0, or the errno that the kernel has answered.
  int send(int socket) {
    head_.nlmsg_len = static_cast<std::uint32_t>(sizeof head_ + size_);
    std::array<iovec, 2> parts{
      {{&head_, sizeof head_}, {bytes_.data(), size_}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    struct {
      nlmsghdr head;
      nlmsgerr error;
    } answer{};
    if (::sendmsg(socket, &message, 0) < 0
        || ::recv(socket, &answer, sizeof answer, MSG_TRUNC) < 0)
      return errno;
    return answer.head.nlmsg_type == NLMSG_ERROR ? -answer.error.error : EPROTO;
  }

private:
  template <class Part>
  void put(const Part& part) {
    std::memcpy(bytes_.data() + size_, &part, sizeof part);
    size_ += NLMSG_ALIGN(sizeof part);
  }

  nlmsghdr head_{};
  std::array<char, 128> bytes_{};
  std::size_t size_ = 0;
};

void hide(int socket, const network_range& range) {
  rtmsg body{};
  body.rtm_family = AF_INET;
  body.rtm_dst_len = range.bits;
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = RTPROT_STATIC;
  body.rtm_type = RTN_UNREACHABLE;
  request route{RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, body};
  route.add(RTA_DST, htonl(range.first));
  if (auto error = route.send(socket); error != 0)
    fail("a route cannot be made", error);
}

// A rule about the name server's address, the lower number going first.
// `protocol` 0: about all that is sent there.
int add_rule(int socket, std::uint32_t order, std::uint8_t protocol) {
  fib_rule_hdr body{};
  body.family = AF_INET;
  body.dst_len = 32;
  body.table = RT_TABLE_MAIN;
  body.action = protocol != 0 ? FR_ACT_TO_TBL : FR_ACT_UNREACHABLE;
  request rule{RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, body};
  rule.add(FRA_DST, htonl(slirp_names));
  rule.add(FRA_PRIORITY, order);
  if (protocol != 0) {
    rule.add(FRA_IP_PROTO, protocol);
    rule.add(FRA_DPORT_RANGE, fib_rule_port_range{names_port, names_port});
  }
  auto error = rule.send(socket);
  return error == EEXIST ? 0 : error;
}

bool hide_all_but_names(int socket) {
  for (auto error :
       {add_rule(socket, 100, IPPROTO_UDP), add_rule(socket, 101, IPPROTO_TCP),
        add_rule(socket, 102, 0)}) {
    if (error == EOPNOTSUPP || error == EAFNOSUPPORT)
      return false;
    if (error != 0)
      fail("a routing rule cannot be made", error);
  }
  return true;
}

bool hide_from_within(int network, int users) {
  auto ranges = hidden_ranges(); // while the network is still the host's
  if (::setns(users, CLONE_NEWUSER) != 0 || ::setns(network, CLONE_NEWNET) != 0)
    fail("it cannot be entered", errno);
  await_loopback();
  unique_fd socket{
    ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  if (!socket)
    fail("no socket can be made", errno);
  for (const auto& range : ranges)
    hide(socket.get(), range);
  return hide_all_but_names(socket.get());
}

} // namespace

// Namespaces are for one's whole life, so it is the work of a child.
bool block_host_routes(int network, int users) {
  constexpr int done = 0;
  constexpr int partly = 2;
  auto stderr_file = capture_stderr();
  auto pid = ::fork();
  if (pid < 0)
    fail("no process can be started", errno);
  if (pid == 0) {
    try {
      ::_exit(hide_from_within(network, users) ? done : partly);
    } catch (const std::exception& problem) {
      ::dprintf(stderr_file.get(), "%s", problem.what());
      ::_exit(1);
    }
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == done)
    return true;
  if (WIFEXITED(status) && WEXITSTATUS(status) == partly)
    return false;
  throw std::runtime_error("the sandbox's network cannot be confined: "
                           + last_line_of(stderr_file.get()));
}

} // namespace greenroom::runner
