#include "bench/support/ssh.hpp"

#include "bench/support/http.hpp"
#include "bench/support/spawn.hpp"
#include "runtime/base/files.hpp"

#include <poll.h>

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace greenroom::bench {

namespace {

constexpr std::chrono::seconds ssh_timeout{5};

std::vector<std::string> operator+(std::vector<std::string> to,
                                   const std::vector<std::string>& more) {
  to.insert(to.end(), more.begin(), more.end());
  return to;
}

} // namespace

ssh::ssh() {
  auto sshd = installed("sshd");
  auto at = [this](const char* name) { return (dir_.path() / name).string(); };
  for (auto name : {"host", "user"})
    spawn({installed("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f",
           at(name)});
  auto port = std::to_string(free_port());
  // With another HOME, for the shell reads the profile that it finds there.
  std::ofstream{at("config")}
    << "SetEnv HOME=" << dir_.path().string()
    << "\nListenAddress 127.0.0.1:" << port << "\nHostKey " << at("host")
    << "\nAuthorizedKeysFile " << at("user.pub")
    << "\nStrictModes no\nPermitRootLogin yes\nUsePAM no\nPidFile none\n"
       "PasswordAuthentication no\n";
  server_ = std::make_unique<child>(
    std::vector{sshd, std::string{"-D"}, std::string{"-e"}, std::string{"-f"},
                at("config")},
    at("log"));
  client_ = {installed("ssh"), "-F", "/dev/null", "-S", at("socket")};
  auto end = std::chrono::steady_clock::now() + ssh_timeout;
  while (std::chrono::steady_clock::now() < end) {
    // It ends at once where the server does not listen yet.
    if (!master_ || !master_->running())
      master_ = std::make_unique<child>(
        client_
          + std::vector<std::string>{"-M", "-N", "-p", port, "-i", at("user"),
                                     "-o", "IdentitiesOnly=yes", "-o",
                                     "BatchMode=yes", "-o",
                                     "StrictHostKeyChecking=no", "-o",
                                     "UserKnownHostsFile=/dev/null", "-o",
                                     "ConnectTimeout=5", "127.0.0.1"},
        at("log"));
    try {
      run("true");
      return;
    } catch (const std::runtime_error&) {
      ::poll(nullptr, 0, 50);
    }
  }
  throw std::runtime_error("sshd does not serve: "
                           + read_file(at("log")).value_or(""));
}

void ssh::run(const std::string& command) const {
  // Without the kept connection it must fail, not make another.
  spawn(client_
        + std::vector<std::string>{"-o", "BatchMode=yes", "-p", "1",
                                   "127.0.0.1", command});
}

} // namespace greenroom::bench
