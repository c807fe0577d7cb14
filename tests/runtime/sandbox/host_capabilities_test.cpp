// What the start of a node finds out about its machine, and the plan that the
// runner gets.
#include "runtime/base/fd.hpp"
#include "tests/runtime/sandbox/sandbox_session.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cstdlib>

using namespace greenroom;
using namespace greenroom::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

std::string refusal(const config& settings) {
  try {
    sandbox::check_host(settings, runner_binary);
    return "";
  } catch (const std::runtime_error& problem) {
    return problem.what();
  }
}

// False, with a warning, where no session could have the network "nat".
bool nat_is_there() {
  unique_fd tun{::open("/dev/net/tun", O_RDWR | O_CLOEXEC)};
  if (!tun)
    WARN("not tested: /dev/net/tun cannot be opened");
  return bool{tun};
}

// PATH as a test wants it, until its end.
class path_variable {
public:
  explicit path_variable(const std::string& value)
    : before_(std::getenv("PATH")) {
    ::setenv("PATH", value.c_str(), 1);
  }
  path_variable(const path_variable&) = delete;
  path_variable& operator=(const path_variable&) = delete;
  ~path_variable() {
    ::setenv("PATH", before_.c_str(), 1);
  }

private:
  std::string before_;
};

} // namespace

TEST_CASE("a host that can hold sessions passes, and nothing is left") {
  temp_dir dir;
  auto settings = sandbox_settings(dir.path());
  auto host = sandbox::check_host(settings, runner_binary);
  CHECK(host.bwrap.is_absolute());
  CHECK(fs::exists(dir.path() / "sandbox/seccomp.bpf"));
  CHECK(fs::exists(dir.path() / "sandbox/etc/passwd"));
  CHECK_FALSE(fs::exists(dir.path() / "sandbox/trial"));
  // A second start finds what the first one wrote.
  CHECK(refusal(settings) == "");
}

TEST_CASE("what no sandbox of this kind limits is said") {
  temp_dir dir;
  auto host = sandbox::check_host(sandbox_settings(dir.path()), runner_binary);
  auto says = [&](const std::string& what) {
    return std::any_of(
      host.not_in_force.begin(), host.not_in_force.end(),
      [&](const auto& line) { return line.find(what) != std::string::npos; });
  };
  CHECK(says("limited some seconds late"));
  CHECK(says("epoll and inotify") == !host.users);
  CHECK_FALSE(says("slirp4netns"));
}

TEST_CASE("every kind of network can be planned") {
  for (auto network :
       {network_mode::nat, network_mode::none, network_mode::host}) {
    if (network == network_mode::nat && !nat_is_there())
      continue;
    temp_dir dir;
    auto settings = sandbox_settings(dir.path());
    settings.sandbox.network = network;
    CHECK(refusal(settings) == "");
  }
}

TEST_CASE("mode none finds nothing out, and says what that means") {
  config settings;
  settings.node.data_dir = "/no/such/directory";
  settings.sandbox.mode = sandbox_mode::none;
  auto host = sandbox::check_host(settings, runner_binary);
  REQUIRE(host.not_in_force.size() == 1);
  CHECK_THAT(host.not_in_force[0], Contains("sandbox.mode is \"none\""));
}

TEST_CASE("what is not installed is named, with what to do") {
  temp_dir dir;
  auto settings = sandbox_settings(dir.path());
  {
    path_variable nothing{dir.path().string()};
    auto text = refusal(settings);
    CHECK_THAT(text, Contains("install bubblewrap"));
    CHECK_THAT(text, !Contains("none")); // advice that gives the wall up
  }
  auto host = sandbox::check_host(settings, runner_binary);
  settings.sandbox.network = network_mode::nat;
  fs::create_symlink(host.bwrap, dir.path() / "bwrap");
  path_variable only_bwrap{dir.path().string()};
  CHECK_THAT(refusal(settings), Contains("there is no slirp4netns: install"));
}

TEST_CASE("listed paths that are not there are named") {
  temp_dir dir;
  auto settings = sandbox_settings(dir.path());
  settings.sandbox.read_only.push_back("/no/such/place");
  CHECK_THAT(refusal(settings), Contains("\"/no/such/place\""));
}

