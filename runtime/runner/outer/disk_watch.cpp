#include "runtime/runner/outer/disk_watch.hpp"

#include "runtime/base/guarded.hpp"
#include "runtime/base/tree_size.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <tuple>
#include <utility>

namespace greenroom::runner {

namespace {

constexpr std::chrono::seconds first_pause{1};
constexpr std::chrono::seconds least_pause{5};

// A look may cost this part of the time.
constexpr int share = 50;

// Deeper than anything that is meant to be used.
constexpr std::size_t max_depth = 2000;

// Besides its standard files.
constexpr int answer_fd = 3;
constexpr int session_fd = 4;

// What was copied by fork stays open for as long as the look takes: whoever
// waits for the end of a command's input or terminal would wait too.
void keep_only(int answer, int session_dir) {
  auto high = [](int fd) { return ::fcntl(fd, F_DUPFD, session_fd + 1); };
  auto answer_copy = high(answer);
  auto session_copy = high(session_dir);
  ::dup2(answer_copy, answer_fd);
  ::dup2(session_copy, session_fd);
  ::close_range(session_fd + 1, ~0u, 0);
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
  if (::fork() == 0)
    answer_and_exit(theirs.get());
  try {
    loop_.watch(answer_.get(), [this] { hear(); });
  } catch (const std::exception&) {
    // No room to watch it: the next look will be.
    answer_.reset();
    next_ = began_ + least_pause;
  }
}

// In the child. What goes wrong, such as no memory, must not come back into
// what was copied from the parent: there it would be a second runner.
void disk_watch::answer_and_exit(int answer) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpriority(PRIO_PROCESS, 0, 19);
  keep_only(answer, session_dir_);
  auto measured = run_guarded(
    [&] {
      prepare_();
      rlimit descriptors{max_depth + 64, max_depth + 64};
      ::setrlimit(RLIMIT_NOFILE, &descriptors);
      auto found = measure(session_fd);
      std::ignore = ::write(answer_fd, &found, sizeof found);
    },
    [](const char* why) {
      std::fprintf(stderr,
                   "greenroom-runner: what the session holds on disk cannot be "
                   "measured: %s\n",
                   why);
    });
  ::_exit(measured ? 0 : 1);
}

disk_watch::usage disk_watch::measure(int session_dir) {
  usage result;
  for (auto name : {"checkout", "home", "tmp"}) {
    tree_size found;
    add_tree(found, session_dir, name, max_depth);
    result.all += found.bytes;
    result.files += found.files;
    result.whole = result.whole && found.whole;
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
  else if (!now.whole)
    told_(std::string{"the session has directories that lie too deep to be "
                      "measured"}
          + what_helps);
}

} // namespace greenroom::runner
