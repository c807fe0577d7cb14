// The first step of a start: what a node needs of its machine, before anything
// runs.

#include "http/server/listening.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/node/parts.hpp"
#include "runtime/node/preflight.hpp"
#include "runtime/runner/protocol/run_lease.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/resource.h>

#include <cerrno>
#include <system_error>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

fs::path prepare_data_dir(const config& settings) {
  auto dir = fs::absolute(settings.node.data_dir).lexically_normal();
  try {
    ensure_dir(dir);
    ensure_dir(dir / "repos");
    ensure_dir(sessions_dir(dir));
  } catch (const std::system_error& e) {
    throw start_error("node.data_dir " + dir.string() + " cannot be used ("
                      + e.code().message()
                      + "); make it writable or name another with --set "
                        "node.data_dir=DIR");
  }
  return dir;
}

// Two nodes on one directory would ruin it.
unique_fd lock_data_dir(const fs::path& dir) {
  unique_fd lock{
    ::open((dir / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0)
    return lock;
  if (const auto why = errno; !lock || why != EWOULDBLOCK)
    throw start_error(
      "node.data_dir " + dir.string() + " cannot be locked ("
      + std::generic_category().message(why)
      + "); make the file lock in it writable, or name another directory with "
        "--set node.data_dir=DIR");
  throw start_error("another node is running on " + dir.string()
                    + "; stop it, or give this one a directory of its own "
                      "with --set node.data_dir=DIR");
}

void refuse_what_is_not_built(const config& settings) {
  if (auto faults = not_served(settings); !faults.empty())
    throw start_error(faults.front());
}

// Every connection and every exec takes descriptors.
void raise_descriptor_limit() {
  ::rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

fs::path program(const char* name) {
  try {
    return program_beside(name);
  } catch (const std::runtime_error& e) {
    throw start_error(e.what());
  }
}

std::shared_ptr<const sandbox::host> find_host(const config& settings) {
  try {
    auto result = std::make_shared<sandbox::host>(
      sandbox::check_host(settings, program("greenroom-runner")));
    for (auto& limit : result->not_in_force)
      spdlog::warn("{}", limit);
    return result;
  } catch (const start_error&) {
    throw;
  } catch (const std::exception& e) {
    throw start_error(e.what());
  }
}

// What an earlier run kept back makes room for what a start has to write. Why
// there is none; empty: there is.
std::string make_room(disk_reserve& reserve) {
  auto problem = reserve.check();
  if (problem.empty() || reserve.spend())
    return {};
  problem += ", and no reserve is left to start with";
  spdlog::error("{}", problem);
  return problem;
}

// Where nothing can be written the host seems to lack whatever is tried.
std::shared_ptr<const sandbox::host> find_host(const config& settings,
                                               const fs::path& data_dir,
                                               const std::string& no_room) {
  try {
    return find_host(settings);
  } catch (const start_error& e) {
    if (no_room.empty())
      throw;
    throw start_error(no_room + ": free some of what is in " + data_dir.string()
                      + ", or end the greenroom-runner of a session that "
                        "writes there, and start again ("
                      + e.what() + ')');
  }
}

} // namespace

void node::parts::open() {
  refuse_what_is_not_built(settings);
  raise_descriptor_limit();
  data_dir = prepare_data_dir(settings);
  lock = lock_data_dir(data_dir);
  reserve = std::make_unique<disk_reserve>(data_dir);
  lived_until = reserve->last_check();
  host = find_host(settings, data_dir, make_room(*reserve));
  if (settings.preview.listen)
    preview_port = settings.preview.listen->port;
  admin = load_admin_key(settings.auth.admin_key_file, data_dir);
  keys = std::make_unique<key_ring>(admin.secret);
  syncer = std::make_unique<fsync_queue>();
  journals = std::make_unique<journal::writers>(
    data_dir, syncer.get(), journal::writers::default_count,
    settings.exec.max_session_output);
  runner_link_options link{program("greenroom-runner"), data_dir,
                           settings.exec.kill_grace, settings.sandbox.idle};
  link.max_descriptors = http::affordable(settings.http.max_connections,
                                          settings.cluster.listen.has_value())
                           .runners;
  if (settings.cluster.listen)
    link.lease = data_dir / runner::run_lease_file;
  link.plan = [on = host, dir = data_dir](const std::string& id,
                                          const std::string& mirror) {
    return sandbox::make_plan(*on, paths_of(dir, id, mirror));
  };
  runners = std::make_unique<runner_link>(std::move(link));
  meter = std::make_unique<session_meter>(session_meter::sources{
    data_dir, [this](const std::string& id) { return runners->process_of(id); },
    [this](const std::string& id) { return host->groups.directories(id); }});
}

git_settings node::parts::git_settings_of() const {
  auto helper = program("greenroom-git");
  return {data_dir,
          {host, helper},
          {settings.git.credentials, helper, data_dir / "known_hosts",
           settings.git.proxy},
          settings.git.lfs_cache,
          {settings.sessions.warm_checkouts}};
}

} // namespace greenroom
