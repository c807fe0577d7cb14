// A sandbox's way to the outside, and what it does not lead to.
#include "tests/runtime/runner/sandboxed.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>

using namespace greenroom;
using test::can_sandbox;
using test::ends;
using test::session;

namespace {

bool can_have_nat() {
  if (!can_sandbox())
    return false;
  auto result = ::access("/dev/net/tun", R_OK | W_OK) == 0
                && std::system("command -v slirp4netns >/dev/null") == 0;
  if (!result)
    WARN("slirp4netns cannot work here: not tested");
  return result;
}

runner::sandbox_plan connected_plan() {
  auto result = test::plan();
  result.nat = true;
  if (::geteuid() == 0)
    result.nat_options = {"--enable-sandbox"};
  result.nat_options.push_back("--enable-seccomp");
  return result;
}

/// A listener of the host.
class service {
public:
  explicit service(in_addr_t address)
    : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(address);
    socklen_t size = sizeof name;
    auto* generic = reinterpret_cast<sockaddr*>(&name);
    REQUIRE(::bind(listener_.get(), generic, size) == 0);
    REQUIRE(::listen(listener_.get(), 64) == 0);
    REQUIRE(::getsockname(listener_.get(), generic, &size) == 0);
    port_ = std::to_string(ntohs(name.sin_port));
  }

  const std::string& port() const {
    return port_;
  }

private:
  unique_fd listener_;
  std::string port_;
};

/// The host's addresses that are not for itself alone.
std::vector<std::string> own_addresses() {
  ifaddrs* first = nullptr;
  REQUIRE(::getifaddrs(&first) == 0);
  std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> all{first, ::freeifaddrs};
  std::vector<std::string> result;
  for (auto* at = first; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != AF_INET)
      continue;
    sockaddr_in name;
    std::memcpy(&name, at->ifa_addr, sizeof name);
    std::array<char, INET_ADDRSTRLEN> text;
    ::inet_ntop(AF_INET, &name.sin_addr, text.data(), text.size());
    if (ntohl(name.sin_addr.s_addr) >> 24 != 127)
      result.emplace_back(text.data());
  }
  return result;
}

// One line: what became of it.
std::string try_to_connect(const std::string& host, const std::string& port) {
  return "python3 -c 'import socket, sys; s = socket.socket(); "
         "s.settimeout(5); s.connect((\""
         + host + "\", " + port + ")); print(\"reached\")' 2>&1 | tail -n 1; ";
}

} // namespace

TEST_CASE("with nat the sandbox has a network, but not the host's localhost") {
  if (!can_have_nat())
    return;
  session s{connected_plan()};
  service local{INADDR_LOOPBACK};
  s.run("x", "grep -c '^tap0.00000000' /proc/net/route; "
               + try_to_connect("127.0.0.1", local.port())
               + try_to_connect("10.0.2.2", local.port()));
  auto text = s.output("x");
  INFO(text);
  CHECK(text.starts_with("1\n"));
  CHECK(text.find("reached") == std::string::npos);
  auto below = test::descendants_of(s.runner_pid);
  CHECK(below.size() >= 4); // bwrap, slirp4netns, init, supervisor
  ::kill(s.runner_pid, SIGKILL);
  for (auto pid : below)
    CHECK(ends(pid));
}

TEST_CASE("with nat the host's own services are not reached by any address") {
  if (!can_have_nat())
    return;
  session s{connected_plan()};
  service open{INADDR_ANY};
  auto addresses = own_addresses();
  if (addresses.empty())
    WARN("this machine has no address of its own: less is tested");
  session unconfined;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    auto exec = "x" + std::to_string(i);
    auto words = try_to_connect(addresses[i], open.port());
    s.run(exec, words);
    CHECK(s.output(exec) == "OSError: [Errno 113] No route to host\n");
    // On the host the same words get through.
    unconfined.run(exec, words);
    CHECK(unconfined.output(exec) == "reached\n");
  }
}

TEST_CASE("with nat nothing link-local, no group and only the name server's "
          "own port is reached") {
  if (!can_have_nat())
    return;
  session s{connected_plan()};
  auto route_to = [](const std::string& host, const std::string& port) {
    // A datagram socket's connect asks for the route and sends nothing.
    return "python3 -c 'import socket; s = socket.socket(socket.AF_INET, "
           "socket.SOCK_DGRAM); s.connect((\""
           + host + "\", " + port
           + ")); print(s.getsockname()[0])' 2>&1 | tail -n 1; ";
  };
  s.run("x", route_to("169.254.169.254", "80") + route_to("224.0.0.251", "5353")
               + route_to("10.0.2.3", "80") + route_to("10.0.2.3", "53")
               + try_to_connect("10.0.2.3", "80")
               + route_to("198.51.100.1", "80"));
  CHECK(s.output("x")
        == "OSError: [Errno 113] No route to host\n"
           "OSError: [Errno 113] No route to host\n"
           "OSError: [Errno 101] Network is unreachable\n"
           "10.0.2.100\n"
           "OSError: [Errno 101] Network is unreachable\n"
           "10.0.2.100\n");
}

TEST_CASE("slirp4netns is shut in, and in the session's groups") {
  test::session_groups groups{100};
  if (!can_have_nat() || !groups.usable())
    return;
  auto connected = connected_plan();
  connected.cgroups = groups.directories();
  session s{connected};
  s.run("x", "true");
  pid_t slirp = 0;
  for (auto pid : test::children_of(s.runner_pid))
    if (read_file("/proc/" + std::to_string(pid) + "/comm") == "slirp4netns\n")
      slirp = pid;
  REQUIRE(slirp != 0);
  CHECK(groups.hold(slirp));
  auto proc = "/proc/" + std::to_string(slirp);
  auto status = read_file(proc + "/status").value_or("");
  CHECK(status.find("\nSeccomp:\t2\n") != std::string::npos);
  if (::geteuid() == 0)
    CHECK(std::filesystem::read_symlink(proc + "/ns/mnt")
          != std::filesystem::read_symlink("/proc/self/ns/mnt"));
}
