#include "runtime/runner/outer/user_namespaces.hpp"

#include "runtime/base/session_user.hpp"
#include "runtime/base/throw_errno.hpp"
#include "runtime/runner/protocol/fd_passing.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace greenroom::runner {

namespace {

constexpr auto inside = static_cast<uid_t>(user_inside);

// By which a process and its child tell each other "go on". Each has to let go
// of the other's end, or would not see it die.
struct turns {
  turns() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data())
        != 0)
      throw_errno("cannot make a socket pair");
    parents.reset(ends[0]);
    childs.reset(ends[1]);
  }
  unique_fd parents;
  unique_fd childs;
};

void tell(int end) {
  char go = 1;
  if (::send(end, &go, 1, MSG_NOSIGNAL) != 1)
    throw_errno("the other side of a user namespace is gone");
}

void await(int end) {
  char go = 0;
  if (::recv(end, &go, 1, 0) != 1)
    throw std::runtime_error("the other side of a user namespace is gone");
}

void write_file(const std::string& path, const std::string& text) {
  unique_fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!file
      || ::write(file.get(), text.data(), text.size())
           != static_cast<ssize_t>(text.size()))
    throw_errno("cannot write " + path);
}

void write_maps(pid_t of, const std::string& users, const std::string& groups) {
  auto dir = "/proc/" + std::to_string(of);
  write_file(dir + "/uid_map", users);
  write_file(dir + "/gid_map", groups);
}

// The capabilities of a new namespace stay, for they go with a program only.
void become(uid_t user, gid_t group) {
  if (::setgroups(0, nullptr) != 0 || ::setresgid(group, group, group) != 0
      || ::setresuid(user, user, user) != 0)
    throw_errno("the session's user cannot be had");
  // Else its maps could be written by root alone.
  ::prctl(PR_SET_DUMPABLE, 1);
}

void unshare_users() {
  if (::unshare(CLONE_NEWUSER) != 0)
    throw_errno("no user namespace can be made");
}

unique_fd own_users() {
  unique_fd result{::open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC)};
  if (!result)
    throw_errno("cannot open a user namespace");
  return result;
}

// Numbers inside and outside of a namespace, one after the other.
struct extent {
  unsigned inside = 0;
  unsigned outside = 0;
  unsigned count = 1;
};

// By a setuid program, which looks into /etc/subuid or subgid.
void map_by(const char* program, pid_t of, const std::vector<extent>& map) {
  std::vector<std::string> words{program, std::to_string(of)};
  for (const auto& one : map)
    for (auto number : {one.inside, one.outside, one.count})
      words.push_back(std::to_string(number));
  auto pid = ::fork();
  if (pid == 0) {
    std::vector<char*> argv;
    for (auto& word : words)
      argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  if (pid < 0 || ::waitpid(pid, &status, 0) != pid || status != 0)
    throw std::runtime_error(
      std::string{program}
      + " gives the node no users for its sessions: is uidmap installed, may "
        "the node run setuid programs (NoNewPrivileges=no), and do /etc/subuid "
        "and /etc/subgid have a range of its user?");
}

std::string map_text(const std::vector<extent>& map) {
  std::string result;
  for (const auto& one : map)
    result += std::to_string(one.inside) + ' ' + std::to_string(one.outside)
              + ' ' + std::to_string(one.count) + '\n';
  return result;
}

// The node's user is 0 there.
void map_with_node(pid_t of, const extent& users, const extent& groups) {
  std::vector<extent> user_map{{0, ::geteuid()}, users};
  std::vector<extent> group_map{{0, ::getegid()}, groups};
  if (::geteuid() == 0) {
    write_maps(of, map_text(user_map), map_text(group_map));
    return;
  }
  map_by("newuidmap", of, user_map);
  map_by("newgidmap", of, group_map);
}

// The child of a child: the inner one, which is the session's from the
// beginning.
void be_inner(int parent, int result, int outer, bool is_user_already) {
  if (!is_user_already)
    become(inside, inside);
  unshare_users();
  tell(parent);
  await(parent);
  write_file("/proc/sys/user/max_user_namespaces", "0");
  std::array fds{outer, own_users().release()};
  char ready = 1;
  send_with_fds(result, {&ready, 1}, fds, 0);
}

// Limits that the kernel also charges to the user who made the namespace. Where
// that is the node's user, each session gets a part of them. Best effort. To be
// read before the namespace is made, for a new one has none, and applied in it.
class part_of_limits {
public:
  part_of_limits() {
    constexpr std::uint64_t part = 8;
    for (std::string what : {"inotify_instances", "inotify_watches",
                             "fanotify_groups", "fanotify_marks"}) {
      auto path = "/proc/sys/user/max_" + what;
      unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
      std::array<char, 32> text{};
      if (file && ::read(file.get(), text.data(), text.size() - 1) > 0)
        parts_.emplace_back(std::move(path),
                            std::strtoull(text.data(), nullptr, 10) / part);
    }
  }

  void apply() const {
    for (const auto& [path, value] : parts_) {
      unique_fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
      auto text = std::to_string(value);
      if (file)
        std::ignore = ::write(file.get(), text.data(), text.size());
    }
  }

private:
  std::vector<std::pair<std::string, std::uint64_t>> parts_;
};

void be_outer(int parent, const own_user& whose, bool by_root) {
  // So that the kernel counts it as the session's.
  if (by_root)
    become(whose.user, whose.group);
  part_of_limits part;
  unshare_users();
  tell(parent);
  await(parent);
  if (!by_root)
    part.apply();
  auto outer = own_users();
  turns talk;
  auto pid = ::fork();
  if (pid < 0)
    throw_errno("no process can be started");
  if (pid == 0) {
    talk.parents.reset();
    be_inner(talk.childs.get(), parent, outer.get(), by_root);
    return;
  }
  talk.childs.reset();
  await(talk.parents.get());
  auto map = std::to_string(inside) + ' ' + std::to_string(inside) + " 1\n";
  write_maps(pid, map, map);
  tell(talk.parents.get());
  ::waitpid(pid, nullptr, 0);
}

// Runs `what` in a child, which says on stderr why it could not.
template <class F>
pid_t in_child(F&& what) {
  auto pid = ::fork();
  if (pid != 0)
    return pid;
  try {
    what();
    ::_exit(0);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "greenroom-runner: %s\n", problem.what());
    ::_exit(1);
  }
}

