#include "runtime/sandbox/assets.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "runtime/sandbox/seccomp.hpp"
#include "runtime/sandbox/system_accounts.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

namespace greenroom::sandbox {

namespace fs = std::filesystem;

namespace {

constexpr const char* login_shell_file = "profile.d/greenroom.sh";
constexpr const char* chromium_file = "chromium.d/greenroom";

// All or none: a device that cannot be opened, as on a file system that is
// mounted with nodev, is worse than the host's.
void make_devices(const fs::path& devices) {
  constexpr uid_t nobody = 65534;
  auto made = devices;
  made += ".new";
  fs::remove_all(made);
  ensure_dir(made);
  for (const auto* name : device_names) {
    auto path = made / name;
    struct stat model {};
    auto works = ::stat((fs::path{"/dev"} / name).c_str(), &model) == 0
                 && ::mknod(path.c_str(), S_IFCHR, model.st_rdev) == 0
                 && ::chmod(path.c_str(), 0666) == 0
                 && ::chown(path.c_str(), nobody, nobody) == 0;
    // Without a terminal /dev/tty cannot be opened by anybody.
    if (works && std::string_view{name} != "tty")
      works = bool{unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)}};
    if (!works) {
      fs::remove_all(made);
      return;
    }
  }
  fs::rename(made, devices);
}

// What is there already may be in use, and a full disk must not keep a node
// from starting with the same again.
void write_if_new(const fs::path& path, std::string_view text, mode_t mode) {
  if (read_file(path) == text)
    return;
  write_file_atomic(path, text, mode, false);
  if (::chmod(path.c_str(), mode) != 0)
    throw std::system_error(errno, std::generic_category(),
                            "cannot set the mode of " + path.string());
}

// A file of the host's; empty where not everybody may read it.
std::string for_everybody(const char* path) {
  struct stat info {};
  if (::stat(path, &info) != 0 || (info.st_mode & 04) == 0)
    return {};
  return read_file(fs::path{path}).value_or("");
}

// What is installed for all by npm goes to the home, the rest is as the host
// has it; but not what opens the doors of its registries.
std::string npm_settings() {
  std::istringstream host{for_everybody("/etc/npmrc")};
  std::string result;
  for (std::string line; std::getline(host, line);)
    if (line.find("_auth") == line.npos && line.find("_password") == line.npos
        && !line.starts_with("prefix"))
      result += line + '\n';
  return result + "prefix=${HOME}/.local\n";
}

// Into a directory that is a copy of the host's, where that has one. One that
// is a link there leads out of the copy.
void write_below(const fs::path& etc, const char* file, std::string_view text) {
  auto path = etc / file;
  auto directory = path.parent_path();
  std::error_code none;
  if (fs::is_symlink(directory, none))
    return;
  ensure_dir(directory, 0755);
  if (::chmod(directory.c_str(), 0755) != 0)
    throw std::system_error(errno, std::generic_category(),
                            "cannot open up " + directory.string());
  write_if_new(path, text, 0644);
}

} // namespace

std::vector<std::string> made_names() {
  return {"passwd",         "group",      "nsswitch.conf", "hosts",
          "resolv.conf",    "hostname",   "machine-id",    "npmrc",
          login_shell_file, chromium_file};
}

void write_made_files(const fs::path& files) {
  auto etc = made_etc(files);
  ensure_dir(etc, 0755);
  if (::chmod(etc.c_str(), 0755) != 0)
    throw std::system_error(errno, std::generic_category(),
                            "cannot open up " + etc.string());
  const std::string name = host_name_inside;
  auto write = [&](const char* file, const std::string& text) {
    write_if_new(etc / file, text, 0644);
  };
  write("passwd", passwd_inside(for_everybody("/etc/passwd")));
  write("group", group_inside(for_everybody("/etc/group")));
  write("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"
                         "protocols: files\nservices: files\n");
  write("hosts",
        "127.0.0.1 localhost " + name + "\n::1 localhost " + name + '\n');
  write("hostname", name + '\n');
  // All sessions are of one machine to the programs that ask.
  write("machine-id", "677265656e726f6f6d67726565726f6f\n");
  write("npmrc", npm_settings());
  // A login shell forgets the PATH that it is given.
  write_below(etc, login_shell_file,
              "case :$PATH: in *:$HOME/.local/bin:*) ;; *) PATH=$HOME/.local/"
              "bin:$HOME/go/bin:$HOME/.cargo/bin:$PATH:/usr/local/sbin:/usr/"
              "sbin:/sbin ;; esac\n");
  // Its own sandbox cannot be made in this one, and it would not start.
  write_below(etc, chromium_file,
              "CHROMIUM_FLAGS=\"$CHROMIUM_FLAGS --no-sandbox\"\n");
  // slirp4netns answers there, whatever the host uses.
  write("resolv.conf", "nameserver 10.0.2.3\n");
  // Those that are there may be in use.
  if (::geteuid() == 0 && !has_devices(files))
    make_devices(made_devices(files));
  write_if_new(made_seccomp(files), seccomp_program(), 0600);
  const auto repository = made_repository(files);
  for (const auto& dir :
       {repository, repository / "objects", repository / "refs"})
    ensure_dir(dir);
  write_if_new(repository / "HEAD", "ref: refs/heads/none\n", 0600);
}

fs::path made_etc(const fs::path& files) {
  return files / "etc";
}

fs::path made_devices(const fs::path& files) {
  return files / "dev";
}

bool has_devices(const fs::path& files) {
  std::error_code none;
  return fs::exists(made_devices(files), none);
}

fs::path made_seccomp(const fs::path& files) {
  return files / "seccomp.bpf";
}

fs::path made_repository(const fs::path& files) {
  return files / "empty.git";
}

} // namespace greenroom::sandbox
