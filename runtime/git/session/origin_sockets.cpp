#include "runtime/git/session/origin_sockets.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/guarded.hpp"
#include "runtime/base/throw_errno.hpp"

#include <spdlog/spdlog.h>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

constexpr const char* directory = "origin";
constexpr int backlog = 16;

// Where there is no descriptor to accept with.
constexpr std::chrono::milliseconds rest{100};

// By a short path, since that of a socket may only have 107 bytes.
unique_fd listen_in(const fs::path& where) {
  ensure_dir(where, 0755);
  // Whatever mask we have: a session of another user has to come in.
  ::chmod(where.c_str(), 0755);
  unique_fd home{::open(where.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  unique_fd made{
    ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!home || !made)
    throw_errno("cannot open the origin of a session");
  ::unlinkat(home.get(), "socket", 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // The session may be another user to the host than we are; who else can come
  // here is us.
  auto path = "/proc/self/fd/" + std::to_string(home.get()) + "/socket";
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (::bind(made.get(), reinterpret_cast<sockaddr*>(&address), sizeof address)
        != 0
      || ::fchmodat(home.get(), "socket", 0666, 0) != 0
      || ::listen(made.get(), backlog) != 0)
    throw_errno("cannot open the origin of a session");
  return made;
}

void add(int events, int fd) {
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  wanted.data.fd = fd;
  if (::epoll_ctl(events, EPOLL_CTL_ADD, fd, &wanted) != 0)
    throw_errno("cannot wait for a session's git");
}

} // namespace

origin_sockets::origin_sockets(fs::path sessions)
  : sessions_(std::move(sessions)), events_(::epoll_create1(EPOLL_CLOEXEC)),
    wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!events_ || !wake_)
    throw_errno("cannot wait for sessions' git");
  add(events_.get(), wake_.get());
}

origin_sockets::~origin_sockets() {
  stop();
}

void origin_sockets::open(const std::string& session_id) {
  std::lock_guard guard{mutex_};
  if (listeners_.contains(session_id))
    return;
  auto made = listen_in(sessions_ / session_id / directory);
  add(events_.get(), made.get()); // epoll forgets what is closed
  ids_[made.get()] = session_id;
  listeners_[session_id] = std::move(made);
}

void origin_sockets::close(const std::string& session_id) {
  std::lock_guard guard{mutex_};
  auto found = listeners_.find(session_id);
  if (found == listeners_.end())
    return;
  ids_.erase(found->second.get());
  listeners_.erase(found);
}

void origin_sockets::serve(visitor visit) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator{sessions_, none})
    if (fs::is_directory(entry.path() / directory, none))
      try {
        open(entry.path().filename().string());
      } catch (const std::exception& e) {
        spdlog::warn("session {}: {}", entry.path().filename().string(),
                     e.what());
      }
  thread_ = std::thread{[this, visit = std::move(visit)] { run(visit); }};
}

void origin_sockets::stop() {
  if (!thread_.joinable())
    return;
  std::uint64_t one = 1;
  [[maybe_unused]] auto sent = ::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

void origin_sockets::run(const visitor& visit) {
  auto report = [](const char* why) {
    spdlog::error("git of a session is not served: {}", why);
  };
  for (;;) {
    epoll_event ready{};
    auto count = ::epoll_wait(events_.get(), &ready, 1, -1);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return report(std::strerror(errno));
    if (ready.data.fd == wake_.get())
      return;
    run_guarded([&] { accept_from(ready.data.fd, visit); }, report);
  }
}

void origin_sockets::accept_from(int listener, const visitor& visit) {
  std::string id;
  unique_fd socket;
  {
    std::lock_guard guard{mutex_};
    auto found = ids_.find(listener);
    if (found == ids_.end())
      return;
    id = found->second;
    socket.reset(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  }
  if (socket)
    visit(id, std::move(socket));
  else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
    std::this_thread::sleep_for(rest);
}

} // namespace greenroom