TEST_CASE("the data directory cannot be listed, by whatever name") {
  temp_dir dir;
  temp_dir elsewhere;
  auto settings = sandbox_settings(dir.path());
  fs::create_directories(dir.path() / "sessions");
  fs::create_symlink(dir.path(), elsewhere.path() / "link");
  for (const auto& path :
       {fs::path{"/"}, dir.path(), dir.path() / "sessions",
        dir.path() / "sessions/", elsewhere.path() / "link"}) {
    settings.sandbox.read_only = {"/usr", path.string()};
    CHECK_THAT(refusal(settings), Contains("data directory"));
  }
}

TEST_CASE("paths that are links on the host can be listed") {
  temp_dir dir;
  auto settings = sandbox_settings(dir.path());
  settings.sandbox.read_only.insert(settings.sandbox.read_only.begin(),
                                    {"/lib", "/bin/"});
  CHECK(refusal(settings) == "");
}

TEST_CASE("a path of /etc that is listed comes from the host") {
  auto settings = sandbox_settings(".");
  settings.sandbox.read_only.push_back("/etc/passwd");
  sandbox_session s{settings};
  CHECK(s.shell("cat /etc/passwd").out == content("/etc/passwd"));
  CHECK_THAT(s.shell("cat /etc/group").out, Contains("greenroom"));
}

TEST_CASE("a sandbox that cannot be made is an error that says why") {
  temp_dir dir;
  auto bin = dir.path() / "bin";
  write(bin / "bwrap", "#!/bin/sh\necho 'bwrap: no permission' >&2\nexit 1\n");
  fs::permissions(bin / "bwrap", fs::perms::owner_all);
  path_variable broken{bin.string() + ":/usr/bin:/bin"};
  auto text = refusal(sandbox_settings(dir.path()));
  CHECK_THAT(text, Contains("(bwrap: no permission)"));
  CHECK_THAT(text, !Contains("none")); // advice that gives the wall up
}

TEST_CASE("with nat slirp4netns shuts itself in as far as it can") {
  if (!nat_is_there())
    return;
  temp_dir dir;
  auto settings = sandbox_settings(dir.path());
  settings.sandbox.network = network_mode::nat;
  auto host = sandbox::check_host(settings, runner_binary);
  auto root = ::geteuid() == 0;
  CHECK(host.nat_options.size() == (root ? 2 : 1));
  CHECK(host.nat_options.back() == "--enable-seccomp");

  // One that knows nothing of it still works, which is said; one that never
  // works is an error that says why.
  auto bin = dir.path() / "bin";
  write(bin / "slirp4netns", "#!/bin/sh\nfor a; do case $a in --enable-*) "
                             "echo no $a >&2; exit 1;; esac; done\n"
                             "exec /usr/bin/slirp4netns \"$@\"\n");
  fs::permissions(bin / "slirp4netns", fs::perms::owner_all);
  path_variable first{bin.string() + ":/usr/bin:/bin"};
  host = sandbox::check_host(settings, runner_binary);
  CHECK(host.nat_options.empty());
  CHECK_THAT(host.not_in_force.back(), Contains("slirp4netns") && Contains("(")
                                         && Contains("no --enable-seccomp)"));
  write(bin / "slirp4netns", "#!/bin/sh\necho never >&2; exit 1\n");
  CHECK_THAT(refusal(settings),
             Contains("never") && Contains("sandbox.network"));
}

TEST_CASE("the plan names what the runner has to do") {
  if (!nat_is_there())
    return;
  auto settings = sandbox_settings(".");
  settings.sandbox.network = network_mode::nat;
  sandbox_session s{settings};
  auto plan = sandbox::make_plan(s.host, s.paths());
  REQUIRE(plan);
  CHECK(plan->nat);
  CHECK(plan->checkout == "/workspace");
  CHECK(plan->cgroups == s.host.groups.open(s.paths().session_id));
  CHECK(fs::file_size(plan->seccomp_file) % 8 == 0);
  CHECK(fs::is_directory(s.mine() / "home"));

  // It works as it stands, the program being pid 1.
  auto argv = plan->argv;
  argv.insert(argv.end(), {"--", "/bin/bash", "-c", "echo $$"});
  CHECK(run_command(s.program(argv)).out == "1\n");
  argv = plan->argv;
  argv.insert(argv.end(), {"--", plan->runner, "--version"});
  CHECK_THAT(run_command(s.program(argv)).out, Contains("greenroom-runner"));
}
