#include "runtime/git/mirror/quarantine.hpp"

#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/base/memfd.hpp"
#include "runtime/base/throw_errno.hpp"
#include "runtime/git/common/harmless_faults.hpp"
#include "runtime/git/common/object_bound.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/handles.hpp"
#include "runtime/git/mirror/mirror.hpp"
#include "runtime/git/mirror/stoppable_git.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <utility>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "incoming-";

// Checking a large pack takes longer than a talk with the upstream.
constexpr std::chrono::seconds check_timeout{110};

// All else that fsck knows is refused, what it only warns of too.
std::string strictly() {
  std::string result = "--strict=";
  for (const auto* fault : harmless_faults)
    result += std::string{fault} + "=ignore,";
  result.pop_back();
  return result;
}

// What git may take at once for an object: all of it, but for files that are no
// differences from others, which go through in pieces.
constexpr std::uint64_t max_taken = std::uint64_t{1} << 30;

// Which object, and what of it; git says so before it gives up.
std::string fault_of_object(const command_result& result) {
  constexpr std::string_view mark = "error: object ";
  if (result.err.find("attempting to allocate ") != std::string::npos)
    return "one of them takes more than " + format_size(max_taken)
           + " of memory; " + how_large_objects_are();
  auto at = result.err.find(mark);
  if (at == std::string::npos)
    return reason(result);
  at += std::string_view{"error: "}.size();
  return result.err.substr(at, result.err.find('\n', at) - at);
}

unique_fd open_directory(const fs::path& path) {
  return unique_fd{
    ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
}

void sync_file(const fs::path& path) {
  unique_fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd || ::fsync(fd.get()) != 0)
    throw_errno("cannot sync " + path.string());
}

// Checks take minutes; who has to stop does not wait for them.
command_result check_until(const server_git& call, int stop_fd) {
  auto result = run_until(call, stop_fd);
  if (!result)
    throw refused{errc::unavailable, upstream_client::node_stops};
  return std::move(*result);
}

// Of what lies in quarantine alone. Throws refused(conflict).
void check_sizes(const fs::path& mirror, const fs::path& arrivals,
                 int stop_fd) {
  const auto list = arrivals / "sizes";
  const unique_fd file{
    ::open(list.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  if (!file)
    throw_errno("cannot make " + list.string());
  server_git call{mirror,
                  {"cat-file", "--batch-all-objects", "--unordered",
                   "--batch-check=%(objecttype) %(objectsize) %(objectname)"},
                  {"GIT_OBJECT_DIRECTORY=" + arrivals.string()}};
  call.stdout_fd = file.get();
  call.timeout = check_timeout;
  if (auto listed = check_until(call, stop_fd); !listed.ok())
    throw std::runtime_error("cannot list a session's objects: "
                             + reason(listed));
  std::ifstream lines{list};
  std::string kind;
  std::string id;
  for (std::uint64_t size = 0; lines >> kind >> size >> id;)
    if (auto why = why_too_large(kind, size))
      throw refused{errc::conflict,
                    "the session's " + kind + ' ' + id + ' ' + *why};
  if (!lines.eof())
    throw std::runtime_error("cannot read the list of a session's objects");
}

// Of a file, from where it stands; 0 of anything else.
std::uint64_t bytes_left(int fd) {
  struct stat info {};
  const auto at = ::lseek(fd, 0, SEEK_CUR);
  if (at < 0 || ::fstat(fd, &info) != 0 || info.st_size < at)
    return 0;
  return static_cast<std::uint64_t>(info.st_size - at);
}

// As git reads a list of directories: quoted, so that a colon is no end.
std::string quoted(const fs::path& path) {
  std::string result = "\"";
  for (auto c : path.string()) {
    if (c == '"' || c == '\\')
      result += '\\';
    result += c;
  }
  return result + '"';
}

} // namespace

quarantine::quarantine(const fs::path& mirror) : objects_(mirror / "objects") {
  // Between making and locking it may be taken for a leftover: try again.
  for (int attempt = 0; attempt < 10; ++attempt) {
    path_ = objects_ / (std::string{prefix} + make_id());
    fs::create_directories(path_ / "pack");
    lock_ = open_directory(path_);
    if (lock_ && ::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0
        && fs::exists(path_ / "pack"))
      return;
  }
  throw std::runtime_error("cannot lock " + path_.string());
}

quarantine::~quarantine() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void quarantine::accept() {
  auto packs = objects_ / "pack";
  fs::create_directories(packs);
  for (const auto* suffix : {".pack", ".rev", ".idx"}) {
    for (const auto& entry : fs::directory_iterator{path_ / "pack"}) {
      if (entry.path().extension() != suffix)
        continue;
      sync_file(entry.path());
      fs::rename(entry.path(), packs / entry.path().filename());
    }
    sync_directory(packs);
  }
}

void quarantine::remove_leftovers(const fs::path& mirror) {
  for (const auto& entry : fs::directory_iterator{mirror / "objects"}) {
    if (!entry.path().filename().string().starts_with(prefix))
      continue;
    auto lock = open_directory(entry.path());
    if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0)
      fs::remove_all(entry.path());
  }
}

void mirror::import_pack(int pack_fd, const std::vector<std::string>& tips,
                         std::uint64_t max_size) const {
  quarantine arrivals{path_};
  std::vector<std::string> env{
    "GIT_OBJECT_DIRECTORY=" + arrivals.path().string(),
    "GIT_ALTERNATE_OBJECT_DIRECTORIES=" + quoted(path_ / "objects")};

  std::vector<std::string> index{"index-pack", "--stdin", strictly(),
                                 "--fix-thin"};
  if (max_size > 0)
    index.push_back("--max-input-size=" + std::to_string(max_size));
  auto bounded = env;
  bounded.push_back("GIT_ALLOC_LIMIT=" + std::to_string(max_taken));
  const auto time = check_timeout + time_for(bytes_left(pack_fd));
  auto indexed = check_until(
    {path_, std::move(index), bounded, {}, pack_fd, time}, stop_fd_);
  if (!indexed.ok())
    throw refused{errc::conflict, "the session's objects are not sound: "
                                    + fault_of_object(indexed)};
  check_sizes(path_, arrivals.path(), stop_fd_);

  std::string wanted;
  for (const auto& tip : tips)
    wanted += tip + '\n';
  auto list = memfd(wanted);
  auto connected = check_until(
    {path_,
     {"rev-list", "--objects", "--stdin", "--not", "--all", "--quiet"},
     env,
     {},
     list.get(),
     check_timeout},
    stop_fd_);
  if (!connected.ok())
    throw refused{errc::conflict, "the session's history is not complete: "
                                    + reason(connected)};
  arrivals.accept();
}

} // namespace greenroom::git
