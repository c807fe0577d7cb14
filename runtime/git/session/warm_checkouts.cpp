#include "runtime/git/session/warm_checkouts.hpp"

#include "runtime/git/mirror/pack_index.hpp"
#include "runtime/git/session/usual_modes.hpp"

#include <spdlog/spdlog.h>

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <future>
#include <iterator>
#include <system_error>
#include <utility>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::hours max_age{24};
constexpr std::chrono::minutes look_period{1};
constexpr std::chrono::hours index_period{1};
constexpr const char* prefix = "warm.";

// With fewer users than this each is left to a session.
constexpr std::uint32_t enough_users = 1000;

// A part of the file system that is left to everybody else.
constexpr std::uint64_t room_left = 20;

// This thread and what it starts get what nobody else wants, of the processor a
// little more: others wait for it where it holds a lock of libgit2's.
void step_back() {
  constexpr int idle_class = 3 << 13; // IOPRIO_CLASS_IDLE, of the kernel's uapi
  constexpr int this_thread = 1;      // IOPRIO_WHO_PROCESS
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 10);
  ::syscall(SYS_ioprio_set, this_thread, 0, idle_class);
}

// What cannot be compared is not used.
bool may_become(const mirror& of, const warm_tree& tree,
                const std::string& commit) {
  try {
    return is_near(distance(of.path(), tree.commit, commit, tree.size.files),
                   tree.size.files);
  } catch (const std::exception& e) {
    spdlog::warn("the checkout that is ready for {} stays unused: {}",
                 of.path().string(), e.what());
    return false;
  }
}

} // namespace

warm_checkouts::warm_checkouts(warm_limits limits, warm_place where)
  : limits_(limits), where_(std::move(where)),
    stop_(::eventfd(0, EFD_CLOEXEC)) {
  if (!stop_)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make an eventfd");
  std::error_code none;
  for (const auto& entry : fs::directory_iterator{where_.sessions, none})
    if (entry.path().filename().string().starts_with(prefix))
      doomed_.push_back(entry.path());
  thread_ = std::thread{[this] { work(); }};
}

warm_checkouts::~warm_checkouts() {
  {
    std::lock_guard guard{mutex_};
    stopping_ = true;
  }
  ::eventfd_write(stop_.get(), 1);
  changed_.notify_all();
  thread_.join();
  kept_.clear(); // while there is still a list of what is to go
}

warm_checkouts::tree_ptr warm_checkouts::take(const mirror& of,
                                              const std::string& commit) {
  tree_ptr offered;
  {
    std::lock_guard guard{mutex_};
    if (auto found = find(of.path()); found != kept_.end())
      offered = found->tree;
  }
  if (!offered || !may_become(of, *offered, commit))
    return nullptr;
  std::lock_guard guard{mutex_};
  auto found = find(of.path());
  if (found == kept_.end() || found->tree != offered)
    return nullptr; // somebody was faster
  kept_.erase(found);
  return offered;
}

void warm_checkouts::want(const mirror& of, const std::string& branch,
                          const tree_size& size) {
  std::lock_guard guard{mutex_};
  std::erase_if(wishes_,
                [&](const wish& one) { return one.of.path() == of.path(); });
  wishes_.push_back({of, branch, size});
  changed_.notify_all();
}

void warm_checkouts::forget(const fs::path& mirror) {
  tree_ptr gone; // whose end takes the lock
  std::lock_guard guard{mutex_};
  std::erase_if(wishes_,
                [&](const wish& one) { return one.of.path() == mirror; });
  if (making_ == mirror)
    making_.reset();
  if (auto found = find(mirror); found != kept_.end()) {
    gone = std::move(found->tree);
    kept_.erase(found);
  }
}

void warm_checkouts::wait_until_done() {
  std::unique_lock lock{mutex_};
  changed_.wait(
    lock, [this] { return !busy_ && wishes_.empty() && doomed_.empty(); });
}

std::list<warm_checkouts::kept>::iterator
warm_checkouts::find(const fs::path& mirror) {
  return std::ranges::find(kept_, mirror, &kept::mirror);
}

// -- the thread ---------------------------------------------------------------

void warm_checkouts::work() {
  std::unique_lock lock{mutex_};
  auto next_look = clock::now() + look_period;
  while (!stopping_) {
    if (clock::now() >= next_look) {
      aside(lock, [this] { look_after(); });
      next_look = clock::now() + look_period;
    } else if (!doomed_.empty()) {
      auto dir = std::move(doomed_.back());
      doomed_.pop_back();
      aside(lock, [&] { remove(dir); });
    } else if (!wishes_.empty()) {
      auto next = std::move(wishes_.front());
      wishes_.pop_front();
      making_ = next.of.path();
      aside(lock, [&] { fulfil(next); });
      aside(lock, [&] { index(next.of.path()); });
    } else {
      changed_.wait_until(lock, next_look);
    }
  }
}

