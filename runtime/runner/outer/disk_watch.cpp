#include "runtime/runner/outer/disk_watch.hpp"

#include <fcntl.h>
#include <fts.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <memory>
#include <tuple>
#include <utility>

namespace greenroom::runner {

namespace {

constexpr std::chrono::seconds first_pause{1};
constexpr std::chrono::seconds least_pause{5};

// A look may cost this part of the time.
constexpr int share = 50;

constexpr std::uint64_t block = 512;

struct size {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
};

// Best effort: what is closed to us counts for nothing, and so does a link.
size size_below(const char* name) {
  std::array<char*, 2> tops{const_cast<char*>(name), nullptr};
  std::unique_ptr<FTS, int (*)(FTS*)> walk{
    ::fts_open(tops.data(), FTS_PHYSICAL | FTS_XDEV, nullptr), ::fts_close};
  size result;
  while (auto* entry = walk ? ::fts_read(walk.get()) : nullptr) {
    if (entry->fts_info == FTS_DP || entry->fts_info == FTS_NS)
      continue;
    const auto& info = *entry->fts_statp;
    // Of many names of one file each counts its part.
    auto names = std::max<std::uint64_t>(info.st_nlink, 1);
    auto bytes = static_cast<std::uint64_t>(info.st_blocks) * block;
    result.bytes += S_ISDIR(info.st_mode) ? bytes : bytes / names;
    ++result.files;
  }
  return result;
}

// "8.5 GiB", or in MiB what is less than one
std::string in_words(std::uint64_t bytes) {
  auto unit = bytes < (std::uint64_t{1} << 30) ? 20 : 30;
  auto tenths = (bytes >> (unit - 10)) * 10 >> 10;
  return std::to_string(tenths / 10)
         + (tenths % 10 == 0 ? "" : '.' + std::to_string(tenths % 10))
         + (unit == 20 ? " MiB" : " GiB");
}

} // namespace

disk_limits take_disk_limits(std::map<std::string, std::uint64_t>& from) {
  auto take = [&](const char* name) {
    auto found = from.extract(name);
    return found ? found.mapped() : 0;
  };
  return {take("disk_tmp"), take("disk_all"), take("disk_files")};
}

disk_watch::disk_watch(event_loop& loop, int session_dir, disk_limits limits,
                       std::function<void()> prepare, over_limit told)
  : loop_(loop), session_dir_(session_dir), limits_(limits),
    prepare_(std::move(prepare)), told_(std::move(told)) {}

disk_watch::~disk_watch() {
  if (answer_)
    loop_.unwatch(answer_.get());
}

void disk_watch::attend(steady::time_point now, bool busy) {
  if (answer_ || limits_ == disk_limits{})
    return;
  if (!busy)
    next_.reset();
  else if (!next_)
    next_ = now + first_pause;
  else if (now >= *next_)
    look();
}

void disk_watch::look() {
  next_.reset();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    return;
  answer_.reset(ends[0]);
  unique_fd theirs{ends[1]};
  began_ = steady::now();
  if (::fork() == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::setpriority(PRIO_PROCESS, 0, 19);
    prepare_();
    auto found = measure(session_dir_);
    std::ignore = ::write(theirs.get(), &found, sizeof found);
    ::_exit(0);
  }
  loop_.watch(answer_.get(), [this] { hear(); });
}

disk_watch::usage disk_watch::measure(int session_dir) {
  usage result;
  for (auto name : {"checkout", "home", "tmp"}) {
    if (::fchdir(session_dir) != 0)
      return {};
    auto found = size_below(name);
    result.all += found.bytes;
    result.files += found.files;
    if (name == std::string_view{"tmp"})
      result.temporary = found.bytes;
  }
  return result;
}

// Whoever did not answer has not got far; the next will.
void disk_watch::hear() {
  usage found;
  auto got = ::read(answer_.get(), &found, sizeof found);
  if (got < 0)
    return;
  loop_.unwatch(answer_.get());
  answer_.reset();
  auto now = steady::now();
  next_ = now + std::max<steady::duration>(least_pause, share * (now - began_));
  if (got == sizeof found)
    judge(found);
}

void disk_watch::judge(const usage& now) {
  auto before = std::exchange(last_, now);
  auto over = [](std::uint64_t limit, std::uint64_t is, std::uint64_t was) {
    return limit != 0 && is > limit && is > was;
  };
  constexpr const char* what_helps = ": remove what is not needed";
  if (over(limits_.temporary, now.temporary, before.temporary))
    told_("/tmp held " + in_words(now.temporary)
          + ", which is over its limit of " + in_words(limits_.temporary)
          + what_helps);
  else if (over(limits_.all, now.all, before.all))
    told_("the session held " + in_words(now.all)
          + " on disk, which is over its limit of " + in_words(limits_.all)
          + what_helps);
  else if (over(limits_.files, now.files, before.files))
    told_("the session held " + std::to_string(now.files)
          + " files, which is over its limit of "
          + std::to_string(limits_.files) + what_helps);
}

} // namespace greenroom::runner
