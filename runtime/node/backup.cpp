#include "runtime/node/backup.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/remove_tree.hpp"
#include "runtime/base/run_command.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/base/version.hpp"
#include "runtime/node/preflight.hpp"
#include "runtime/sandbox/session_users.hpp"
#include "runtime/store/connection.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

constexpr const char* store_member = "greenroom.db";
constexpr const char* label_member = "backup.json";
constexpr std::chrono::hours tar_timeout{24};

fs::path absolute_path(const fs::path& path) {
  return fs::absolute(path).lexically_normal();
}

// How tar reaches files of sessions that have users of their own; empty: as it
// is, which is enough for root. In the archive these are numbers as `reach` has
// them then.
using reach = std::vector<std::string>;

reach to_all_sessions(const fs::path& data_dir) {
  std::string why_not;
  auto users = sandbox::session_users::find(
    sessions_dir(data_dir), program_beside("greenroom-runner"), why_not);
  return users ? users->reaching_all() : reach{};
}

command_result tar(std::vector<std::string> args, const reach& by = {}) {
  command what;
  what.argv = by;
  what.argv.emplace_back("tar");
  what.argv.insert(what.argv.end(), std::make_move_iterator(args.begin()),
                   std::make_move_iterator(args.end()));
  what.env = {"LC_ALL=C", "PATH=/usr/bin:/bin"};
  what.timeout = tar_timeout;
  return run_command(what);
}

[[noreturn]] void fail(const std::string& what, const command_result& why) {
  auto text = why.err.substr(0, why.err.find('\n'));
  throw std::runtime_error(what + (text.empty() ? "" : ": " + text));
}

/// What is made beside the archive until that is whole.
class scratch {
public:
  explicit scratch(fs::path path) : path_(std::move(path)) {
    remove_tree(path_);
    ensure_dir(path_);
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() {
    try {
      remove_tree(path_);
    } catch (const std::exception&) {
      // It has a name that says what it is.
    }
  }
  fs::path operator/(const char* name) const {
    return path_ / name;
  }
  const fs::path& path() const noexcept {
    return path_;
  }

private:
  fs::path path_;
};

/// Adds to an archive, and remembers what could not be read. Work goes on in
/// sessions meanwhile, so files change and go.
class archive_writer {
public:
  archive_writer(fs::path file, reach by)
    : file_(std::move(file)), by_(std::move(by)) {
    write_file_atomic(file_, {}, 0600, false);
    if (auto made =
          tar({"--create", "--file", file_, "--files-from=/dev/null"});
        !made.ok())
      fail("cannot write " + file_.string(), made);
  }

  void add(const fs::path& dir, std::vector<std::string> names) {
    std::vector<std::string> args{
      "--append", "--sparse", "--numeric-owner", "--ignore-failed-read",
      "--warning=no-file-changed", "--warning=no-file-removed",
      "--warning=no-file-ignored",
      // What is kept ready for new sessions, and an index that may name packs
      // which were not there yet when tar went by.
      "--anchored", "--exclude=sessions/warm.*",
      "--exclude=repos/*.git/objects/pack/multi-pack-index*", "--file", file_,
      "--directory", dir, "--"};
    args.insert(args.end(), std::make_move_iterator(names.begin()),
                std::make_move_iterator(names.end()));
    auto added = tar(std::move(args), by_);
    // 1: something has changed or gone meanwhile.
    if (!added.exit_code || *added.exit_code > 1)
      fail("cannot write " + file_.string(), added);
    std::istringstream lines{added.err};
    for (std::string line; std::getline(lines, line);)
      left_out_.push_back(std::move(line));
  }