// Owned by the node's user like all that it makes.
void open_pipes_to_session() {
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
    struct stat info;
    if (::fstat(fd, &info) == 0 && S_ISFIFO(info.st_mode))
      ::fchmod(fd, 0666);
  }
}

// With colons between them.
std::vector<unsigned> numbers(std::string_view text, std::size_t count) {
  std::vector<unsigned> result;
  const auto* at = text.data();
  const auto* end = at + text.size();
  while (result.size() < count) {
    unsigned number = 0;
    auto read = std::from_chars(at, end, number);
    if (read.ec != std::errc{})
      break;
    result.push_back(number);
    at = read.ptr;
    if (at == end || *at++ != ':')
      break;
  }
  if (result.size() != count || at != end)
    throw std::runtime_error("no users and groups: " + std::string{text});
  return result;
}

// The maps of this process's new namespace come from outside of it.
void enter_users_with_node(const extent& users, const extent& groups) {
  turns talk;
  auto self = ::getpid();
  auto pid = in_child([&] {
    talk.parents.reset();
    await(talk.childs.get());
    map_with_node(self, users, groups);
  });
  talk.childs.reset();
  if (pid < 0)
    throw_errno("no process can be started");
  unshare_users();
  tell(talk.parents.get());
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || status != 0)
    throw std::runtime_error("the sessions' users cannot be had");
}

int without_cloexec(unique_fd fd) {
  ::fcntl(fd.get(), F_SETFD, 0);
  return fd.release();
}

} // namespace

own_user parse_own_user(std::string_view text) {
  auto read = numbers(text, 2);
  return {read[0], read[1]};
}

user_namespaces make_user_namespaces(const own_user& whose) {
  turns talk;
  auto by_root = ::geteuid() == 0;
  auto pid = in_child([&] {
    talk.parents.reset();
    be_outer(talk.childs.get(), whose, by_root);
  });
  if (pid < 0)
    throw_errno("no process can be started");
  talk.childs.reset();
  try {
    await(talk.parents.get());
    map_with_node(pid, {inside, whose.user}, {inside, whose.group});
    tell(talk.parents.get());
    char ready = 0;
    auto answer = receive_with_fds(talk.parents.get(), {&ready, 1}, 0);
    if (answer.fds.size() != 2)
      throw std::runtime_error("no user namespaces were made");
    // It ends by itself, once its own child has: killed it would leave that to
    // be reaped by init, and until then to count as one of the session's.
    ::waitpid(pid, nullptr, 0);
    return {std::move(answer.fds[0]), std::move(answer.fds[1])};
  } catch (...) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    throw;
  }
}

void run_with_own_user(const own_user& whose, char** argv) noexcept {
  try {
    open_pipes_to_session();
    auto made = make_user_namespaces(whose);
    auto outer = std::to_string(without_cloexec(std::move(made.outer)));
    auto inner = std::to_string(without_cloexec(std::move(made.inner)));
    std::string first = "--userns";
    std::string second = "--userns2";
    std::vector<char*> words{argv[0], first.data(), outer.data(), second.data(),
                             inner.data()};
    for (++argv; *argv; ++argv)
      words.push_back(*argv);
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    std::fprintf(stderr, "greenroom-runner: %s: %s\n", words[0],
                 std::strerror(errno));
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "greenroom-runner: %s\n", problem.what());
  }
  ::_exit(1);
}

void run_over_users(std::string_view range, char** argv) noexcept {
  try {
    auto read = numbers(range, 3);
    enter_users_with_node({1, read[0], read[2]}, {1, read[1], read[2]});
    ::execvp(argv[0], argv);
    std::fprintf(stderr, "greenroom-runner: %s: %s\n", argv[0],
                 std::strerror(errno));
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "greenroom-runner: %s\n", problem.what());
  }
  ::_exit(1);
}

} // namespace greenroom::runner
