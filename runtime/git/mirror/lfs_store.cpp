#include "runtime/git/mirror/lfs_store.hpp"

#include "messages/errors.hpp"
#include "runtime/base/failpoint.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/find_program.hpp"
#include "runtime/base/memfd.hpp"
#include "runtime/base/remove_tree.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/lfs_kept.hpp"
#include "runtime/git/mirror/lfs_reason.hpp"
#include "runtime/git/mirror/stoppable_git.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <utility>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::minutes transfer_timeout{10};

// What a pointer says, which stands for the contents in commits.
std::string pointer_to(const lfs_object& what) {
  return "version https://git-lfs.github.com/spec/v1\noid sha256:" + what.oid
         + "\nsize " + std::to_string(what.size) + '\n';
}

std::string settings_for(const std::string& upstream) {
  std::string url = "\"";
  for (auto c : upstream) {
    if (c == '"' || c == '\\')
      url += '\\';
    url += c;
  }
  return "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
         "[remote \"origin\"]\n\turl = "
         + url
         + "\"\n[lfs]\n\tlocksverify = false\n\tactivitytimeout = 20\n"
           "\tdialtimeout = 10\n";
}

std::string reason_of(const command_result& result) {
  return result.timed_out ? "it took too long" : lfs_reason(result.err);
}

// Where git-lfs keeps contents.
fs::path place_in_repository(const std::string& oid) {
  return fs::path{"lfs/objects"} / oid.substr(0, 2) / oid.substr(2, 2) / oid;
}

void need_program() {
  if (!lfs_store::available())
    throw refused{errc::unavailable,
                  "contents of Git LFS need the program git-lfs, which the "
                  "server does not have: install it on the node"};
}

} // namespace

lfs_store::lfs_store(const mirror& of, const std::string& default_branch,
                     std::shared_ptr<const credentials> keys, lfs_limits limits)
  : mirror_(of), top_(of.path() / "lfs.git"), keys_(std::move(keys)),
    limits_(std::move(limits)) {
  auto tip = of.resolve_branch(default_branch);
  head_ = tip ? *tip + '\n' : "ref: refs/heads/none\n";
  make_repository(top_);
}

// Or brings it up to date.
void lfs_store::make_repository(const fs::path& at) const {
  auto put = [](const fs::path& file, const std::string& text) {
    if (read_file(file) != text)
      write_file_atomic(file, text, 0644, false);
  };
  ensure_dir(at / "objects/info");
  ensure_dir(at / "refs/heads");
  put(at / "objects/info/alternates",
      (mirror_.path() / "objects").string() + '\n');
  // git-lfs adds to it.
  auto settings = settings_for(mirror_.upstream());
  if (!read_file(at / "config").value_or("").starts_with(settings))
    write_file_atomic(at / "config", settings, 0644, false);
  put(at / "HEAD", head_);
}

bool lfs_store::available() {
  return !find_program("git-lfs").empty();
}

fs::path lfs_store::place_of(const lfs_object& what) const {
  if (!is_lfs_oid(what.oid))
    throw refused{errc::bad_request, "an id of Git LFS has 64 hex digits"};
  return top_ / place_in_repository(what.oid);
}

unique_fd lfs_store::find(const lfs_object& what) const {
  unique_fd file{::open(place_of(what).c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat kept {};
  if (!file || ::fstat(file.get(), &kept) != 0 || !S_ISREG(kept.st_mode)
      || static_cast<std::uint64_t>(kept.st_size) != what.size)
    return {};
  ::futimens(file.get(), nullptr);
  return file;
}

command_result lfs_store::run(const fs::path& repository,
                              std::vector<std::string> args,
                              int stdin_fd) const {
  auto access = keys_->to(mirror_.upstream());
  server_git call{{}, std::move(args)};
  call.args.insert(call.args.begin(), "lfs");
  call.env = std::move(access.env);
  call.cwd = repository;
  call.stdin_fd = stdin_fd;
  call.timeout = transfer_timeout;
  call.max_output = 64 * 1024;
  auto result =
    run_until(call, limits_.until_stop ? limits_.calls->stop_fd() : -1);
  if (!result)
    throw refused{errc::unavailable, "the server stops, try again in a moment"};
  return std::move(*result);
}

unique_fd lfs_store::fetch(const lfs_object& what) const {
  auto place = place_of(what);
  auto turn = limits_.calls->only(place, limits_.until_stop);
  if (auto file = find(what))
    return file;
  need_program();
  auto pointer = memfd(pointer_to(what));
  auto result = run(top_, {"smudge", "--", "contents"}, pointer.get());
  if (auto file = find(what)) {
    limits_.space->added(place);
    return file;
  }
  if (auto kept = kept_contents(mirror_, rescued_lfs(mirror_), what)) {
    deliver_in_turn(what, kept.get());
    return find(what);
  }
  throw refused{errc::not_found,
                "the upstream does not give the contents of Git LFS " + what.oid
                  + ": " + reason_of(result)};
}

void lfs_store::deliver(const lfs_object& what, int fd) const {
  auto place = place_of(what);
  auto turn = limits_.calls->only(place, limits_.until_stop);
  if (!find(what)) // it is from the upstream, or was delivered before
    deliver_in_turn(what, fd);
}

void lfs_store::deliver_in_turn(const lfs_object& what, int fd) const {
  const auto place = place_of(what);
  need_program();
  struct incoming {
    fs::path at;
    ~incoming() {
      std::error_code none; // the next one to bring the same removes the rest
      fs::remove_all(at, none);
    }
  } own{top_ / "incoming" / what.oid};
  remove_tree(own.at);
  make_repository(own.at);
  send_from(own.at, what, fd);
  ensure_dir(place.parent_path());
  fs::rename(own.at / place_in_repository(what.oid), place);
  limits_.space->added(place);
}

void lfs_store::send_from(const fs::path& repository, const lfs_object& what,
                          int fd) const {
  auto taken = run(repository, {"clean", "--", "contents"}, fd);
  if (!taken.ok())
    throw refused{errc::conflict,
                  "git-lfs cannot take contents: " + reason_of(taken)};
  if (taken.out != pointer_to(what))
    throw refused{errc::bad_request,
                  "these are not the contents of Git LFS " + what.oid};
  failpoint("lfs.taken");
  auto sent = run(repository, {"push", "--object-id", "origin", what.oid}, -1);
  if (!sent.ok())
    throw refused{errc::conflict, "the upstream does not take contents of Git "
                                  "LFS: "
                                    + reason_of(sent)};
}

} // namespace greenroom::git
