#include "runtime/sandbox/cgroups.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/pidfd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <sstream>
#include <system_error>

namespace greenroom::sandbox {

namespace fs = std::filesystem;

namespace {

// Control files are there or not, and take one write each.
void put(const fs::path& file, const std::string& value) {
  unique_fd fd{::open(file.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!fd
      || ::write(fd.get(), value.data(), value.size())
           != static_cast<ssize_t>(value.size()))
    throw std::system_error(errno, std::generic_category(),
                            "cannot write " + file.string());
}

void make_group(const fs::path& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make the control group " + path.string());
}

std::vector<pid_t> members(const fs::path& group) {
  std::istringstream text{read_file(group / "cgroup.procs").value_or("")};
  std::vector<pid_t> result;
  for (pid_t pid; text >> pid;)
    result.push_back(pid);
  return result;
}

void kill_members(const fs::path& group) {
  for (auto pid : members(group)) {
    // Pinned first, then looked up again: by now the number may be another's.
    auto process = open_pidfd(pid);
    auto now = members(group);
    if (process && std::find(now.begin(), now.end(), pid) != now.end())
      signal_pidfd(process, SIGKILL);
  }
}

// Where programs look for control groups.
const fs::path groups_inside = "/sys/fs/cgroup";

// Of the group that the node moves to; see control_groups::find.
constexpr const char* leaf_name = "node";

bool remove_group(const fs::path& group) {
  // A session's network, which ends last, may take its time: 10 s.
  constexpr int attempts = 2000;
  for (int left = attempts; left > 0; --left) {
    if (::rmdir(group.c_str()) == 0 || errno == ENOENT)
      return true;
    if (errno != EBUSY)
      return false;
    kill_members(group);
    ::poll(nullptr, 0, 5); // an end in a control group can't be waited for
  }
  return false;
}

} // namespace

// -- finding ------------------------------------------------------------------

class group_search {
public:
  explicit group_search(control_groups::limits each) : each_(each) {
    std::istringstream mounts{
      read_file(fs::path{"/proc/self/mountinfo"}).value_or("")};
    for (std::string line; std::getline(mounts, line);)
      take_mount(line);
    find_v2();
    find_v1("memory", {{"memory.limit_in_bytes", memory()},
                       {"memory.memsw.limit_in_bytes", memory(), true}});
    find_v1("pids", {{"pids.max", processes()}});
    find_v1("cpu", {{"cpu.cfs_quota_us", quota("-1"), true}});
    show_other("cpuset");
    show_other("cpuacct");
    complain("memory", "sandbox.memory");
    complain("pids", "sandbox.pids");
    if (each_.processors > 0)
      complain("cpu", "sandbox.processors, beyond what programs see,");
  }

  control_groups take() {
    return std::move(result_);
  }

private:
  using hierarchy = control_groups::hierarchy;
  using setting = control_groups::setting;

  struct mount {
    std::string type;
    std::string root;
    fs::path point;
    std::string options; // ",memory,…,"
  };

