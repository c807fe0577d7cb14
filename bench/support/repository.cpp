#include "bench/support/repository.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/run_command.hpp"

#include <fcntl.h>

#include <cerrno>
#include <fstream>
#include <random>
#include <stdexcept>
#include <system_error>

namespace greenroom::bench {

namespace fs = std::filesystem;

namespace {

constexpr unsigned lines = 40; // of a file

/// A line that does not compress to nothing.
void add_line(std::string& to, std::minstd_rand& random) {
  for (int i = 0; i < 8; ++i)
    to += std::to_string(random()) + ' ';
  to += '\n';
}

std::string file_change(unsigned file, std::minstd_rand& random) {
  std::string text;
  for (unsigned i = 0; i < lines; ++i)
    add_line(text, random);
  return "M 100644 inline src/" + std::to_string(file % 50) + '/'
         + std::to_string(file) + ".txt\ndata " + std::to_string(text.size())
         + '\n' + text + '\n';
}

/// What `git fast-import` reads.
void write_history(const fs::path& path, const repository_size& size) {
  std::ofstream out{path, std::ios::binary};
  std::minstd_rand random{1};
  for (unsigned commit = 0; commit < size.commits; ++commit) {
    out << "commit refs/heads/main\ncommitter Ada <ada@example.org> "
        << 1'700'000'000 + commit << " +0000\ndata 7\nChange\n\n";
    for (unsigned file = 0; commit == 0 && file < size.files; ++file)
      out << file_change(file, random);
    if (commit > 0 && size.files > 0)
      out << file_change(commit * 7 % size.files, random);
  }
  if (!out.flush())
    throw std::runtime_error("cannot write " + path.string());
}

void run_git(const fs::path& cwd, const std::vector<std::string>& arguments,
             int stdin_fd) {
  command what;
  what.argv = {"git", "-c", "user.name=Ada", "-c",
               "user.email=ada@example.org"};
  what.argv.insert(what.argv.end(), arguments.begin(), arguments.end());
  what.cwd = cwd;
  what.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM=1",
              "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0"};
  what.stdin_fd = stdin_fd;
  if (auto result = run_command(what); !result.ok())
    throw std::runtime_error("git: " + result.err);
}

} // namespace

void git(const fs::path& cwd, const std::vector<std::string>& arguments) {
  run_git(cwd, arguments, -1);
}

void make_repository(const fs::path& path, const repository_size& size) {
  auto history = path.string() + ".history";
  write_history(history, size);
  git(path.parent_path(),
      {"init", "-q", "--bare", "-b", "main", path.string()});
  unique_fd from{::open(history.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!from)
    throw std::system_error(errno, std::generic_category(), history);
  run_git(path, {"fast-import", "--quiet"}, from.get());
  git(path, {"repack", "-qad"});
  fs::remove(history);
}

} // namespace greenroom::bench
