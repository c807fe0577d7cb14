#include "runtime/node/preflight.hpp"

#include "runtime/auth/admin_key.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/sandbox/host_capabilities.hpp"
#include "runtime/store/connection.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

/// For checks that write: gone with this.
class scratch_dir {
public:
  scratch_dir() {
    auto pattern = (fs::temp_directory_path() / "greenroom-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      throw std::system_error(errno, std::generic_category(),
                              "cannot make a directory like " + pattern);
    path_ = pattern;
  }
  scratch_dir(const scratch_dir&) = delete;
  scratch_dir& operator=(const scratch_dir&) = delete;
  ~scratch_dir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const noexcept {
    return path_;
  }

private:
  fs::path path_;
};

/// 0, or the error with which nothing can be made in a directory. Tried out,
/// for permissions do not tell all: root has them on what is read-only.
int error_of_making_in(const fs::path& dir) {
  auto pattern = (dir / ".greenroom-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    return errno;
  ::rmdir(pattern.c_str());
  return 0;
}

/// Why a node could not make or use its data directory; empty: it could.
std::string data_dir_fault(const std::string& configured) {
  auto dir = fs::absolute(configured).lexically_normal();
  auto there = dir;
  std::error_code error;
  while (!fs::exists(there, error) && there.has_relative_path())
    there = there.parent_path();
  auto why =
    fs::is_directory(there, error) ? error_of_making_in(there) : ENOTDIR;
  if (why == 0)
    return {};
  return "node.data_dir " + dir.string() + " cannot be used ("
         + (there == dir ? "" : there.string() + ": ")
         + std::generic_category().message(why)
         + "); make it writable or name another";
}

/// Why no socket can listen there; empty: one can, or one does.
std::string address_fault(const char* key, const endpoint& where) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  auto port = std::to_string(where.port);
  auto begin = std::string{key} + ' ' + to_string(where) + ": ";
  if (auto error =
        ::getaddrinfo(where.host.c_str(), port.c_str(), &hints, &found);
      error != 0)
    return begin + ::gai_strerror(error);
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list{found,
                                                            ::freeaddrinfo};
  unique_fd socket{::socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), list->ai_addr, list->ai_addrlen) == 0
      || errno == EADDRINUSE)
    return {};
  return begin + std::generic_category().message(errno);
}

/// Runs a check that throws its fault.
template <class F>
void gather(std::vector<std::string>& faults, F&& check) {
  try {
    check();
  } catch (const std::exception& e) {
    faults.emplace_back(e.what());
  }
}

} // namespace

std::vector<std::string> not_served(const config& settings) {
  std::vector<std::string> result;
  if (settings.http.tls)
    result.emplace_back("http.tls is not served by this version; set it to "
                        "null and put a TLS proxy in front");
  if (settings.cluster.listen && store::is_embedded(settings.storage.url))
    result.emplace_back("cluster.listen is for nodes that share a store: set "
                        "storage.url to postgresql://USER@HOST/DATABASE");
  if (settings.cluster.listen && !settings.cluster.tls)
    result.emplace_back("cluster.listen needs cluster.tls: this node's "
                        "certificate and key and the nodes' authority, which "
                        "config/cluster/certificates.sh makes");
  return result;
}

fs::path program_beside(const char* name) {
  auto path = fs::read_symlink("/proc/self/exe").parent_path() / name;
  if (!fs::exists(path))
    throw std::runtime_error(path.string()
                             + " is missing; it belongs beside greenroom");
  return path;
}

std::vector<std::string> start_faults(const config& settings) {
  auto faults = not_served(settings);
  auto add = [&](std::string fault) {
    if (!fault.empty())
      faults.push_back(std::move(fault));
  };
  add(data_dir_fault(settings.node.data_dir));
  add(address_fault("http.listen", settings.http.listen));
  if (settings.git.listen)
    add(address_fault("git.listen", *settings.git.listen));
  gather(faults, [] { program_beside("greenroom-git"); });
  gather(faults, [&] {
    scratch_dir scratch;
    auto elsewhere = settings;
    elsewhere.node.data_dir = scratch.path();
    gather(faults, [&] {
      load_admin_key(settings.auth.admin_key_file, scratch.path());
    });
    sandbox::check_host(elsewhere, program_beside("greenroom-runner"));
  });
  return faults;
}

} // namespace greenroom