  std::string memory() const {
    return std::to_string(each_.memory);
  }
  std::string processes() const {
    return std::to_string(each_.processes);
  }
  // Microseconds in each tenth of a second.
  std::string quota(const char* all) const {
    return each_.processors == 0
             ? all
             : std::to_string(each_.processors * 100'000ULL);
  }

  // 36 35 98:0 /root /point rw,… tags… - type source rw,memory
  void take_mount(const std::string& line) {
    auto dash = line.find(" - ");
    if (dash == std::string::npos)
      return;
    mount made;
    std::string skipped;
    std::string point;
    std::istringstream head{line.substr(0, dash)};
    head >> skipped >> skipped >> skipped >> made.root >> point;
    std::istringstream tail{line.substr(dash + 3)};
    tail >> made.type >> skipped >> made.options;
    made.point = point;
    made.options = ',' + made.options + ',';
    if (made.type == "cgroup" || made.type == "cgroup2")
      mounts_.push_back(std::move(made));
  }

  // The directory of the node's own group; empty where it cannot be seen.
  // `controller` empty: v2.
  fs::path own_group(const mount& where, const std::string& controller) const {
    // 4:memory:/a/b, or 0::/a/b for v2
    std::istringstream text{
      read_file(fs::path{"/proc/self/cgroup"}).value_or("")};
    for (std::string line; std::getline(text, line);) {
      auto first = line.find(':');
      auto second = line.find(':', first + 1);
      if (second == std::string::npos)
        continue;
      auto names = line.substr(first + 1, second - first - 1);
      if (controller.empty() ? !names.empty()
                             : (',' + names + ',').find(',' + controller + ',')
                                 == std::string::npos)
        continue;
      // The mount may show no more than a part of the tree, as in a container.
      auto inside =
        fs::path{line.substr(second + 1)}.lexically_relative(where.root);
      if (inside.empty() || *inside.begin() == "..")
        return where.root == "/" ? fs::path{} : where.point;
      return inside == "." ? where.point : where.point / inside;
    }
    return {};
  }

  bool has(std::string_view controller) const noexcept {
    return result_.has(controller);
  }

  void find_v2() {
    auto where =
      std::find_if(mounts_.begin(), mounts_.end(),
                   [](const mount& m) { return m.type == "cgroup2"; });
    if (where == mounts_.end())
      return;
    auto own = own_group(*where, "");
    if (own.empty())
      return;
    // Where an earlier node, or systemd's DelegateSubgroup, has put us.
    auto divided = own.filename() == leaf_name;
    if (divided)
      own = own.parent_path();
    hierarchy found;
    std::istringstream names{
      read_file(own / "cgroup.controllers").value_or("")};
    for (std::string name; names >> name;) {
      if (name != "memory" && name != "pids" && name != "cpu")
        continue;
      found.controllers.push_back(name);
      if (name == "memory") {
        found.settings.push_back({"memory.max", memory()});
        found.settings.push_back({"memory.swap.max", "0", true});
      } else if (name == "pids") {
        found.settings.push_back({"pids.max", processes()});
      } else {
        found.settings.push_back({"cpu.max", quota("max"), true});
      }
    }
    if (found.controllers.empty())
      return;
    found.top = own / "greenroom";
    found.shown_at =
      is_below(where->point, groups_inside) ? where->point : groups_inside;
    try {
      divide(own, found, !divided);
      try_out(found);
    } catch (const std::system_error& problem) {
      for (const auto& name : found.controllers)
        reasons_[name] = problem.what();
    }
  }

  // Hands the controllers down to the sessions' groups.
  static void divide(const fs::path& own, const hierarchy& found,
                     bool may_move) {
    std::string all;
    for (const auto& name : found.controllers)
      all += (all.empty() ? "+" : " +") + name;
    try {
      put(own / "cgroup.subtree_control", all);
    } catch (const std::system_error& problem) {
      if (!may_move || problem.code() != std::errc::device_or_resource_busy)
        throw;
      // Processes in a group keep it from being divided: we are one of them,
      // and if we are not the only one, we go back.
      auto leaf = own / leaf_name;
      make_group(leaf);
      put(leaf / "cgroup.procs", "0");
      try {
        put(own / "cgroup.subtree_control", all);
      } catch (const std::system_error&) {
        put(own / "cgroup.procs", "0");
        ::rmdir(leaf.c_str());
        throw;
      }
    }
    make_group(found.top);
    put(found.top / "cgroup.subtree_control", all);
  }

  std::vector<mount>::const_iterator
  mount_of_v1(const std::string& controller) const {
    return std::find_if(mounts_.begin(), mounts_.end(), [&](const mount& m) {
      return m.type == "cgroup"
             && m.options.find(',' + controller + ',') != std::string::npos;
    });
  }

  void show_other(const std::string& controller) {
    auto where = mount_of_v1(controller);
    if (where == mounts_.end())
      return;
    auto at = groups_inside / where->point.filename();
    auto shown = [&](const auto& one) { return one.shown_at == at; };
    // Mounted together with one that sessions have groups in.
    if (std::ranges::any_of(result_.hierarchies_, shown))
      return;
    if (auto own = own_group(*where, controller); !own.empty())
      result_.others_.push_back({own, at});
  }

  void find_v1(const std::string& controller, std::vector<setting> settings) {
    if (has(controller))
      return;
    auto where = mount_of_v1(controller);
    if (where == mounts_.end())
      return;
    auto own = own_group(*where, controller);
    if (own.empty())
      return;
    try {
      make_group(own / "greenroom");
      try_out({own / "greenroom",
               groups_inside / where->point.filename(),
               {controller},
               std::move(settings)});
    } catch (const std::system_error& problem) {
      reasons_[controller] = problem.what();
    }
  }

  void try_out(const hierarchy& found) {
    auto probe = "probe-" + std::to_string(::getpid());
    try {
      control_groups::open_in(found, probe);
    } catch (const std::system_error&) {
      remove_group(found.top / probe);
      throw;
    }
    remove_group(found.top / probe);
    result_.hierarchies_.push_back(found);
  }

  void complain(const std::string& controller, const std::string& key) {
    if (has(controller))
      return;
    auto reason = reasons_.find(controller);
    result_.missing_.push_back(
      key + " is not in force: "
      + (reason != reasons_.end()
           ? reason->second
           : "the node has no control group of which it could give"));
  }

  control_groups::limits each_;
  std::vector<mount> mounts_;
  std::map<std::string, std::string> reasons_; // by controller
  control_groups result_;
};

control_groups control_groups::find(limits each) {
  return group_search{each}.take();
}

// -- using --------------------------------------------------------------------

bool control_groups::has(std::string_view controller) const noexcept {
  return std::any_of(hierarchies_.begin(), hierarchies_.end(),
                     [&](const hierarchy& one) {
                       return std::find(one.controllers.begin(),
                                        one.controllers.end(), controller)
                              != one.controllers.end();
                     });
}

bool control_groups::limits_memory() const noexcept {
  return has("memory");
}

bool control_groups::limits_processes() const noexcept {
  return has("pids");
}

std::string control_groups::open_in(const hierarchy& where,
                                    const std::string& session_id) {
  auto group = where.top / session_id;
  make_group(group);
  for (const auto& one : where.settings)
    try {
      put(group / one.file, one.value);
    } catch (const std::system_error& problem) {
      // v1 takes no limit below what is used; the one before stays.
      if (!(one.optional
            && problem.code() == std::errc::no_such_file_or_directory)
          && problem.code() != std::errc::device_or_resource_busy)
        throw;
    }
  return group.string();
}

std::vector<std::string>
control_groups::open(const std::string& session_id) const {
  std::vector<std::string> result;
  for (const auto& one : hierarchies_)
    result.push_back(open_in(one, session_id));
  return result;
}

std::vector<std::string>
control_groups::directories(const std::string& session_id) const {
  std::vector<std::string> result;
  for (const auto& one : hierarchies_)
    result.push_back((one.top / session_id).string());
  return result;
}

std::vector<control_groups::view>
control_groups::views(const std::string& session_id) const {
  auto result = others_;
  for (const auto& one : hierarchies_)
    // Of several controllers that are mounted together, once.
    if (std::ranges::none_of(
          result, [&](const view& other) { return other.at == one.shown_at; }))
      result.push_back({one.top / session_id, one.shown_at});
  // What is at the top first, or it would cover the others.
  std::ranges::sort(result, {}, &view::at);
  return result;
}

bool remove_groups(const std::vector<std::string>& directories) {
  bool all = true;
  for (const auto& directory : directories)
    all = remove_group(directory) && all;
  return all;
}

} // namespace greenroom::sandbox