void warm_checkouts::aside(std::unique_lock<std::mutex>& lock,
                           const std::function<void()>& what) {
  busy_ = true;
  lock.unlock();
  try {
    what();
  } catch (const std::exception& e) {
    spdlog::info("no checkout is kept ready: {}", e.what());
  }
  lock.lock();
  busy_ = false;
  changed_.notify_all();
}

void warm_checkouts::remove(const fs::path& dir) {
  std::async(std::launch::async, [&] {
    step_back();
    remove_warm_tree(dir, where_.users.get());
  }).get();
}

void warm_checkouts::look_after() {
  std::vector<fs::path> mirrors;
  {
    std::lock_guard guard{mutex_};
    std::ranges::transform(kept_, std::back_inserter(mirrors), &kept::mirror);
  }
  for (const auto& mirror : mirrors)
    if (!is_wanted(mirror))
      forget(mirror);
  std::list<kept> gone;
  std::lock_guard guard{mutex_};
  const auto oldest =
    has_room(0) ? clock::now() - max_age : clock::time_point::max();
  while (!kept_.empty() && kept_.front().since < oldest)
    gone.splice(gone.end(), kept_, kept_.begin());
}

bool warm_checkouts::is_wanted(const fs::path& mirror) const {
  try {
    return !limits_.is_wanted || limits_.is_wanted(mirror.stem());
  } catch (const std::exception&) {
    return true; // it will be asked again
  }
}

void warm_checkouts::fulfil(const wish& what) {
  if (limits_.projects == 0 || what.size.files < limits_.min_files)
    return;
  auto tip = what.of.resolve_branch(what.branch);
  if (!tip || !is_wanted(what.of.path()) || is_kept(what, *tip)
      || !has_room(what.size.bytes))
    return;
  keep(what, make(what, *tip));
}

// One that fails is not tried by each session that is made.
void warm_checkouts::index(const fs::path& mirror) {
  const auto now = clock::now();
  std::erase_if(indexed_, [&](const auto& one) {
    return now - one.second >= index_period;
  });
  if (indexed_.contains(mirror))
    return;
  auto tried = std::async(std::launch::async, [&] {
    use_usual_modes();
    step_back();
    try {
      return index_packs(mirror, stop_.get());
    } catch (const std::exception& e) {
      spdlog::info("{}", e.what());
      return true;
    }
  });
  if (tried.get())
    indexed_[mirror] = clock::now();
}

// True where the one that is there will do; else it is no more.
bool warm_checkouts::is_kept(const wish& what, const std::string& tip) {
  tree_ptr there;
  {
    std::lock_guard guard{mutex_};
    if (auto found = find(what.of.path()); found != kept_.end()) {
      found->since = clock::now();
      there = found->tree;
      kept_.splice(kept_.end(), kept_, found);
    }
  }
  if (!there || may_become(what.of, *there, tip))
    return there != nullptr;
  std::lock_guard guard{mutex_};
  if (auto found = find(what.of.path()); found != kept_.end())
    kept_.erase(found); // `there` has it still
  return false;
}

// The user is settled at once: for that all sessions wait for one another.
warm_checkouts::tree_ptr warm_checkouts::make(const wish& what,
                                              const std::string& tip) {
  warm_spec spec{where_.sessions / (prefix + std::to_string(++made_)),
                 what.of.path(), tip, where_.seen_owner};
  spec.users = where_.users;
  spec.limits = where_.limits;
  spec.stop_fd = stop_.get();
  use_usual_modes();
  fs::create_directory(spec.dir);
  try {
    if (where_.users && where_.users->count() >= enough_users)
      spec.owner = where_.users->settle(spec.dir);
    return owned(std::async(std::launch::async, [&] {
                   use_usual_modes();
                   step_back();
                   return make_warm_tree(spec);
                 }).get());
  } catch (...) {
    doom(spec.dir);
    throw;
  }
}

warm_checkouts::tree_ptr warm_checkouts::owned(warm_tree tree) {
  return {new warm_tree{std::move(tree)}, [this](const warm_tree* it) {
            const std::unique_ptr<const warm_tree> last{it};
            doom(last->dir);
          }};
}

void warm_checkouts::doom(const fs::path& dir) {
  std::lock_guard guard{mutex_};
  doomed_.push_back(dir);
  changed_.notify_all();
}

void warm_checkouts::keep(const wish& what, tree_ptr tree) {
  std::list<kept> gone;
  std::lock_guard guard{mutex_};
  if (making_ != what.of.path())
    return; // forgotten meanwhile
  kept_.push_back({what.of.path(), std::move(tree), clock::now()});
  while (kept_.size() > limits_.projects)
    gone.splice(gone.end(), kept_, kept_.begin());
}

// Only where so much more may be written.
bool warm_checkouts::has_room(std::uint64_t bytes) const {
  struct statvfs info {};
  if (::statvfs(where_.sessions.c_str(), &info) != 0)
    return false;
  const auto free = std::uint64_t{info.f_bavail} * info.f_frsize;
  const auto least = info.f_blocks * info.f_frsize / room_left;
  // A file system that does not count its files has none in all.
  return free >= least + bytes && info.f_favail >= info.f_files / room_left;
}

} // namespace greenroom::git
