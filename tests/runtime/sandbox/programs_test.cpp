// What is installed on the host works inside as outside. The whole table is in
// tests/programs; here are those that a machine that builds us has, and some
// more where they are there.
#include "runtime/base/home_environment.hpp"
#include "runtime/sandbox/etc_copy.hpp"
#include "tests/runtime/sandbox/sandbox_session.hpp"

#include <catch2/catch.hpp>

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <map>

using namespace greenroom;
using namespace greenroom::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

bool is_installed(const std::string& program) {
  for (const fs::path place : {"/usr/bin", "/usr/sbin", "/bin", "/sbin"})
    if (::access((place / program).c_str(), X_OK) == 0)
      return true;
  return false;
}

// As a session's commands run, but for the network.
command_result run(const sandbox_session& s, const std::string& script) {
  auto what = s.program({"/bin/bash", "-c", script});
  what.env = {"LANG=C.UTF-8"};
  for (const auto& [name, value] : home_environment(sandbox::home_inside))
    what.env.push_back(name + '=' + value);
  return s.run(std::move(what));
}

struct row {
  const char* program;
  const char* script;
};

} // namespace

TEST_CASE("programs do inside what they do on the host") {
  auto settings = sandbox_settings(".");
  settings.sandbox.memory = std::uint64_t{1} << 30;
  sandbox_session s{settings};
  for (const auto& [program, script] : std::initializer_list<row>{
         {"gcc", "echo 'int main() { return 7; }' >t.c && gcc t.c -o t; ./t; "
                 "test $? = 7"},
         {"g++", "printf '#include <iostream>\\nint main() { std::cout << 7; }'"
                 " >t.cpp && g++ t.cpp -o t && test $(./t) = 7"},
         {"make", "printf 'all:\\n\\t@echo made\\n' >Makefile && test $(make) "
                  "= made"},
         {"cmake",
          "mkdir -p p && cd p && printf 'cmake_minimum_required(VERSION "
          "3.18)\\nproject(p C)\\nadd_library(p p.c)\\n' "
          ">CMakeLists.txt && echo 'int p;' >p.c && cmake -B b . && "
          "cmake --build b"},
         {"git", "git init -q r && cd r && git config user.name A && git "
                 "config user.email a@b && touch f && git add f && git commit "
                 "-qm f && git log --oneline | grep -q f"},
         {"perl", "test $(perl -MPOSIX -e 'print floor(7.5)') = 7"},
         {"python3", "test $(python3 -c 'import ssl, sqlite3; print(7)') = 7"},
         {"pip3", "mkdir -p q && cd q && echo 'from setuptools import setup; "
                  "setup(name=\"q\", scripts=[\"q-tool\"])' >setup.py && "
                  "printf '#!/bin/sh\\necho seven\\n' >q-tool && pip3 install "
                  "-q --user --no-index --no-build-isolation . && test "
                  "$(q-tool) = seven"},
         {"npm", "mkdir -p n && cd n && echo '{\"name\":\"n\",\"version\":\"1."
                 "0.0\",\"bin\":{\"n-tool\":\"n\"}}' >package.json && printf "
                 "'#!/usr/bin/env node\\nconsole.log(7)\\n' >n && npm install "
                 "-g --offline . && test $(n-tool) = 7"},
         {"node", "test $(node -e 'console.log(require(\"os\").cpus().length)')"
                  " = $(nproc)"},
         {"javac", "echo 'class A { public static void main(String[] a) { "
                   "System.out.print(7); } }' >A.java && javac A.java && test "
                   "$(java A) = 7"},
         {"mvn", "mkdir -p m && cd m && echo '<project><modelVersion>4.0.0</"
                 "modelVersion><groupId>g</groupId><artifactId>a</artifactId>"
                 "<version>1</version><packaging>pom</packaging></project>' "
                 ">pom.xml && mvn -o -q validate"},
         {"man", "man ls | grep -q 'list directory contents'"},
         {"fc-list", "fc-cat --version 2>&1; fc-list >l 2>&1 && ! grep -q "
                     "'Cannot load default config' l"},
         {"php", "php -r 'exit(php_ini_scanned_files() === \"\" ? 1 : 0);'"},
         {"lscpu", "lscpu | grep -q '^CPU(s): *'$(getconf _NPROCESSORS_CONF)"},
         {"vim", "vim -es -c 'normal i7' -c 'w! v' -c q && test $(cat v) = 7"},
         {"openssl", "openssl version -d && openssl req -x509 -newkey rsa:2048 "
                     "-nodes -keyout k -out c -subj /CN=x"},
         {"ssh-keygen", "ssh-keygen -q -t ed25519 -N '' -f ./id && ssh -G x "
                        "| grep -q hostname"},
         {"tmux", "tmux -L t new-session -d 'sleep 100' && tmux -L t ls"},
         {"locale", "locale | grep -q C.UTF-8 && locale -a | grep -qi utf"},
         {"update-alternatives",
          "test -z \"$(find -L /etc/alternatives -type l "
          "! -name '*.gz')\""},
         {"php", "php -r 'exit(session_start() ? 0 : 1);'"},
         {"dpkg", "dpkg -S /bin/bash | grep -q bash"}}) {
    if (!is_installed(program)) {
      WARN("not tested, for it is not there: " << program);
      continue;
    }
    auto result = run(s, script);
    INFO(program << ": " << result.out << result.err);
    CHECK(result.ok());
  }
}

