#include "runtime/git/mirror/quarantine.hpp"

#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/base/memfd.hpp"
#include "runtime/base/throw_errno.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/handles.hpp"
#include "runtime/git/mirror/mirror.hpp"
#include "runtime/git/mirror/objects.hpp"
#include "runtime/git/mirror/stoppable_git.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <utility>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "incoming-";

// Checking a large pack takes longer than a talk with the upstream.
constexpr std::chrono::seconds check_timeout{110};

// As checkouts are made: it reads what is no file whole.
constexpr std::uint64_t check_memory = std::uint64_t{2} << 30;

// What old programs have left in histories that are merged until today, and
// harms nobody.
constexpr const char* old_faults =
  "badTimezone=ignore,missingSpaceBeforeDate=ignore,zeroPaddedFilemode=ignore,"
  "zeroPaddedDate=ignore";

// Which object, and what of it; git says so before it gives up.
std::string fault_of_object(const command_result& result) {
  constexpr std::string_view mark = "error: object ";
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

  std::vector<std::string> index{"index-pack", "--stdin",
                                 std::string{"--strict="} + old_faults,
                                 "--fix-thin"};
  if (max_size > 0)
    index.push_back("--max-input-size=" + std::to_string(max_size));
  server_git call{path_, std::move(index), env, {}, pack_fd, check_timeout};
  call.max_memory = check_memory;
  auto indexed = check_until(call, stop_fd_);
  if (!indexed.ok())
    throw refused{errc::conflict, "the session's objects are not sound: "
                                    + fault_of_object(indexed)};
  if (auto id = find_too_large(arrivals.path()))
    throw refused{errc::conflict,
                  "the session's objects are not sound: object " + to_hex(*id)
                    + ", a commit, tag or tree, is larger than "
                    + std::to_string(max_whole_object >> 20) + " MiB"};

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