  std::vector<std::string> left_out() && {
    return std::move(left_out_);
  }

private:
  fs::path file_;
  reach by_;
  std::vector<std::string> left_out_;
};

void check_source(const config& settings, const fs::path& data_dir) {
  if (!store::is_embedded(settings.storage.url))
    throw std::runtime_error("the store is "
                             + store::store_name(settings.storage.url)
                             + ": back that up by pg_dump, and the data "
                               "directory by a snapshot of its "
                               "file system after it");
  if (!fs::exists(store::store_file(settings.storage.url, data_dir)))
    throw std::runtime_error("there is no node's data in node.data_dir "
                             + data_dir.string());
}

/// A file, or a directory with its names.
void sync_to_disk(const fs::path& path) {
  unique_fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd || ::fsync(fd.get()) != 0)
    throw std::system_error(errno, std::generic_category(),
                            "cannot sync " + path.string());
}

/// What the backup says of itself.
nlohmann::json label_of(const fs::path& archive) {
  auto label =
    tar({"--extract", "--to-stdout", "--file", archive, "--", label_member});
  auto result = nlohmann::json::parse(label.out, nullptr, false);
  if (!label.ok() || !result.is_object())
    fail(archive.string() + " is no backup that greenroom has made", label);
  return result;
}

} // namespace

backup_report make_backup(const config& settings, const fs::path& archive) {
  const auto data_dir = absolute_path(settings.node.data_dir);
  const auto target = absolute_path(archive);
  check_source(settings, data_dir);
  if (fs::exists(fs::symlink_status(target)))
    throw std::runtime_error(target.string()
                             + " is there already; name another file");
  // Where a disk is not mounted it is not to go to the one below.
  if (!fs::is_directory(target.parent_path()))
    throw std::runtime_error("there is no directory "
                             + target.parent_path().string());
  const scratch beside{target.string() + ".partial"};
  const auto unfinished = beside / "archive";
  const auto by = ::geteuid() == 0 ? reach{} : to_all_sessions(data_dir);
  archive_writer out{unfinished, by};
  out.add(data_dir, {"sessions"});
  store::connection db{settings.storage.url, data_dir, settings.storage.sync};
  store::copy_to(db, beside / store_member);
  const nlohmann::json label{{"data_dir", data_dir.string()},
                             {"version", version()},
                             {"own_users", !by.empty()}};
  write_file_atomic(beside / label_member, label.dump(2) + '\n', 0600, false);
  out.add(beside.path(), {store_member, label_member});
  std::vector<std::string> rest{"repos"};
  // With the keys of hosts that it has met by ssh: they are not trusted anew.
  for (auto name : {"admin.key", "known_hosts"})
    if (fs::exists(data_dir / name))
      rest.emplace_back(name);
  out.add(data_dir, std::move(rest));
  // Whoever then takes the node's disk away has the backup.
  sync_to_disk(unfinished);
  fs::rename(unfinished, target);
  sync_to_disk(target.parent_path());
  return {target, fs::file_size(target), std::move(out).left_out()};
}

void restore_backup(const config& settings, const fs::path& archive) {
  const auto data_dir = absolute_path(settings.node.data_dir);
  const auto source = absolute_path(archive);
  const auto label = label_of(source);
  if (const auto from = label.value("data_dir", ""); from != data_dir)
    throw std::runtime_error(
      "the backup is of the data directory " + from
      + ", whose path the sessions' clones have in them; restore it there (set "
        "node.data_dir)");
  if (fs::exists(data_dir) && !fs::is_empty(data_dir))
    throw std::runtime_error("node.data_dir " + data_dir.string()
                             + " is not empty; move what is in it away");
  ensure_dir(data_dir);
  const auto by =
    label.value("own_users", false) ? to_all_sessions(data_dir) : reach{};
  auto extracted =
    tar({"--extract", "--preserve-permissions", "--numeric-owner", "--file",
         source, "--directory", data_dir},
        by);
  if (!extracted.ok())
    fail("cannot restore " + source.string(), extracted);
  fs::remove(data_dir / label_member);
  const auto store = store::store_file(settings.storage.url, data_dir);
  if (store != data_dir / store_member) {
    ensure_dir(store.parent_path());
    fs::copy_file(data_dir / store_member, store);
    fs::remove(data_dir / store_member);
  }
}

} // namespace greenroom