TEST_CASE("settings are seen that everybody may read on the host, no others") {
  sandbox_session s;
  // Each is outside, or the test would say nothing.
  for (const fs::path file :
       {"/etc/profile", "/etc/services", "/etc/ssl/certs/ca-certificates.crt"})
    if (fs::exists(file)) {
      INFO(file);
      CHECK(
        run(s, "md5sum <" + file.string()).out
        == run_command(s.program({"/bin/sh", "-c", "md5sum <" + file.string()}))
             .out);
    }
  for (auto name : {"shadow", "shadow-", "gshadow", "sudoers", "ssl/private",
                    "fstab", "machine-id", "hostname", "hosts", "subuid"}) {
    INFO(name);
    CHECK(sandbox::is_left_out(name));
  }
  for (auto name : {"ssh/ssh_host_ed25519_key", "apache2/tls/site.key",
                    "krb5.keytab", "pki/x/private/cert.pem",
                    "letsencrypt/live/x/cert.pem", "greenroom/key"}) {
    INFO(name);
    CHECK(sandbox::is_left_out(name));
  }
  for (auto name : {"ssh/ssh_config", "java-17-openjdk/jvm-amd64.cfg",
                    "nginx/mime.types", "php/8.2/cli/php.ini", "keymaps"})
    CHECK_FALSE(sandbox::is_left_out(name));
  auto open = run(s, "find -L /etc -type f ! -readable 2>/dev/null | head -3");
  CHECK(open.out == "");
}

TEST_CASE("a copy of settings follows them and holds no key") {
  temp_dir dir;
  auto from = dir.path() / "from";
  auto to = dir.path() / "to";
  write(from / "app/app.conf", "one");
  write(from / "app/secret.conf", "secret");
  write(from / "app/cert.pem", "-----BEGIN RSA PRIVATE KEY-----\n");
  write(from / "shadow", "root:x");
  write(from / "ours", "the host's");
  write(to / "ours", "ours");
  write(to / "gone.d/ours", "ours");
  write(to / "gone.d/old", "an older start's");
  write(to / "old", "an older start's");
  fs::create_symlink("app/app.conf", from / "link");
  ::chmod((from / "app/secret.conf").c_str(), 0640);
  fs::create_directory(from / "closed");
  write(from / "closed/file", "x");
  ::chmod((from / "closed").c_str(), 0700);
  auto copied = [&] {
    std::map<std::string, std::string> result;
    for (const auto& entry : fs::recursive_directory_iterator{to})
      if (!entry.is_directory())
        result[entry.path().lexically_relative(to)] = content(entry.path());
    return result;
  };
  using files = std::map<std::string, std::string>;
  auto refresh = [&] {
    // A new one, for one alone would wait a moment.
    sandbox::etc_copy{from, to, {"ours", "gone.d/ours"}}.refresh();
  };
  refresh();
  CHECK(copied()
        == files{{"app/app.conf", "one"},
                 {"gone.d/ours", "ours"},
                 {"link", "one"},
                 {"ours", "ours"}});
  auto before = fs::last_write_time(to / "app/app.conf");
  CHECK(before == fs::last_write_time(from / "app/app.conf"));
  write(from / "app/app.conf", "two two");
  fs::remove(from / "link");
  write(from / "new.d/x", "x");
  refresh();
  CHECK(copied()
        == files{{"app/app.conf", "two two"},
                 {"gone.d/ours", "ours"},
                 {"new.d/x", "x"},
                 {"ours", "ours"}});
  fs::remove_all(from / "app");
  write(from / "app", "a file now");
  refresh();
  CHECK(copied()
        == files{{"app", "a file now"},
                 {"gone.d/ours", "ours"},
                 {"new.d/x", "x"},
                 {"ours", "ours"}});
}

TEST_CASE("passwords and keys are not listed by mistake") {
  for (auto path : {"/etc", "/etc/", "/etc/shadow", "/etc/../etc/shadow-"}) {
    if (!fs::exists(path))
      continue;
    temp_dir dir;
    auto settings = sandbox_settings(dir.path());
    settings.sandbox.read_only = {"/usr", path};
    INFO(path);
    CHECK_THROWS_WITH(sandbox::check_host(settings, runner_binary),
                      Contains("passwords and keys"));
  }
  auto settings = sandbox_settings(".");
  settings.sandbox.read_only.push_back("/etc/ssl");
  sandbox_session s{settings};
  CHECK(s.shell("ls -A /etc/ssl/private").out == "");
  CHECK(s.shell("test -d /etc/ssl/certs").ok());
}

