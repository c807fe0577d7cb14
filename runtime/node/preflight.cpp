#include "runtime/node/preflight.hpp"

#include "runtime/auth/admin_key.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/peer/certificates.hpp"
#include "runtime/sandbox/host_capabilities.hpp"
#include "runtime/store/connection.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

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

class check_list {
public:
  /// `fault` empty: all is well, which `well` says.
  void add(const char* name, std::string fault, std::string well) {
    auto state = fault.empty() ? check_state::fine : check_state::fault;
    done.push_back(
      {name, state, fault.empty() ? std::move(well) : std::move(fault), {}});
  }

  /// `check` returns what is well, or throws its fault.
  template <class F>
  void attempt(const char* name, F&& check) {
    try {
      add(name, {}, check());
    } catch (const std::exception& e) {
      add(name, e.what(), {});
    }
  }

  void warn(const char* name, std::string text, const char* help = "") {
    done.push_back({name, check_state::warning, std::move(text), help});
  }

  std::vector<host_check> done;
};

void check_addresses(check_list& to, const config& settings) {
  std::map<std::string, const char*> taken;
  auto check = [&](const char* key, const endpoint& where) {
    auto fault = address_fault(key, where);
    auto [first, is_new] = taken.try_emplace(to_string(where), key);
    if (fault.empty() && !is_new && where.port != 0)
      fault = std::string{key} + ' ' + first->first + " is that of "
              + first->second + ", too; give each an address of its own";
    to.add(key, std::move(fault), to_string(where));
  };
  check("http.listen", settings.http.listen);
  if (settings.git.listen)
    check("git.listen", *settings.git.listen);
  if (settings.preview.listen)
    check("preview.listen", *settings.preview.listen);
  if (settings.cluster.listen)
    check("cluster.listen", *settings.cluster.listen);
}

std::string tried_out(const config& settings) {
  if (settings.sandbox.mode == sandbox_mode::none)
    return "none: sessions are not shut in";
  constexpr std::array<const char*, 3> networks{"nat", "none", "host"};
  return std::string{"a program ran in one, with network "}
         + networks[static_cast<std::size_t>(settings.sandbox.network)];
}

/// As sessions would have it, in a directory of its own.
void check_sandbox(check_list& to, config settings) {
  sandbox::host found;
  to.attempt("sandbox", [&] {
    scratch_dir scratch;
    settings.node.data_dir = scratch.path();
    found = sandbox::check_host(settings, program_beside("greenroom-runner"));
    return tried_out(settings);
  });
  // Those of the control groups are told first.
  auto of_groups = found.groups.missing().size();
  if (of_groups == 0 && found.groups.limits_memory())
    to.add("control groups", {},
           "memory and processes of sessions are limited");
  for (auto& limit : found.not_in_force)
    if (std::exchange(of_groups, of_groups == 0 ? 0 : of_groups - 1) > 0)
      to.warn("control groups", std::move(limit),
              "give the node a control group of its own: Delegate=yes in its "
              "unit, as config/greenroom.service has it");
    else
      to.warn("limits", std::move(limit));
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

scratch_dir::scratch_dir() {
  auto pattern = (fs::temp_directory_path() / "greenroom-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a directory like " + pattern);
  path_ = pattern;
}

scratch_dir::~scratch_dir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::vector<host_check> start_checks(const config& settings) {
  check_list list;
  for (auto& fault : not_served(settings))
    list.add("configuration", std::move(fault), {});
  list.add("data directory", data_dir_fault(settings.node.data_dir),
           fs::absolute(settings.node.data_dir).lexically_normal());
  check_addresses(list, settings);
  list.attempt("programs", [] {
    program_beside("greenroom-git");
    return program_beside("greenroom-runner").parent_path().string();
  });
  list.attempt("administrator's key", [&] {
    scratch_dir scratch;
    load_admin_key(settings.auth.admin_key_file, scratch.path());
    return settings.auth.admin_key_file.empty()
             ? std::string{"admin.key in the data directory"}
             : settings.auth.admin_key_file;
  });
  check_sandbox(list, settings);
  if (settings.cluster.listen && settings.cluster.tls)
    list.attempt("cluster.tls.cert", [&] {
      auto& files = *settings.cluster.tls;
      peer::make_context({files.cert, files.key, files.ca}, settings.node.name);
      return "other nodes take it for that of node " + settings.node.name;
    });
  return std::move(list.done);
}

std::vector<std::string> start_faults(const config& settings) {
  std::vector<std::string> faults;
  for (auto& one : start_checks(settings))
    if (one.state == check_state::fault)
      faults.push_back(std::move(one.text));
  return faults;
}

} // namespace greenroom