TEST_CASE("files have the usual modes, whatever the node's mask is") {
  auto before = ::umask(0077);
  {
    sandbox_session s;
    CHECK(s.shell("umask; touch f; stat -c %a f; stat -c %a /tmp").out
          == "0022\n644\n1777\n");
    CHECK(s.shell("stat -c %a /etc /etc/passwd").out == "755\n644\n");
  }
  ::umask(before);
}

TEST_CASE("programs find the users and groups of the host's system") {
  const auto* daemon = ::getpwnam("daemon");
  REQUIRE(daemon != nullptr);
  const auto user = std::to_string(daemon->pw_uid);
  const auto* mail = ::getgrnam("mail");
  REQUIRE(mail != nullptr);
  const auto group = std::to_string(mail->gr_gid);
  sandbox_session s;
  CHECK(s.shell("id -u daemon; getent group mail | cut -d: -f1,3").out
        == user + "\nmail:" + group + '\n');
  CHECK(s.shell("id -un; id -un 65534; id -gn").out
        == "greenroom\nnobody\ngreenroom\n");
}

TEST_CASE("/tmp is on disk, and outlives the program") {
  sandbox_session s;
  CHECK(s.shell("echo kept >/tmp/f; head -c 100M /dev/zero >/tmp/big").ok());
  CHECK(s.shell("cat /var/tmp/f; stat -c %s /tmp/big").out
        == "kept\n104857600\n");
  CHECK(content(s.mine() / "tmp/f") == "kept\n");
}

TEST_CASE("/var has what everybody writes on the host") {
  sandbox_session s;
  CHECK(s.shell("echo 7 >/var/lib/php/sessions/f; cat /tmp/f; "
                "flock /var/lock/f true && test -w /var/run/lock")
          .out
        == "7\n");
}

TEST_CASE("what is listed below /var is there") {
  auto settings = sandbox_settings(".");
  settings.sandbox.read_only = {"/usr", "/var/lib/dpkg", "/var/lock"};
  sandbox_session s{settings};
  CHECK_FALSE(s.shell("touch /var/lock/f").ok());
  CHECK(s.shell("test -w /var/tmp && test -d /var/lib/dpkg/info").ok());
}

TEST_CASE("a login shell finds what is installed into the home") {
  sandbox_session s;
  CHECK(run(s,
            "mkdir -p ~/.local/bin && printf '#!/bin/sh\necho 7\n' "
            ">~/.local/bin/tool && chmod +x ~/.local/bin/tool && "
            "bash -lc 'bash -lc tool'; sh -lc tool; bash -lc 'type -p chroot'")
          .out
        == "7\n7\n/usr/sbin/chroot\n");
}

TEST_CASE("a link in what a session can write leads no mount astray") {
  sandbox_session s;
  // Where the mirror is below the host's /tmp, as in this test.
  auto first = *s.mirror().lexically_relative("/tmp").begin();
  if (!s.mirror().string().starts_with("/tmp/"))
    return;
  CHECK_FALSE(s.shell("mv /tmp/" + first.string() + " /tmp/away").ok());
  CHECK_FALSE(s.shell("rmdir /tmp/" + first.string()).ok());
  CHECK(s.shell("cat " + (s.mirror() / "objects/ab/cdef").string()).out
        == "an object");
}

TEST_CASE("programs find the session's limits where they look for them") {
  auto settings = sandbox_settings(".");
  settings.sandbox.memory = std::uint64_t{512} << 20;
  sandbox_session s{settings};
  auto size = s.shell("cat /sys/fs/cgroup/memory.max "
                      "/sys/fs/cgroup/memory/memory.limit_in_bytes");
  if (!s.host.groups.limits_memory()) {
    WARN("not tested: no control group limits memory here");
    return;
  }
  CHECK(size.out == "536870912\n");
  CHECK_FALSE(s.shell("echo 1 >/sys/fs/cgroup/memory/cgroup.procs").ok());
  if (is_installed("node"))
    CHECK(std::atol(s.shell("node -e 'console.log(require(\"v8\")."
                            "getHeapStatistics().heap_size_limit)'")
                      .out.c_str())
          < 600L << 20);
  if (is_installed("java"))
    CHECK(std::atol(
            s.shell("java -XX:+PrintFlagsFinal -version 2>/dev/null | sed -n "
                    "'s/.* MaxHeapSize *= *\\([0-9]*\\).*/\\1/p'")
              .out.c_str())
          <= 256L << 20);
}

TEST_CASE("a session's processes are the first that an end of memory takes") {
  sandbox_session s;
  CHECK(std::stoi(s.shell("cat /proc/self/oom_score_adj").out) >= 500);
}
